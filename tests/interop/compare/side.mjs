// One case against one of the two servers: the connections that it opens, and what it notes of the answers.
import { HttpConnection, requestBytes } from './http.mjs';
import { Polling } from './polling.mjs';
import { Socket } from './socket.mjs';

// What else a response carries is the server's own (Date, Keep-Alive), or says in another way where the body ends.
const HEADERS = /^(content-type|cache-control|content-encoding|set-cookie|vary|allow|location|upgrade|access-control-.*|sec-websocket-(version|protocol|extensions)|x-.*)$/;
const SESSION = /"(sid|pid)":"([^"]+)"/g;
const LONGEST = 200;

export class Side {
  notes = new Map();
  #open = [];
  #ids = [];

  constructor(server, profile) {
    this.port = server.port;
    this.revision = profile.revision;
    this.options = profile.options;
    // Headers that differ for every response of a profile stand in a profile of their own.
    this.unseen = profile.unseen ?? /^$/;
  }

  // A fact about the server. The two servers must agree on all facts of a case.
  note(label, value) {
    let name = label;
    for (let times = 2; this.notes.has(name); times += 1) name = `${label} #${times}`;
    this.notes.set(name, this.normal(String(value)));
  }

  // Ids are numbered as they come: by themselves they are random.
  normal(text) {
    for (const [, , id] of text.matchAll(SESSION)) this.learn(id);
    let normal = text;
    this.#ids.forEach((id, index) => { normal = normal.replaceAll(id, `<id ${index + 1}>`); });
    normal = normal.replace(/[^\x20-\x7e€-😀]/gu, (character) => `\\u{${character.codePointAt(0).toString(16)}}`);
    return normal.length <= LONGEST ? normal : `${normal.slice(0, LONGEST)}… (${normal.length} characters)`;
  }

  learn(id) {
    if (!this.#ids.includes(id)) this.#ids.push(id);
  }

  path(transport, sid = null, extra = '') {
    return `/socket.io/?EIO=${this.revision}&transport=${transport}${sid ? `&sid=${sid}` : ''}${extra}`;
  }

  // --- HTTP ---

  async connection() {
    const connection = await HttpConnection.open(this.port);
    this.#open.push(() => connection.close());
    return connection;
  }

  // A request that is on its way, on a connection of its own.
  async ask(request) {
    const connection = await this.connection();
    connection.write(requestBytes(request), request.method ?? 'GET');
    return connection;
  }

  // Returns when all that was sent before is answered, or waits: both servers take connections in the order in which they
  // are ready, so that requests behind are answered later. There are two, as an answer may be given a turn later than it
  // is decided.
  async fence() {
    for (let times = 0; times < 2; times += 1) await this.request(null, { path: '/fence' });
  }

  async request(label, request) {
    const connection = await this.ask(request);
    return this.response(label, connection);
  }

  async response(label, connection) {
    const response = await connection.response();
    if (label) this.describe(label, response);
    return response;
  }

  describe(label, response) {
    if (!response) return this.note(label, 'none, connection ended');
    const headers = [...response.headers].sort().filter(([name]) => HEADERS.test(name) && !this.unseen.test(name));
    return this.note(label, [response.status, ...headers.map(([name, values]) => `${name}: ${values}`), response.body].join('; '));
  }

  async polling(extra, headers) {
    return Polling.open(this, extra, headers);
  }

  // A polling session that has joined the main namespace.
  async joined(extra, headers) {
    const session = await this.polling(extra, headers);
    await session.join();
    return session;
  }

  // --- WebSocket ---

  // Opens one, and notes how that went if it has a label.
  async socket(label, { sid = null, extra = '', path = this.path('websocket', sid, extra), headers } = {}) {
    const socket = new Socket(this.port, path, headers);
    this.#open.push(() => socket.destroy());
    await socket.opened;
    if (label) {
      if (socket.refusal) this.describe(label, socket.refusal);
      else this.note(label, socket.end === 'open' || socket.end.startsWith('close') ? 101 : 'none, connection ended');
    }
    return socket;
  }

  // A session that began on WebSocket.
  async session(extra = '') {
    const socket = await this.socket(null, { extra });
    if (socket.refusal) throw new Error(`refused: ${socket.refusal.body}`);
    socket.opening = await socket.next();
    socket.sid = JSON.parse(socket.opening.slice(1)).sid;
    this.learn(socket.sid);
    if (this.revision === 3) this.#expect(await socket.next(), '40');
    return socket;
  }

  // One that has joined the main namespace.
  async member(extra) {
    const socket = await this.session(extra);
    if (this.revision === 4) {
      socket.send('40');
      const answer = await socket.next();
      this.#expect(answer.slice(0, 3), '40{');
      this.normal(answer);
    }
    return socket;
  }

  // What the server has answered by now, and whether the connection still stands.
  async settled(label, socket) {
    this.note(label, [...await socket.settled(), socket.end].join('  '));
  }

  async ended(label, socket) {
    this.note(label, [...await socket.ended(), socket.end].join('  '));
  }

  // --- sessions ---

  // What came of a case, and where its session is then.
  async outcome(label, text, sid) {
    this.note(label, `${text}; session ${await this.#whereabouts(sid)}`);
  }

  // Where a session is now: it is not changed by the question.
  async where(label, sid) {
    this.note(label, await this.#whereabouts(sid));
  }

  async #whereabouts(sid) {
    const harmless = this.revision === 4 ? '6' : '1:6';
    const response = await this.request(null, {
      method: 'POST', path: this.path('polling', sid), headers: { 'Content-Type': 'text/plain;charset=UTF-8' }, body: harmless,
    });
    const found = `${response?.status} ${response?.body}`;
    const known = { '200 ok': 'alive', '400 {"code":1,"message":"Session ID unknown"}': 'gone', '400 {"code":3,"message":"Bad request"}': 'on WebSocket' };
    return known[found] ?? found;
  }

  // The same for what happens only when the server notices that a connection has ended.
  async gone(label, sid) {
    const limit = performance.now() + 8000;
    let found;
    do {
      await new Promise((resolve) => { setTimeout(resolve, 20); });
      found = await this.#whereabouts(sid);
    } while (found !== 'gone' && performance.now() < limit);
    this.note(label, found);
  }

  finish() {
    for (const close of this.#open) close();
  }

  #expect(found, expected) {
    if (found !== expected) throw new Error(`expected ${expected}, got ${found}`);
  }
}
