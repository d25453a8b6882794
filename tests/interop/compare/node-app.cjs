// The application of the comparison on the official servers, revision 2.x or 4.x; README.md has the contract.
const { createServer } = require('node:http');
const { createRequire } = require('node:module');

const options = JSON.parse(process.argv[2]);
const modules = createRequire(`${process.env.ROOMWIRE_COMPARE_MODULES}/package.json`);
const two = options.server === 2;
const TOKEN = 'secret';

const http = createServer((request, response) => {
  response.writeHead(404, { 'Content-Type': 'text/plain' });
  response.end('not here');
});

const settings = { serveClient: false, allowEIO3: options.allowEio3 };
const names = {
  pingInterval: 'pingInterval', pingTimeout: 'pingTimeout', upgradeTimeout: 'upgradeTimeout',
  connectTimeout: 'connectTimeout', maxPayload: 'maxHttpBufferSize', cookie: 'cookie', cors: 'cors', origins: 'origins',
};
for (const [name, own] of Object.entries(names)) if (name in options) settings[own] = options[name];
if (!two && settings.cookie) settings.cookie = { name: settings.cookie };
if (options.recovery) settings.connectionStateRecovery = {};
const io = two ? modules('server-2')(http, settings) : new (modules('server-4').Server)(http, settings);

function admit(socket, next) {
  const { auth, query } = socket.handshake;
  const token = two ? query.token : auth.token;
  if (token === TOKEN) return next();
  const error = new Error('not authorized');
  error.data = { code: 401 };
  return next(error);
}

function serve(namespace) {
  namespace.on('connection', (socket) => {
    const ackOf = (args) => (typeof args.at(-1) === 'function' ? args.pop() : null);
    socket.on('echo', (...args) => {
      const ack = ackOf(args);
      if (ack) ack(...args);
      else socket.emit('echo', ...args);
    });
    socket.on('auth', (...args) => ackOf(args)?.(two ? {} : socket.handshake.auth));
    socket.on('ask', (...args) => {
      ackOf(args);
      socket.emit('question', ...args, (...answer) => socket.emit('answered', ...answer));
    });
    socket.on('burst', (count) => {
      for (let number = 0; number < count; number += 1) socket.emit('item', number);
    });
    socket.on('all', (...args) => {
      ackOf(args);
      io.of('/').emit('all', ...args);
    });
    socket.on('leave', () => socket.disconnect());
    socket.on('close', () => socket.disconnect(true));
    // Without a listener, a packet that cannot be parsed ends the process.
    socket.on('error', () => {});
  });
}

serve(io.of('/'));
serve(io.of('/open'));
serve(io.of('/admin').use(admit));

http.listen(0, '127.0.0.1', () => console.log(`listening on 127.0.0.1:${http.address().port}`));
