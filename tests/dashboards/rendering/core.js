// What Grafana's application gives to its panels: the registries, the defaults of each kind of panel, transformations.
import { applyFieldOverrides, createTheme, Registry, standardFieldConfigEditorRegistry, standardTransformers,
  standardTransformersRegistry, thresholdsOverrideProcessor, transformDataFrame } from '@grafana/data';
import { firstValueFrom } from 'rxjs';

const PROPERTIES = ['unit', 'min', 'max', 'decimals', 'displayName', 'color', 'thresholds', 'mappings', 'links', 'noValue',
  'filterable', 'description', 'fieldMinMax', 'actions'];
const CUSTOM = { drawStyle: 'line', lineInterpolation: 'linear', lineWidth: 1, fillOpacity: 0, showPoints: 'auto', pointSize: 5,
  gradientMode: 'none', spanNulls: false, barAlignment: 0, stacking: { mode: 'none', group: 'A' },
  scaleDistribution: { type: 'linear' }, axisPlacement: 'auto', thresholdsStyle: { mode: 'off' } };

export const literally = (text) => text;

const property = (id, more = {}) => ({ id, path: id, name: id, editor: () => null, override: () => null,
  process: id === 'thresholds' ? thresholdsOverrideProcessor : literally, shouldApply: () => true, settings: {}, ...more });
const standard = PROPERTIES.map((id) => property(id));

export function fillRegistries() {
  standardFieldConfigEditorRegistry.setInit(() => standard);
  const transformers = new Map(Object.values(standardTransformers).map((one) => [one.id, one]));
  standardTransformersRegistry.setInit(() => [...transformers.values()].map((one) => ({
    id: one.id, name: one.name, transformation: one, description: '', editor: () => null, aliasIds: one.aliasIds })));
}

function registryFor({ defaults, overrides }) {
  const ids = new Set([...Object.keys(CUSTOM), ...Object.keys(defaults.custom ?? {}),
    ...overrides.flatMap((override) => override.properties.map(({ id }) => id))
      .filter((id) => id.startsWith('custom.')).map((id) => id.slice('custom.'.length))]);
  return new Registry(() => [...standard,
    ...[...ids].map((id) => ({ ...property(id), id: `custom.${id}`, isCustom: true }))]);
}

const everywhere = (steps) => steps.map((step) => (step.value === null ? { ...step, value: -Infinity } : step));

/// The configuration of a panel's fields with what it leaves to Grafana.
export function fieldConfigOf({ fieldConfig: { defaults, overrides } }) {
  const { thresholds } = defaults;
  return {
    defaults: { ...defaults, custom: { ...CUSTOM, ...defaults.custom },
      ...(thresholds && { thresholds: { ...thresholds, steps: everywhere(thresholds.steps) } }) },
    overrides: overrides.map((override) => ({ ...override, properties: override.properties.map((one) => (
      one.id === 'thresholds' ? { ...one, value: { ...one.value, mode: 'absolute', steps: everywhere(one.value.steps) } } : one)) })),
  };
}

export async function prepared(panel, frames, theme) {
  const transformed = panel.transformations?.length
    ? await firstValueFrom(transformDataFrame(panel.transformations, frames, { interpolate: literally })) : frames;
  return applyFieldOverrides({ data: transformed, fieldConfig: fieldConfigOf(panel), theme, timeZone: 'utc',
    fieldConfigRegistry: registryFor(panel.fieldConfig), replaceVariables: literally });
}

export const themeOf = (mode) => createTheme({ colors: { mode } });
