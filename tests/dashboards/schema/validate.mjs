// Compares dashboards with the types that Grafana publishes as @grafana/schema.
//   node validate.mjs PACKAGES FILE...
// PACKAGES is the directory in which package.json is installed. Prints one fault a line; exit code 1 if there are any.
import fs from 'node:fs';
import path from 'node:path';
import { createRequire } from 'node:module';
import { Conformance } from './conformance.mjs';

const [packages, ...files] = process.argv.slice(2);
const ts = createRequire(path.resolve(packages, 'package.json'))('typescript');

// Name of the types of a panel's options and of its fields' options, by panel type.
const PANELS = {
  bargauge: ['BarGauge'],
  heatmap: ['Heatmap', 'FieldConfig'],
  stat: ['Stat'],
  'state-timeline': ['StateTimeline', 'FieldConfig'],
  table: ['Table', 'FieldConfig'],
  text: ['Text'],
  timeseries: ['TimeSeries', 'FieldConfig'],
};
const RAW = '@grafana/schema/dist/esm/raw';

function declarations() {
  const lines = [`import type * as dashboard from '${RAW}/dashboard/x/Dashboard_types.gen';`];
  for (const name of ['Dashboard', 'Panel', 'RowPanel', 'FieldConfig']) lines.push(`export type ${name} = dashboard.${name};`);
  for (const [panel, [name, fields]] of Object.entries(PANELS)) {
    const folder = panel.replace('-', '');
    lines.push(`import type * as ${folder} from '${RAW}/composable/${folder}/panelcfg/x/${name}PanelCfg_types.gen';`);
    lines.push(`export type ${folder}_options = ${folder}.Options;`);
    if (fields) lines.push(`export type ${folder}_fields = ${folder}.FieldConfig;`);
  }
  return lines.join('\n');
}

/// Types by their name in declarations(), resolved by the compiler from a file that exists in its memory only.
function load() {
  const root = path.resolve(packages, 'types.ts');
  const options = { module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler,
    target: ts.ScriptTarget.ES2022, strict: true, skipLibCheck: true, noEmit: true, types: [] };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile } = host;
  host.fileExists = (name) => name === root || fileExists.call(host, name);
  host.readFile = (name) => (name === root ? declarations() : readFile.call(host, name));
  const program = ts.createProgram([root], options, host);
  const source = program.getSourceFile(root);
  const errors = program.getSemanticDiagnostics(source);
  if (errors.length) throw new Error(errors.map((e) => ts.flattenDiagnosticMessageText(e.messageText, ' ')).join('\n'));
  const checker = program.getTypeChecker();
  const types = Object.fromEntries(checker.getExportsOfModule(checker.getSymbolAtLocation(source))
    .map((symbol) => [symbol.name, checker.getDeclaredTypeOfSymbol(symbol)]));
  return { types, conformance: new Conformance(ts, checker) };
}

const { types, conformance } = load();

function overrideFaults(override, fields) {
  return override.properties.flatMap(({ id, value }) => {
    const custom = id.startsWith('custom.');
    let type = custom ? fields : types.FieldConfig;
    for (const name of id.replace('custom.', '').split('.')) type = type && conformance.property(type, name);
    return type ? conformance.faults(value, type, `override ${id}`) : [`override ${id}: there is no such property`];
  });
}

function panelFaults(panel) {
  if (panel.type === 'row') {
    const { panels, ...row } = panel;
    return [...conformance.faults(row, types.RowPanel), ...panels.flatMap(panelFaults)];
  }
  if (!PANELS[panel.type]) return [`panel ${panel.id}: its type ${panel.type} is not known here`];
  const folder = panel.type.replace('-', '');
  const fields = types[`${folder}_fields`];
  const { defaults, overrides } = panel.fieldConfig;
  const found = [
    ...conformance.faults(panel, types.Panel),
    ...conformance.faults(panel.options, types[`${folder}_options`], 'options'),
    ...(fields ? conformance.faults(defaults.custom ?? {}, fields, 'custom') : []),
    ...overrides.flatMap((override) => overrideFaults(override, fields)),
  ];
  return found.map((fault) => `panel ${panel.id} (${panel.title}): ${fault}`);
}

let count = 0;
for (const file of files) {
  const { panels, ...dashboard } = JSON.parse(fs.readFileSync(file, 'utf8'));
  for (const fault of [...conformance.faults(dashboard, types.Dashboard), ...panels.flatMap(panelFaults)]) {
    console.log(`${path.basename(file)}: ${fault}`);
    count += 1;
  }
}
process.exitCode = count ? 1 : 0;
