// What every client does in every mode.
import assert from 'node:assert/strict';
import { within } from '../socketio/within.mjs';

const LONG = 'a long one €'.repeat(10_000);
const ALL_BYTES = Buffer.from(Array.from({ length: 256 }, (_, byte) => byte));

// A client and what it heard, in order.
class Ear {
  heard = [];
  #waiting = [];

  constructor({ Socket, transports, url }) {
    this.socket = new Socket(url, transports ? { transports } : {});
    this.opened = new Promise((resolve) => { this.socket.once('open', resolve); });
    this.upgraded = new Promise((resolve) => { this.socket.once('upgrade', resolve); });
    this.closed = new Promise((resolve) => { this.socket.once('close', (reason) => resolve(reason)); });
    this.failed = new Promise((_, reject) => { this.socket.once('error', reject); });
    this.failed.catch(() => {});
    this.socket.on('message', (data) => {
      // Clients of revision 3 give nothing for an empty text.
      this.heard.push(typeof data === 'string' || data === undefined ? data ?? '' : Buffer.from(data));
      this.#waiting.splice(0).forEach((again) => again());
    });
  }

  wait(promise, awaited) {
    return within(Promise.race([promise, this.failed]), awaited);
  }

  // Takes the next messages, which must be these.
  async hears(...expected) {
    while (this.heard.length < expected.length) {
      await this.wait(new Promise((resolve) => this.#waiting.push(resolve)), `message ${this.heard.length + 1} of ${expected.length}`);
    }
    assert.deepEqual(this.heard.splice(0, expected.length), expected);
  }
}

async function opened(kind) {
  const ear = new Ear(kind);
  await ear.wait(ear.opened, 'an open session');
  return ear;
}

async function unknown(url, sid, revision) {
  const response = await fetch(`${url.replace('ws', 'http')}/engine.io/?EIO=${revision}&transport=polling&sid=${sid}`);
  return [response.status, await response.text()];
}

export const scenarios = [
  ['texts come back', async (kind) => {
    const ear = await opened(kind);
    for (const text of ['hello', '', '2probe', '40', '€😀\u2028', LONG]) ear.socket.send(text);
    await ear.hears('hello', '', '2probe', '40', '€😀\u2028', LONG);
    return ear;
  }],
  ['bytes come back', async (kind) => {
    const ear = await opened(kind);
    ear.socket.send(ALL_BYTES);
    ear.socket.send('between');
    ear.socket.send(Buffer.from(LONG));
    await ear.hears(ALL_BYTES, 'between', Buffer.from(LONG));
    return ear;
  }],
  ['nothing is lost, repeated or reordered while the transport changes', async (kind) => {
    const ear = new Ear(kind);
    const numbers = Array.from({ length: 500 }, (_, number) => String(number));
    const timed = (async () => {
      await ear.wait(ear.opened, 'an open session');
      for (const number of numbers) {
        ear.socket.send(number);
        if (number % 10 === 9) await new Promise((resolve) => setTimeout(resolve, 1));
      }
    })();
    if (!kind.transports) await ear.wait(ear.upgraded, 'the upgrade');
    await timed;
    await ear.hears(...numbers);
    assert.equal(ear.socket.transport.name, kind.transports?.[0] ?? 'websocket');
    return ear;
  }],
  ['the heartbeat goes on', async (kind) => {
    const ear = await opened(kind);
    // In revision 4 it is the server that asks.
    const beat = kind.revision === 4 ? 'ping' : 'pong';
    let beats = 0;
    await ear.wait(new Promise((resolve) => {
      ear.socket.on('packet', ({ type }) => {
        beats += type === beat;
        if (beats === 3) resolve();
      });
    }), `3 of ${beat}`);
    assert.equal(ear.socket.readyState, 'open');
    ear.socket.send('still here');
    await ear.hears('still here');
    return ear;
  }],
  ['a session that its client closed is gone', async (kind) => {
    const ear = await opened(kind);
    ear.socket.send('last');
    await ear.hears('last');
    const { id } = ear.socket;
    ear.socket.close();
    assert.match(await ear.wait(ear.closed, 'the end'), /^forced close$/);
    const gone = [400, '{"code":1,"message":"Session ID unknown"}'];
    // It goes on its way when the client has said so already.
    for (let tries = 0; ; tries += 1) {
      const answer = await unknown(kind.url, id, kind.revision);
      if (tries === 100 || answer[1] === gone[1]) {
        assert.deepEqual(answer, gone);
        return ear;
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }],
  ['everybody hears their own', async (kind) => {
    const ears = await Promise.all(Array.from({ length: 5 }, () => opened(kind)));
    ears.forEach((ear, nth) => ear.socket.send(`of ${nth}`));
    await Promise.all(ears.map((ear, nth) => ear.hears(`of ${nth}`)));
    ears.slice(1).forEach((ear) => ear.socket.close());
    assert.deepEqual(ears.map((ear) => ear.heard), [[], [], [], [], []]);
    return ears[0];
  }],
];
