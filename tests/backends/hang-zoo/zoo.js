// A server that can hang in every known way: GET /hang?m=MODE (or START_MODE at its start) makes it so, some ways with
// &s=SECONDS only for so long.
// node zoo.js PORT      environment: PG_URL, POOL_MAX, UPSTREAM (port), FIFO (path), FULL_HEAP, START_MODE
'use strict';
const { once } = require('events');
const http = require('http');
const fs = require('fs');
const net = require('net');
const crypto = require('crypto');
const child = require('child_process');

const port = Number(process.argv[2]);
const upstream = Number(process.env.UPSTREAM || 0);
const kept = [];
let health = (response) => response.end('ok\n');
let answer = null; // what / and /db do instead of answering, once told

const LOCKING_QUERY = 'select n from zoo where id = 1 for update';
let pool = null;
if (process.env.PG_URL) {
  const { Pool } = require('pg');
  pool = new Pool({ connectionString: process.env.PG_URL, max: Number(process.env.POOL_MAX || 10) });
  pool.on('error', () => {});
}

function block(ms) {
  const end = Date.now() + ms;
  while (Date.now() < end);
}

// FULL_HEAP: a share of the heap that long-lived objects fill. They are replaced one by one: what is made outlives its
// youth, so that one long collection follows the other.
const churn = process.env.FULL_HEAP ? fillHeap(Number(process.env.FULL_HEAP)) : null;

function fillHeap(share) {
  const v8 = require('v8');
  const bytes = v8.getHeapStatistics().heap_size_limit * share;
  const live = [];
  const make = (n) => ({ n, list: [n, n], text: 'x' + n });
  while (v8.getHeapStatistics().used_heap_size < bytes) for (let i = 0; i < 5000; i++) live.push(make(i));
  let next = 0;
  return (number) => {
    for (let i = 0; i < number; i++) live[next = (next + 7919) % live.length] = make(i);
  };
}

const now = {
  // A number that outgrows small integers would make V8 take the loop apart and build it anew, about when it is looked at.
  loop() { for (let i = 0; ; i++) i %= 7; },
  regex() { /^(a+)+$/.test('a'.repeat(40) + '!'); },
  json() { const text = '[' + '1,'.repeat(5e6) + '1]'; for (;;) JSON.parse(text); },
  microtasks() { const again = () => Promise.resolve().then(again); again(); },
  exec(seconds = 1000) { child.execSync(`sleep ${seconds}`); },
  fifo() { fs.readFileSync(process.env.FIFO); },
  atomics() { Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); },
  gc() { for (;;) churn(1000); },
  collects() { setInterval(churn, 1, 100000); },
  debugger() { debugger; }, // eslint-disable-line no-debugger
  block200() { block(200); },
  block1000() { block(1000); },
  work(seconds) { block(seconds * 1000); },
  immediates() { const again = () => { block(5); setImmediate(again); }; again(); },
  files() {
    const take = () => { try { for (;;) kept.push(fs.openSync('/dev/null')); } catch { /* no more */ } };
    take();
    setInterval(take, 5);
  },
};

const later = {
  handler() { answer = () => new Promise(() => {}); },
  drip() {
    health = (response) => {
      response.writeHead(200);
      const timer = setInterval(() => response.write('.'), 100);
      response.on('close', () => clearInterval(timer));
    };
  },
  pool4() {
    for (let i = 0; i < 4; i++) fs.readFile(process.env.FIFO, () => {});
    answer = (response) => fs.stat('/', () => response.end('stat\n'));
  },
  upstream() {
    answer = (response) => http.get({ host: '127.0.0.1', port: upstream }, (reply) => reply.pipe(response))
      .on('error', (error) => response.end(error.message));
  },
  async leak() {
    // Connections that are taken and never given back.
    for (let i = 0; i < Number(process.env.POOL_MAX || 10); i++) (await pool.connect()).query('select 1');
  },
};

async function query(response) {
  try {
    const result = await pool.query(LOCKING_QUERY);
    response.end(`row ${result.rows[0].n}\n`);
  } catch (error) {
    response.statusCode = 503;
    response.end(error.message + '\n');
  }
}

const server = http.createServer((request, response) => {
  const url = new URL(request.url, 'http://zoo');
  const mode = url.searchParams.get('m');
  if (url.pathname === '/hang' && later[mode]) { later[mode](); return void response.end('soon\n'); }
  if (url.pathname === '/hang' && now[mode]) {
    response.end('now\n');
    return void setTimeout(now[mode], 20, ...url.searchParams.getAll('s').map(Number));
  }
  if (url.pathname === '/health' && !process.env.DEEP_HEALTH) return void health(response);
  if (url.pathname === '/work') block(Number(url.searchParams.get('ms')));
  if (url.pathname === '/poll') return void setTimeout(() => response.end('news\n'), Number(url.searchParams.get('ms')));
  if (url.pathname === '/events') {
    response.writeHead(200, { 'content-type': 'text/event-stream' });
    const timer = setInterval(() => response.write('data: tick\n\n'), Number(url.searchParams.get('ms')));
    return void request.on('close', () => clearInterval(timer));
  }
  if (answer) return void answer(response);
  if (url.pathname === '/db') return void query(response);
  response.end('ok\n');
});

// WebSockets are taken, listened to, and never answered (RFC 6455).
server.on('upgrade', (request, socket) => {
  const key = request.headers['sec-websocket-key'] + '258EAFA5-E914-47DA-95CA-C5AB0DC85B11';
  const accept = crypto.createHash('sha1').update(key).digest('base64');
  socket.write('HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n' +
    `Sec-WebSocket-Accept: ${accept}\r\n\r\n`);
  socket.on('error', () => {});
  socket.resume();
});

(async () => {
  const start = process.env.START_MODE;
  if (start === 'await') { setInterval(() => {}, 1000); await new Promise(() => {}); }
  if (start === 'upstream') {
    const asked = net.connect(upstream, '127.0.0.1', () => asked.write('?'));
    await once(asked, 'data');
  }
  if (start === 'database') await pool.query(LOCKING_QUERY);
  if (start && now[start]) now[start]();
  server.listen(port, process.env.HOST || undefined);
})();
