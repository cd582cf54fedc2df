// Each kind of panel with Grafana's component for it.
import React from 'react';
import { EventBusSrv, dateTime, getDisplayValueAlignmentFactors, getFieldDisplayValues } from '@grafana/data';
import { BarGauge, BigValue, PanelContextProvider, Table, TimeSeries, VizRepeater } from '@grafana/ui';
import { fieldConfigOf, literally } from './core.js';
import { Heatmap, StateTimeline } from './charts.jsx';

const context = { eventsScope: 'global', eventBus: new EventBusSrv(), sync: () => 0 };

function drawMarks(plot, marks, theme) {
  const { ctx, bbox } = plot;
  ctx.save();
  for (const { begin, end, color } of marks) {
    const [left, right] = [begin, end].map((at) => plot.valToPos(at * 1000, 'x', true));
    ctx.strokeStyle = ctx.fillStyle = theme.visualization.getColorByName(color);
    ctx.globalAlpha = 0.12;
    ctx.fillRect(left, bbox.top, right - left, bbox.height);
    ctx.globalAlpha = 1;
    ctx.setLineDash([4, 4]);
    ctx.beginPath();
    for (const x of new Set([left, right])) {
      ctx.moveTo(x, bbox.top);
      ctx.lineTo(x, bbox.top + bbox.height);
    }
    ctx.stroke();
    ctx.fillRect(left - 4, bbox.top + bbox.height, right - left + 8, 4);
  }
  ctx.restore();
}

function Lines({ panel, frames, width, height, begin, end, marks, theme }) {
  const range = { from: dateTime(begin), to: dateTime(end) };
  return (
    <PanelContextProvider value={context}>
      <TimeSeries frames={frames} structureRev={1} timeRange={{ ...range, raw: range }} timeZone="utc" width={width}
        height={height} legend={panel.options.legend} options={{}} tweakAxis={literally} tweakScale={literally}>
        {(config) => {
          config.addHook('draw', (plot) => drawMarks(plot, marks, theme));
          return null;
        }}
      </TimeSeries>
    </PanelContextProvider>);
}

function values(panel, frames, theme) {
  return getFieldDisplayValues({ fieldConfig: fieldConfigOf(panel), reduceOptions: panel.options.reduceOptions,
    replaceVariables: literally, theme, data: frames, timeZone: 'utc' });
}

function Stat({ panel, frames, width, height, theme }) {
  const { colorMode, graphMode, justifyMode, textMode, orientation, wideLayout } = panel.options;
  const count = values(panel, frames, theme).length;
  return (
    <VizRepeater source={frames} getValues={() => values(panel, frames, theme)} width={width} height={height} autoGrid
      orientation={orientation} renderCounter={1} renderValue={({ value, width: w, height: h }) => (
        <BigValue value={value.display} width={w} height={h} theme={theme} count={count}
          {...{ colorMode, graphMode, justifyMode, wideLayout }}
          textMode={textMode === 'auto' && count === 1 ? 'value' : textMode} />)} />);
}

function Bars({ panel, frames, width, height, theme }) {
  const shown = values(panel, frames, theme);
  return (
    <VizRepeater source={frames} getValues={() => shown} width={width} height={height} renderCounter={1}
      orientation={panel.options.orientation} minVizHeight={panel.options.minVizHeight}
      maxVizHeight={panel.options.maxVizHeight} renderValue={({ value, width: w, height: h, orientation }) => (
        <BarGauge value={value.display} field={value.field} display={value.view?.getFieldDisplayProcessor(value.colIndex)}
          width={w} height={h} orientation={orientation} theme={theme} displayMode={panel.options.displayMode}
          showUnfilled={panel.options.showUnfilled} valueDisplayMode={panel.options.valueMode}
          namePlacement={panel.options.namePlacement} itemSpacing={10} lcdCellWidth={12}
          alignmentFactors={getDisplayValueAlignmentFactors(shown)} />)} />);
}

function Rows({ panel, frames, width, height }) {
  return <Table data={frames[0]} width={width} height={height} columnMinWidth={60} cellHeight={panel.options.cellHeight}
    initialSortBy={panel.options.sortBy} />;
}

export const PANELS = { bargauge: Bars, heatmap: Heatmap, stat: Stat, 'state-timeline': StateTimeline, table: Rows,
  timeseries: Lines };
