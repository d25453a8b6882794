// What every official client does.
import assert from 'node:assert/strict';
import { ADMIN_TOKEN, within } from './server.mjs';

const text = (length) => 'x'.repeat(length);
const list = (length) => Array.from({ length }, (_, index) => index - 3);
const map = (length) => Object.fromEntries(list(length).map((number) => [`key ${number}`, number]));
const bytes = (length) => Buffer.alloc(length, 'roomwire');

// Those come back as they went: each side of every limit between two forms.
const VALUES = [
  null, true, false, {}, [], [[]], { '': '' }, { a: [null, { b: [] }] }, '', '€ 😀', 'a"b\\c\n\0\u2028', '\u{10ffff}',
  ...[7, 8, 16, 31, 32, 53].flatMap((bits) => [2 ** bits - 1, 2 ** bits, -(2 ** bits), -(2 ** bits) - 1].filter(Number.isSafeInteger)),
  0, -1, -32, -33, 0.1, -1.5e-7, 1e21 + 0.5, Number.MAX_VALUE, Number.MIN_VALUE,
  ...[31, 32, 255, 256, 65535, 65536].map(text), ...[15, 16, 65535, 65536].map(list), ...[15, 16, 1000].map(map),
].filter((value) => !(typeof value === 'number' && Number.isInteger(value) && Math.abs(value) > 2 ** 53));
const BINARY = [0, 1, 255, 256, 65535, 65536].map(bytes);

export const scenarios = [
  ['every kind of value, in an ack', async (stage) => {
    const player = await stage.join();
    for (const value of VALUES) assert.deepEqual(await player.call('echo', value), [value]);
    assert.deepEqual(await player.call('echo'), []);
    assert.deepEqual(await player.call('echo', ...VALUES.slice(0, 30)), VALUES.slice(0, 30));
  }],

  ['every kind of value, in an event', async (stage) => {
    const player = await stage.join();
    for (const value of VALUES) player.socket.emit('echo', value);
    for (const value of VALUES) assert.deepEqual(await player.next('echo'), [value]);
  }],

  ['binary data, in acks and events', async (stage) => {
    const player = await stage.join();
    for (const value of BINARY) assert.deepEqual(await player.call('echo', value), [value]);
    const nested = ['before', { deep: [BINARY[1], { deeper: BINARY[3] }] }, BINARY[0], 7];
    assert.deepEqual(await player.call('echo', ...nested), nested);
    player.socket.emit('echo', ...nested);
    assert.deepEqual(await player.next('echo'), nested);
    // What is no Buffer comes back as one.
    const typed = new Uint8Array([1, 2, 3]);
    assert.deepEqual(await player.call('echo', typed, typed.buffer), [Buffer.from(typed), Buffer.from(typed)]);
  }],

  ['what JSON does not know', async (stage) => {
    const player = await stage.join();
    const date = new Date(1763773201007);
    const said = [undefined, NaN, -Infinity, date, { a: undefined, b: 1, c: date }];
    const expected = [null, null, null, date.toJSON(), { b: 1, c: date.toJSON() }];
    assert.deepEqual(await player.call('echo', ...said), expected);
    // A map that looks like the place of an attachment is a map.
    const lookalike = { _placeholder: true, num: 0 };
    assert.deepEqual(await player.call('echo', lookalike), [lookalike]);
  }],

  ['the server asks, and gets an answer with binary data', async (stage) => {
    const player = await stage.join();
    assert.deepEqual(await player.call('ask', BINARY[1], { why: 'because' }), [{ ok: true }]);
    assert.deepEqual(await player.next('answered'), [BINARY[1], { why: 'because' }, 'answer']);
  }],

  ['a topic with two subscribers', async (stage) => {
    const [ann, ben, eve] = [await stage.join(), await stage.join(), await stage.join()];
    for (const player of [ann, ben]) assert.deepEqual(await player.call('subscribe', 'graph'), [{ ok: true }]);
    assert.deepEqual(await eve.call('publish', 'graph', 'news', { x: [1, 2.5] }), [{ ok: true, receivers: 2 }]);
    for (const player of [ann, ben]) assert.deepEqual(await player.next('news'), [{ x: [1, 2.5] }]);
  }],

  ['a room and who is there', async (stage) => {
    const player = await stage.join();
    const [answer] = await player.call('enter', { name: `ann ${Math.random()}`, room: 'den' });
    assert.equal(answer.ok, true);
    const [snapshot] = await player.next('presence');
    assert.equal(snapshot.room, 'den');
  }],

  ['namespaces: accepted, refused, unknown', async (stage) => {
    const admin = stage.open('/admin', { token: ADMIN_TOKEN });
    await admin.next('connect');
    assert.equal((await admin.call('stats'))[0].connections > 0, true);
    const refused = async (player, message, data) => {
      if (stage.protocol === 4) return assert.deepEqual(await player.next('error'), [message]);
      const [error] = await player.next('connect_error');
      assert.deepEqual([error.message, error.data], [message, data]);
    };
    // The data of a refusal are for protocol 5: a client of protocol 4 takes nothing but a string there.
    await refused(stage.open('/admin', { token: 'wrong' }), 'not authorized', { code: 401 });
    await refused(stage.open('/nowhere'), 'Invalid namespace', undefined);
  }],

  ['500 events in a burst, in order', async (stage) => {
    const player = await stage.join();
    for (let number = 0; number < 500; number += 1) player.socket.emit('echo', number, BINARY[number % 3]);
    for (let number = 0; number < 500; number += 1) {
      assert.deepEqual(await player.next('echo'), [number, BINARY[number % 3]]);
    }
  }],

  ['the transport at the end', async (stage) => {
    const player = await stage.join();
    const { engine } = player.socket.io;
    const last = stage.transports.at(-1);
    if (engine.transport.name !== last) {
      await within(new Promise((resolve) => engine.once('upgrade', resolve)), 'the upgrade');
    }
    assert.equal(engine.transport.name, last);
    assert.deepEqual(await player.call('echo', BINARY[3]), [BINARY[3]]);
  }],

  ['the server disconnects, the client disconnects', async (stage) => {
    const player = await stage.join();
    player.socket.emit('bye');
    assert.equal((await player.next('disconnect'))[0], 'io server disconnect');
    const other = await stage.join();
    other.socket.disconnect();
    assert.equal((await other.next('disconnect'))[0], 'io client disconnect');
  }],
];
