'use strict';
// Preload (node --require): journals the life of backend.js and server.js, see README.md. The program must handle
// SIGTERM itself, because a listener here takes the default action away.
const fs = require('fs');
const path = require('path');

const file = process.env.BACKEND_JOURNAL;
const program = path.basename(process.argv[1] || '');

function startTicks(pid) {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return fields[0] === 'Z' ? null : Number(fields[19]);
  } catch {
    return null;
  }
}

function record(event, extra) {
  const line = { event, pid: process.pid, ticks: startTicks(process.pid), at: Number(process.hrtime.bigint()), ...extra };
  fs.appendFileSync(file, JSON.stringify(line) + '\n');
}

if (file && ['backend.js', 'server.js'].includes(program)) {
  // Before the start line: whoever has read it may send a signal.
  for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => record('signal', { signal }));
  process.on('exit', (code) => record('exit', { code }));
  record('start', { program });
  for (const text of fs.readFileSync(file, 'utf8').split('\n')) {
    if (!text) continue;
    const { event, pid, ticks } = JSON.parse(text);
    if (event === 'start' && pid !== process.pid && startTicks(pid) === ticks) record('overlap', { other: pid });
  }
}
