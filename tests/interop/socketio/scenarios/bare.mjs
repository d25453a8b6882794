import assert from 'node:assert/strict';
import { ADMIN_TOKEN } from '../server.mjs';
import { RawClient } from '../raw.mjs';

// What the server says unasked: the open packet, the CONNECT of `/`, the welcome.
async function greeted(scene) {
  const client = scene.enlist(new RawClient(scene.server));
  const open = await client.next('the open packet');
  assert.equal(open[0], '0', open);
  client.opening = JSON.parse(open.slice(1));
  await client.expect('40');
  const welcome = await client.next('welcome');
  assert.equal(welcome.slice(0, 2), '42', welcome);
  client.welcome = JSON.parse(welcome.slice(2));
  return client;
}

export const scenarios = [
  ['open packet, 40 and welcome', async (scene) => {
    const { opening, welcome } = await greeted(scene);
    const { sid, upgrades, pingInterval, pingTimeout } = opening;
    assert.match(sid, /^\S{8,}$/);
    assert.deepEqual(upgrades, []);
    assert.ok(Number.isSafeInteger(pingInterval) && pingInterval > 0, JSON.stringify(opening));
    assert.ok(Number.isSafeInteger(pingTimeout) && pingTimeout > 0, JSON.stringify(opening));
    assert.equal(welcome[0], 'welcome');
    assert.equal(welcome.length, 2);
    assert.equal(welcome[1].resumed, false);
  }],

  ['2 is answered with 3', async (scene) => {
    const client = await greeted(scene);
    for (let times = 0; times < 3; times += 1) {
      client.send('2');
      await client.expect('3');
    }
  }],

  ['42["echo",…] comes back', async (scene) => {
    const client = await greeted(scene);
    for (const text of ['42["echo"]', '42["echo","hi"]', '42["echo",1,null,[true],{"a":"€😀"}]']) {
      client.send(text);
      await client.expect(text);
    }
  }],

  ['427["echo",…] is answered with 437[…]', async (scene) => {
    const client = await greeted(scene);
    client.send('427["echo",1,"two"]');
    await client.expect('437[1,"two"]');
    client.send('420["echo"]');
    await client.expect('430[]');
  }],

  ['a question with an ack id, and its answer', async (scene) => {
    const client = await greeted(scene);
    client.send('42["ask","?"]');
    const question = await client.next('the question');
    const [, id] = /^42(\d+)\["question","\?"\]$/.exec(question) ?? assert.fail(question);
    client.send(`43${id}["!"]`);
    await client.expect('42["answered","!"]');
  }],

  ['namespaces', async (scene) => {
    const client = await greeted(scene);
    client.send('40/nope,');
    await client.expect('44/nope,"Invalid namespace"');
    client.send('40/admin,');
    await client.expect('44/admin,{"code":401}');
    client.send(`40/admin?token=${ADMIN_TOKEN},`);
    await client.expect('40/admin,');
    client.send('42/admin,3["echo","in admin"]');
    await client.expect('43/admin,3["in admin"]');
    client.send('41/admin,');
    client.send('42["echo","still in /"]');
    await client.expect('42["echo","still in /"]');
  }],

  ['bye is answered with 41, and the transport stays', async (scene) => {
    const client = await greeted(scene);
    client.send('42["bye"]');
    await client.expect('41');
    client.send('2');
    await client.expect('3');
  }],

  ['goodbye is answered with 41 and a close', async (scene) => {
    const client = await greeted(scene);
    client.send('42["goodbye"]');
    await client.expect('41');
    assert.match(await client.next('the close'), /^closed (1000|1005)$/);
  }],
];
