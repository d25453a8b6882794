// Attachments. The clients hand out Buffers, or ArrayBuffers from where they have none: what counts is the bytes.
import assert from 'node:assert/strict';
import { ADMIN_TOKEN } from '../server.mjs';

const bytes = (...values) => Buffer.from(values);
const large = Buffer.from(Array.from({ length: 200_000 }, (_, index) => (index * 7) % 256));

// With every attachment written as its bytes.
function plain(value) {
  if (value instanceof ArrayBuffer || ArrayBuffer.isView(value)) return `bytes ${Buffer.from(value.buffer ?? value, value.byteOffset ?? 0, value.byteLength).toString('hex')}`;
  if (Array.isArray(value)) return value.map(plain);
  if (value && typeof value === 'object') return Object.fromEntries(Object.entries(value).map(([key, member]) => [key, plain(member)]));
  return value;
}

async function expectBytes(client, ...expected) {
  const { data, ack } = await client.next();
  assert.deepEqual(plain(data), plain(expected));
  assert.equal(ack, null, 'an ack is asked for');
}

const VALUES = [
  bytes(1, 2, 3), bytes(), bytes(0, 255, 30, 4), { file: bytes(9), name: '€' }, [bytes(1), [bytes(2), { deep: bytes(3) }]],
];

export const scenarios = [
  ['attachments come back', async (scene) => {
    const client = await scene.join();
    for (const value of VALUES) {
      client.emit('echo', value);
      await expectBytes(client, 'echo', value);
    }
    client.emit('echo', ...VALUES, 'and text');
    await expectBytes(client, 'echo', ...VALUES, 'and text');
  }],

  ['attachments in other clothes', async (scene) => {
    const client = await scene.join();
    client.emit('echo', new Uint8Array([5, 6, 7]).buffer);
    await expectBytes(client, 'echo', bytes(5, 6, 7));
  }],

  ['attachments of a client that has no binary messages', async (scene) => {
    const client = await scene.join({ forceBase64: true });
    for (const value of VALUES) assert.deepEqual(plain(await client.call('echo', value)), plain([value]));
    await client.settled();
    for (const value of VALUES) assert.deepEqual(plain(await client.call('echo', value)), plain([value]));
  }],

  ['attachment of 200 kB', async (scene) => {
    const client = await scene.join();
    client.emit('echo', large);
    const { data } = await client.next();
    assert.equal(data.length, 2);
    // Not `equal`: its diff of 200 kB would help nobody.
    assert.ok(large.equals(Buffer.from(data[1])), 'the attachment comes back changed');
  }],

  ['attachments in acks, both ways', async (scene) => {
    const client = await scene.join();
    assert.deepEqual(plain(await client.call('echo', bytes(1), 'a', { b: bytes(2) })), plain([bytes(1), 'a', { b: bytes(2) }]));
    client.emit('ask', bytes(3));
    const question = await client.next();
    assert.deepEqual(plain(question.data), plain(['question', bytes(3)]));
    question.ack(bytes(4), { c: bytes(5) });
    await expectBytes(client, 'answered', bytes(4), { c: bytes(5) });
  }],

  ['text and attachments in a burst, in order', async (scene) => {
    const client = await scene.join();
    for (let number = 0; number < 60; number += 1) {
      if (number % 3 === 0) client.emit('echo', number, bytes(number), bytes());
      else client.emit('echo', number);
    }
    for (let number = 0; number < 60; number += 1) {
      if (number % 3 === 0) await expectBytes(client, 'echo', number, bytes(number), bytes());
      else await client.expect('echo', number);
    }
  }],

  ['attachments in a namespace', async (scene) => {
    const main = await scene.join();
    const admin = scene.beside(main, '/admin', { token: ADMIN_TOKEN });
    await admin.connected();
    admin.emit('echo', bytes(1));
    await expectBytes(admin, 'echo', bytes(1));
    assert.deepEqual(plain(await admin.call('echo', bytes(2))), plain([bytes(2)]));
  }],

  ['attachments reach other clients', async (scene) => {
    const [a, b] = [await scene.join(), await scene.join()];
    assert.deepEqual(await b.call('subscribe', 'files'), [{ ok: true }]);
    assert.deepEqual(await a.call('publish', 'files', 'file', bytes(1, 2), 'x', bytes(3)), [{ ok: true, receivers: 1 }]);
    await expectBytes(b, 'file', bytes(1, 2), 'x', bytes(3));
  }],
];
