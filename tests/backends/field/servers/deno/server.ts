Deno.serve({ hostname: '127.0.0.1', port: Number(Deno.env.get('PORT')) }, (request) => {
  const path = new URL(request.url).pathname;
  if (path === '/block') Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
  if (path === '/spin') for (;;);
  return new Response(`pid=${Deno.pid}`);
});
