Bun.serve({
  hostname: '127.0.0.1',
  port: process.env.PORT,
  fetch(request) {
    const path = new URL(request.url).pathname;
    if (path === '/block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    if (path === '/spin') for (;;);
    return new Response(`pid=${process.pid}`);
  },
});
