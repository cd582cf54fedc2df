// Load, for ever: load.js PORT CONNECTIONS [PATH [close]]. Connections are kept alive, or each takes one request.
'use strict';
const net = require('net');
const [port, connections] = process.argv.slice(2, 4).map(Number);
const [path = '/', close] = process.argv.slice(4);
const request = `GET ${path} HTTP/1.1\r\nHost: zoo\r\n${close ? 'Connection: close\r\n' : ''}\r\n`;

function connect() {
  const socket = net.connect(port, '127.0.0.1', () => socket.write(request));
  socket.on('data', () => { if (!close) socket.write(request); });
  socket.on('error', () => {});
  socket.on('close', () => setTimeout(connect, 10));
}

for (let i = 0; i < connections; i++) connect();
