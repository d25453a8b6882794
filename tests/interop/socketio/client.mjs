// One socket of an official client, with everything that happens to it in queues, so that a scenario reads like a dialogue.
import assert from 'node:assert/strict';
import { Queue } from './queue.mjs';
import { within } from './within.mjs';

const PRESENCE = new Set(['presence', 'presence_diff']);

export class Client {
  #kind;
  #proxy;
  #events = new Queue();
  #presence = new Queue();
  #life = new Queue();
  wire = [];

  constructor(kind, socket, proxy) {
    this.#kind = kind;
    this.#proxy = proxy;
    this.socket = socket;
    socket.on('connect', () => this.#life.push(['connect']));
    socket.on('disconnect', (reason) => this.#life.push(['disconnect', reason]));
    for (const [name, describe] of Object.entries(kind.refusals)) {
      socket.on(name, (error) => this.#life.push(['refused', describe(error)]));
    }
    kind.everyEvent(socket, (data) => this.#receive(data));
    this.#watchTheWire();
  }

  // --- what happened to the connection ---

  async connected() {
    assert.deepEqual(await this.#life.next('connect'), ['connect']);
  }

  // Failed attempts in between are as they should be while there is no server.
  async reconnected() {
    let happened;
    do happened = await this.#life.next('connect'); while (happened[0] === 'refused');
    assert.deepEqual(happened, ['connect']);
  }

  async disconnected(reason) {
    assert.deepEqual(await this.#life.next(`disconnect: ${reason}`), ['disconnect', reason]);
  }

  // Only for what ends in more than one right way.
  async disconnectReason() {
    let [happened, reason] = await this.#life.next('disconnect');
    if (this.#kind.protocol === 4 && happened === 'refused') [happened, reason] = await this.#life.next('disconnect');
    assert.equal(happened, 'disconnect');
    return reason;
  }

  async refused(expected) {
    assert.deepEqual(await this.#life.next('a refusal'), ['refused', expected]);
  }

  // --- events ---

  // The next event, whatever its name: [name, ...args], with `ack` beside if the server asked for one.
  async next() {
    return this.#events.next('an event');
  }

  // The very next event is this one, with these arguments, and asks for no ack.
  async expect(...expected) {
    const { data, ack } = await this.#events.next(JSON.stringify(expected).slice(0, 200));
    assert.deepEqual(data, expected);
    assert.equal(ack, null, 'an ack is asked for');
  }

  async welcomed() {
    const { data } = await this.#events.next('welcome');
    assert.equal(data.length, 2);
    assert.equal(data[0], 'welcome');
    this.welcome = data[1];
    return this.welcome;
  }

  async presence(name) {
    const { data } = await this.#presence.next(name);
    assert.equal(data.length, 2);
    assert.equal(data[0], name);
    return data[1];
  }

  emit(...data) {
    this.socket.emit(...data);
  }

  emitAnyName(...data) {
    this.#kind.emitAnyName(this.socket, data);
  }

  // Emits, and answers the ack's arguments.
  async call(...data) {
    const answer = new Promise((resolve) => this.socket.emit(...data, (...args) => resolve(args)));
    const bounded = within(answer, `the ack of ${JSON.stringify(data).slice(0, 200)}`);
    // A scenario that failed meanwhile no longer asks; that must not end the whole run.
    bounded.catch(() => {});
    return bounded;
  }

  // --- ends ---

  // On the transport that it stays on: by default, a client changes to WebSocket after the first few packets. The server knows
  // it, too: a stream that breaks with something unread is reset, which clients tell in other words. They do so as well when a
  // POST breaks, so that each must be answered: what it said may have come back by the GET before.
  async settled() {
    const { engine } = this.socket.io;
    if (this.#kind.mode === 'default' && engine.transport.name !== 'websocket') {
      await within(new Promise((resolve) => { engine.once('upgrade', resolve); }), 'the upgrade');
    }
    assert.deepEqual(await this.call('echo', 'settled'), ['settled']);
    await this.#written();
  }

  async #written() {
    const { transport } = this.socket.io.engine;
    while (!transport.writable) {
      await within(new Promise((resolve) => { transport.once('drain', resolve); }), 'the end of what is being written');
    }
  }

  // As when a cable is cut: no DISCONNECT packet and no close frame.
  async cut() {
    await this.#written();
    const { engine } = this.socket.io;
    if (engine.transport.name === 'websocket') engine.transport.ws.terminate();
    else await this.#proxy.cut(engine.id);
  }

  async lost() {
    if (this.#kind.mode !== 'polling') return this.disconnected('transport close');
    if (this.#kind.protocol === 4) await this.#failed();
    return this.disconnected('transport error');
  }

  // Clients 2.x tell of a request that failed before they tell that they are disconnected.
  async #failed() {
    const [happened, error] = await this.#life.next('a failed request');
    assert.deepEqual([happened, error.message], ['refused', 'xhr poll error']);
  }

  // As when a page is closed: no DISCONNECT packet. On WebSocket there is a close frame, on polling the close packet of Engine.IO.
  closeTransport() {
    this.socket.io.engine.close();
  }

  async disconnect() {
    this.socket.disconnect();
    await this.disconnected('io client disconnect');
  }

  // Before the same socket connects again: most versions stumble over a transport that is still closing.
  async transportClosed() {
    const { engine } = this.socket.io;
    if (engine.readyState === 'closed') return;
    await within(new Promise((resolve) => engine.once('close', resolve)), 'the transport to close');
  }

  leave() {
    this.socket.io.reconnection(false);
    this.socket.disconnect();
    this.socket.io.engine?.close();
  }

  // --- for the report ---

  get unread() {
    return [...this.#life.rest, ...this.#events.rest.map(({ data }) => data)];
  }

  #receive(data) {
    const withAck = typeof data.at(-1) === 'function';
    const event = { data: withAck ? data.slice(0, -1) : [...data], ack: withAck ? data.at(-1) : null };
    (PRESENCE.has(event.data[0]) ? this.#presence : this.#events).push(event);
  }

  // Each reconnect brings a new engine; its opening packet is read before it can be watched.
  #watchTheWire() {
    const seen = new WeakSet();
    const watch = () => {
      const { engine } = this.socket.io;
      if (seen.has(engine)) return;
      seen.add(engine);
      engine.on('packet', ({ type, data }) => this.wire.push(`S ${type} ${data ?? ''}`));
      engine.on('packetCreate', ({ type, data }) => this.wire.push(`C ${type} ${data ?? ''}`));
      engine.on('close', () => this.wire.push('- closed'));
    };
    watch();
    this.socket.io.on('open', watch);
  }
}
