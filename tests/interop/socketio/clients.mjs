// The clients under test, and the few places where the 2.x clients want to be used otherwise than their successors.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const modules = process.env.ROOMWIRE_SOCKETIO_MODULES;
const load = createRequire(join(modules, 'package.json'));

// Node 20 has no WebSocket of its own; this one stands in for a browser's.
export const WebSocket = load('ws');

// Socket.IO protocol 4 on Engine.IO revision 3.
const protocol4 = {
  protocol: 4,
  credentials: (fields) => ({ query: new URLSearchParams(fields).toString() }),
  refusals: {
    error: (data) => data,
    connect_error: (error) => `unreachable: ${error.message ?? error}`,
  },
  // There is no onAny yet. The client itself appends the ack function to the packet's data.
  everyEvent(socket, receive) {
    const deliver = socket.onevent;
    socket.onevent = function (packet) {
      deliver.call(this, packet);
      receive(packet.data);
    };
  },
  // 2.x keeps "ping" and "pong" for its own local events and would not send them.
  emitAnyName: (socket, data) => socket.packet({ type: 2, data, options: { compress: true } }),
};

// Socket.IO protocol 5 on Engine.IO revision 4.
const protocol5 = {
  protocol: 5,
  credentials: (fields) => ({ auth: fields }),
  refusals: {
    connect_error: (error) => ({ message: error.message, data: error.data }),
  },
  everyEvent: (socket, receive) => socket.onAny((...data) => receive(data)),
  emitAnyName: (socket, data) => socket.emit(...data),
};

// By default a client begins on polling and changes to WebSocket.
const MODES = { default: null, polling: ['polling'], websocket: ['websocket'] };

function official(alias, dialect) {
  const { version } = JSON.parse(readFileSync(join(modules, 'node_modules', alias, 'package.json')));
  return Object.entries(MODES).map(([mode, transports]) => (
    { name: `socket.io-client ${version}, ${mode}`, io: load(alias), mode, transports, ...dialect }
  ));
}

// Those of one version run at the same time, each with a server of its own.
export const clients = [
  official('client-2.0', protocol4),
  official('client-2.5', protocol4),
  official('client-3.1', protocol5),
  official('client-4.0', protocol5),
  official('client-4.8', protocol5),
];

// With a server that keeps what was said, each event that it keeps has its offset behind the arguments, for listeners, too.
const recoverable = {
  ...protocol5,
  everyEvent: (socket, receive) => socket.onAny((...data) => receive(isOffset(data.at(-1)) ? data.slice(0, -1) : data)),
};

function isOffset(value) {
  return typeof value === 'string' && /^[\w-]{6}\d+$/.test(value);
}

export const recovering = official('client-4.8', recoverable)
  .map((client) => ({ ...client, name: `${client.name}, recovery` }));

export const bareWebSocket = { name: 'bare WebSocket, EIO=3', mode: 'websocket' };
export const plainHttp = { name: 'plain HTTP', mode: 'none' };
