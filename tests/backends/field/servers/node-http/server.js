// Plain, or a cluster of WORKERS; with SHARED=1 they accept for themselves, else the primary hands out in turn.
const cluster = require('cluster');
const http = require('http');

function answer(request, response) {
  if (request.url === '/block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (request.url === '/spin') for (;;);
  response.end(`pid=${process.pid}`);
}

if (process.env.SHARED) cluster.schedulingPolicy = cluster.SCHED_NONE;
const workers = Number(process.env.WORKERS || 0);
if (workers && cluster.isPrimary) {
  for (let i = 0; i < workers; i++) cluster.fork();
  cluster.on('exit', () => cluster.fork());
} else {
  http.createServer(answer).listen(process.env.PORT, '127.0.0.1');
}
