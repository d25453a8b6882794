// What a cable is to a client on long polling: a way to the server that can be cut. A session whose way is cut stays
// unreachable, so that the client cannot say goodbye; the next session finds the way open.
import { connect, createServer } from 'node:net';
import { once } from 'node:events';
import { setTimeout as sleep } from 'node:timers/promises';
import { within } from './within.mjs';

const SETTLED_MS = 100;

export class Proxy {
  #cut = new Set();
  // Each connection with the sessions that it has carried, and whether a GET on it is not answered.
  #ways = new Map();
  #waiting = new Map();

  static async before(server) {
    const proxy = new Proxy();
    proxy.listener = createServer((client) => proxy.#carry(client, server.port));
    proxy.listener.listen(0, '127.0.0.1');
    await once(proxy.listener, 'listening');
    return proxy;
  }

  get url() {
    return `http://127.0.0.1:${this.listener.address().port}`;
  }

  // Cuts the way of a session when it has a GET parked: else its server could not know before the heartbeat is missing. A GET
  // that has just gone out need not have come to more than the HTTP server, which forgets it with its connection.
  async cut(sid) {
    const parked = () => [...this.#ways.values()].some((way) => way.sids.has(sid) && way.parked);
    do {
      if (!parked()) await within(new Promise((resolve) => { this.#waiting.set(sid, resolve); }), 'a GET of the session');
      await sleep(SETTLED_MS);
    } while (!parked());
    this.#cut.add(sid);
    for (const [client, { sids }] of this.#ways) if (sids.has(sid)) client.destroy();
  }

  close() {
    this.listener.close();
    for (const client of this.#ways.keys()) client.destroy();
  }

  #carry(client, port) {
    const way = { sids: new Set(), parked: false };
    this.#ways.set(client, way);
    const server = connect({ port, host: '127.0.0.1' });
    client.on('data', (chunk) => {
      // The clients write the head of a request in one piece.
      const [, method, sid] = /^([A-Z]+) \S*[?&]sid=([^&\s]+)/.exec(chunk.toString('latin1')) ?? [];
      if (this.#cut.has(sid)) {
        client.destroy();
        return;
      }
      server.write(chunk);
      if (!sid) return;
      way.sids.add(sid);
      way.parked = method === 'GET';
      if (way.parked) this.#waiting.get(sid)?.();
    });
    server.on('data', (chunk) => {
      way.parked = false;
      client.write(chunk);
    });
    for (const [one, other] of [[client, server], [server, client]]) {
      one.on('end', () => other.end());
      one.on('error', () => {});
      one.on('close', () => {
        other.destroy();
        this.#ways.delete(client);
      });
    }
  }
}
