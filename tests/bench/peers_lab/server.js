// The Node.js backend of the bench; journal and variables as in backend.c. On SIGTERM it serves on for
// LAB_GRACEFUL_MS, as a server does that lets its clients finish, and then ends. GET /hang/MS blocks it for so long,
// GET /hang/Infinity for ever.
'use strict';
const fs = require('fs');
const http = require('http');

const journal = process.env.LAB_LOG;
const note = (what) => fs.appendFileSync(journal, `${what} ${process.pid} ${process.hrtime.bigint()}\n`);

note('E');
let ending = false;
process.on('SIGTERM', () => {
  if (ending) return;
  ending = true;
  setTimeout(() => process.exit(0), Number(process.env.LAB_GRACEFUL_MS || 0));
});

function hang(ms) {
  const end = Date.now() + ms;
  while (Date.now() < end);
}

http.createServer((request, response) => {
  response.end(`${process.pid}\n`);
  const [, what, ms] = request.url.split('/');
  if (what === 'hang') setImmediate(hang, Number(ms));
})
  .on('error', (error) => {
    if (error.code === 'EADDRINUSE') note('X');
    console.error(error.message);
    process.exit(1);
  })
  .listen(Number(process.env.PORT), '127.0.0.1', () => note('L'));
