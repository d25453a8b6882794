// The same application with the official server. `node node.cjs FOLDER-WITH-MODULES`.
const { createServer } = require('node:http');
const { createRequire } = require('node:module');
const { join } = require('node:path');

const { Server } = createRequire(join(process.argv[2], 'package.json'))('socket.io');

const http = createServer();
const io = new Server(http, { serveClient: false, pingInterval: 300_000 });
io.on('connection', (socket) => {
  socket.join('all');
  socket.on('say', (nth, text) => io.to('all').emit('say', nth, text));
  socket.on('echo', (text, reply) => reply(text));
});
http.listen({ port: 0, host: '127.0.0.1', backlog: 4096 }, () => {
  console.log(`listening on 127.0.0.1:${http.address().port}`);
});
