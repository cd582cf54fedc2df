// Grafana's data frames of what Prometheus answered, as its Prometheus data source makes them.
import { createDataFrame, FieldType } from '@grafana/data';

const NUMBERS = { inf: Infinity, '-inf': -Infinity, nan: null };

const number = (value) => (typeof value === 'string' ? NUMBERS[value] : value);
const time = (points) => ({ name: 'Time', type: FieldType.time, values: points.map(([at]) => at * 1000) });

function legend(template, labels) {
  if (!template) return undefined;
  return template.replace(/\{\{\s*(\w+)\s*\}\}/g, (_, name) => labels[name] ?? '');
}

function tableFrame({ refId, series }, several) {
  const names = [...new Set(series.flatMap(({ labels }) => Object.keys(labels)))].sort();
  return createDataFrame({
    refId,
    fields: [
      time(series.map(({ points }) => points[0])),
      ...names.map((name) => ({ name, type: FieldType.string, values: series.map(({ labels }) => labels[name] ?? '') })),
      { name: several ? `Value #${refId}` : 'Value', type: FieldType.number,
        values: series.map(({ points }) => number(points[0][1])) },
    ],
  });
}

function seriesFrame({ refId, legend: template, step }, { labels, points }) {
  const displayNameFromDS = legend(template, labels);
  const at = time(points);
  return createDataFrame({
    refId,
    fields: [
      { ...at, config: { interval: step * 1000 } },
      { name: 'Value', type: FieldType.number, labels, values: points.map(([, value]) => number(value)),
        config: displayNameFromDS ? { displayNameFromDS } : {} },
    ],
  });
}

/// What is missing between two points that are more than a step apart is a gap.
function withGaps(series, step) {
  const points = series.points.flatMap((point, n) => {
    const before = series.points[n - 1];
    return before && point[0] - before[0] > step * 1.5 ? [[before[0] + step, null], point] : [point];
  });
  return { ...series, points };
}

export function framesOf(answers) {
  return answers.flatMap((answer) => {
    if (answer.format === 'table') return [tableFrame(answer, answers.length > 1)];
    return answer.series.map((one) => seriesFrame(answer, answer.instant ? one : withGaps(one, answer.step)));
  });
}
