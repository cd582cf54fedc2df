// Grafana publishes neither its state timeline nor its heatmap as components: these are drawn alike.
import React from 'react';
import { formattedValueToString, getFieldDisplayName, getValueFormat } from '@grafana/data';

const AXIS = 20;
const clock = (at) => new Date(at).toISOString().slice(11, 16);

function TimeAxis({ begin, end, left, width, height, color }) {
  const marks = [0, 0.2, 0.4, 0.6, 0.8, 1].map((share) => begin + (end - begin) * share);
  return marks.map((at) => (
    <text key={at} x={left + ((width - left) * (at - begin)) / (end - begin)} y={height - 5} fontSize={12} fill={color}
      textAnchor={at === begin ? 'start' : at === end ? 'end' : 'middle'}>{clock(at)}</text>));
}

/// Runs of the same value: [{value, from, to}] in ms.
function runs([times, values], step) {
  const found = [];
  times.values.forEach((at, n) => {
    const value = values.values[n];
    if (value === null) return;
    const last = found[found.length - 1];
    if (last && last.value === value && at - last.to <= step * 1.5) last.to = at;
    else found.push({ value, from: at, to: at });
    if (last && last !== found[found.length - 1] && at - last.to <= step * 1.5) last.to = at;
  });
  return found;
}

export function StateTimeline({ panel, frames, width, height, begin, end, theme }) {
  const names = frames.map((frame) => getFieldDisplayName(frame.fields[1], frame, frames));
  const left = 16 + 7 * Math.max(...names.map((name) => name.length));
  const row = (height - AXIS) / frames.length;
  const bar = row * panel.options.rowHeight;
  const x = (at) => left + ((width - left) * (Math.min(end, at) - begin)) / (end - begin);
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
      {frames.map((frame, n) => (
        <g key={names[n]}>
          <text x={left - 8} y={(n + 0.5) * row + 4} textAnchor="end" fontSize={12} fill={theme.colors.text.primary}>{names[n]}</text>
          {runs(frame.fields, frame.fields[0].config.interval).map(({ value, from, to }) => {
            const shown = frame.fields[1].display(value);
            const wide = x(to) - x(from) > formattedValueToString(shown).length * 8;
            return (
              <g key={from}>
                <rect x={x(from)} y={n * row + (row - bar) / 2} width={Math.max(1, x(to) - x(from))} height={bar}
                  fill={shown.color} fillOpacity={panel.fieldConfig.defaults.custom.fillOpacity / 100} />
                {wide && bar > 11 && <text x={x(from) + 4} y={(n + 0.5) * row + 4} fontSize={12}
                  fill={theme.colors.getContrastText(shown.color)}>{formattedValueToString(shown)}</text>}
              </g>);
          })}
        </g>))}
      <TimeAxis {...{ begin, end, left, width, height }} color={theme.colors.text.secondary} />
    </svg>);
}

const bound = (frame) => Number(frame.fields[1].labels.le.replace('+Inf', 'Infinity'));

export function Heatmap({ panel, frames, width, height, begin, end, theme }) {
  const left = 60;
  const rows = [...frames].sort((a, b) => bound(a) - bound(b));
  const unit = getValueFormat(panel.options.yAxis.unit);
  const times = rows.reduce((all, { fields: [at] }) => (at.values.length > all.length ? at.values : all), []);
  const below = rows.map(({ fields: [at, value] }) => new Map(at.values.map((t, n) => [t, value.values[n]])));
  const cells = rows.flatMap((_, n) => times.map((at) => ({ n, at,
    count: (below[n].get(at) ?? 0) - (n ? below[n - 1].get(at) ?? 0 : 0) })));
  const most = Math.max(...cells.map(({ count }) => count));
  const x = (at) => left + ((width - left) * (at - begin)) / (end - begin);
  const rowHeight = (height - AXIS) / rows.length;
  const cellWidth = ((width - left) * rows[0].fields[0].config.interval) / (end - begin);
  const color = theme.visualization.getColorByName('dark-orange');
  return (
    <svg width={width} height={height} fontFamily={theme.typography.fontFamily}>
      {rows.map((frame, n) => (n % Math.ceil(16 / rowHeight) === 0) && (
        <text key={frame.fields[1].labels.le} x={left - 6} y={height - AXIS - (n + 0.5) * rowHeight + 4} textAnchor="end"
          fontSize={12} fill={theme.colors.text.secondary}>
          {bound(frame) === Infinity ? '+Inf' : formattedValueToString(unit(bound(frame)))}</text>))}
      {cells.filter(({ count }) => count > 1e-9).map(({ n, at, count }) => (
        <rect key={`${n} ${at}`} x={x(at) - cellWidth} y={height - AXIS - (n + 1) * rowHeight} width={cellWidth}
          height={rowHeight - panel.options.cellGap} fill={color}
          fillOpacity={0.1 + 0.9 * (count / most) ** panel.options.color.exponent} />))}
      <TimeAxis {...{ begin, end, left, width, height }} color={theme.colors.text.secondary} />
    </svg>);
}
