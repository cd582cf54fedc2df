'use strict';
// A backend that goes wrong on request. Listens on PORT; GET /health answers 200, GET /block?ms=N holds the event
// loop for N ms. Options:
//   --ignore-term            SIGTERM changes nothing
//   --drain MS               takes so long to leave after SIGTERM
//   --host ADDRESS           listens there instead of on 127.0.0.1
//   --never-listen           runs without opening the port
//   --never-answer           accepts and reads, answers nothing
//   --health-status CODE     what /health answers
//   --exit CODE --after MS   ends by itself
//   --detached-grandchild    starts a process in its own session that ignores SIGTERM
require('./journal.cjs');
const http = require('http');
const { spawn } = require('child_process');
const { parseArgs } = require('util');

const { values: options } = parseArgs({
  options: {
    'ignore-term': { type: 'boolean' },
    drain: { type: 'string', default: '0' },
    host: { type: 'string', default: '127.0.0.1' },
    'never-listen': { type: 'boolean' },
    'never-answer': { type: 'boolean' },
    'health-status': { type: 'string', default: '200' },
    exit: { type: 'string' },
    after: { type: 'string', default: '0' },
    'detached-grandchild': { type: 'boolean' },
  },
});

if (options['detached-grandchild']) {
  const forever = 'process.on("SIGTERM", () => {}); setInterval(() => {}, 1 << 30);';
  spawn(process.execPath, ['-e', forever], { detached: true, stdio: 'ignore' }).unref();
}

process.on('SIGTERM', () => {
  if (!options['ignore-term']) setTimeout(() => process.exit(0), Number(options.drain));
});
setInterval(() => {}, 1 << 30);

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://localhost');
  if (options['never-answer']) return;
  if (url.pathname === '/block') {
    const end = Date.now() + Number(url.searchParams.get('ms'));
    while (Date.now() < end);
  }
  response.statusCode = url.pathname === '/health' ? Number(options['health-status']) : 200;
  response.end(JSON.stringify({ pid: process.pid }) + '\n');
});
server.on('error', (error) => {
  console.error(error.message);
  process.exit(1);
});
if (!options['never-listen']) server.listen(Number(process.env.PORT), options.host);

if (options.exit !== undefined) setTimeout(() => process.exit(Number(options.exit)), Number(options.after));
