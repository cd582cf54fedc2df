// Keep-alive load: load.js PORT CONNECTIONS, for ever.
'use strict';
const net = require('net');
const [port, connections] = process.argv.slice(2).map(Number);
const request = 'GET / HTTP/1.1\r\nHost: zoo\r\n\r\n';
for (let i = 0; i < connections; i++) {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(request));
  socket.on('data', () => socket.write(request));
  socket.on('error', () => {});
}
