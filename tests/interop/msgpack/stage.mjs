// The clients of one scenario. What happens to a socket waits in a queue until the scenario asks for it.
import assert from 'node:assert/strict';
import { within } from './server.mjs';

export class Stage {
  #sockets = [];

  constructor(kind) {
    Object.assign(this, kind);
  }

  open(namespace = '/', fields = null) {
    const { parser, transports } = this;
    const credentials = this.protocol === 4 ? { query: new URLSearchParams(fields ?? {}).toString() } : { auth: fields ?? {} };
    const socket = this.io(this.url + namespace, { parser, transports, forceNew: true, reconnection: false, ...credentials });
    this.#sockets.push(socket);
    return new Player(socket, this.protocol);
  }

  async join() {
    const player = this.open();
    await player.next('connect');
    const [{ sid }] = await player.next('welcome');
    assert.equal(typeof sid, 'string');
    return player;
  }

  end() {
    for (const socket of this.#sockets) socket.disconnect();
  }
}

export class Player {
  #waiting = [];
  #happened = [];

  constructor(socket, protocol) {
    this.socket = socket;
    const names = ['connect', 'disconnect', 'welcome', 'echo', 'answered', 'presence', 'said', 'news', 'pong'];
    for (const name of [...names, protocol === 4 ? 'error' : 'connect_error']) {
      socket.on(name, (...data) => this.#push([name, data]));
    }
    socket.on('question', (...data) => {
      const answer = data.pop();
      answer(...data, 'answer');
    });
  }

  // The arguments of what happens next, which must have this name.
  async next(name) {
    const next = this.#happened.shift() ?? (await within(new Promise((resolve) => this.#waiting.push(resolve)), name));
    assert.equal(next[0], name, `${JSON.stringify(next).slice(0, 300)} instead of ${name}`);
    return next[1];
  }

  async call(...data) {
    const answer = new Promise((resolve) => this.socket.emit(...data, (...args) => resolve(args)));
    const bounded = within(answer, `the ack of ${data[0]}`);
    bounded.catch(() => {});
    return bounded;
  }

  #push(event) {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(event);
    else this.#happened.push(event);
  }
}
