// Connection state recovery, with a server that was started for it: a client comes back by itself, and gets what it has missed.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { GRACE_SECONDS } from '../server.mjs';

const OK = [{ ok: true }];

// Two who have subscribed to a topic, and nothing under way to either.
async function pair(scene, topic, options) {
  const speaker = await scene.joinForLong();
  const actor = await scene.joinForLong(options);
  for (const client of [speaker, actor]) assert.deepEqual(await client.call('subscribe', topic), OK);
  return { speaker, actor };
}

async function publish(speaker, receivers, ...event) {
  assert.deepEqual(await speaker.call('publish', ...event), [{ ok: true, receivers }]);
}

async function lose(actor) {
  await actor.settled();
  await actor.cut();
  await actor.lost();
}

async function comeBack(actor) {
  actor.socket.connect();
  await actor.connected();
}

// The server noticed, and counts nobody for a receiver.
async function untilAway(speaker, topic) {
  for (;;) {
    const [{ receivers }] = await speaker.call('publish', topic, 'sounding');
    if (receivers === 0) return;
    await sleep(20);
  }
}

async function expectRecovered(actor, sid, missed) {
  assert.equal(actor.socket.recovered, true);
  assert.equal(actor.socket.id, sid);
  for (const event of missed) {
    let next;
    // What was said to find out whether it is away counts for nothing.
    do next = await actor.next(); while (next.data[0] === 'sounding');
    assert.deepEqual(next.data, event);
  }
}

async function expectNew(actor, sid) {
  assert.equal(actor.socket.recovered, false);
  assert.notEqual(actor.socket.id, sid);
  assert.equal((await actor.welcomed()).resumed, false);
}

export const scenarios = [
  ['what was missed comes at once and in order', async (scene) => {
    const { speaker, actor } = await pair(scene, 'news');
    const { id } = actor.socket;
    await publish(speaker, 1, 'news', 'before', 0);
    await actor.expect('before', 0);
    for (const round of [1, 2]) {
      await lose(actor);
      await untilAway(speaker, 'news');
      const missed = [
        ['text', 'grüße 😀', round],
        ['none'],
        ['all', true, null, 1.5, { list: [1, 'two'] }],
        ['binary', Buffer.from([0, 1, 2, 255]), { more: Buffer.from('more') }],
        ['last', 'a string'],
      ];
      for (const event of missed) await publish(speaker, 0, 'news', ...event);
      await comeBack(actor);
      await expectRecovered(actor, id, missed);
      assert.equal((await actor.welcomed()).resumed, true);
      // In its rooms again.
      await publish(speaker, 1, 'news', 'after', round);
      await actor.expect('after', round);
    }
  }],

  ['who missed nothing is recovered too', async (scene) => {
    const { actor } = await pair(scene, 'silence');
    const { id } = actor.socket;
    await lose(actor);
    await comeBack(actor);
    await expectRecovered(actor, id, []);
    assert.equal((await actor.welcomed()).resumed, true);
  }],

  ['a private message waits for who is away', async (scene) => {
    const speaker = await scene.joinForLong();
    const actor = await scene.joinForLong();
    const room = 'waiting';
    for (const [client, name] of [[speaker, 'who speaks'], [actor, 'who is away']]) {
      assert.deepEqual(await client.call('enter', { name, room }), [{ ok: true, user: name, room }]);
    }
    const { id } = actor.socket;
    await lose(actor);
    const whispered = { to: 'who is away', text: 'come back' };
    assert.deepEqual(await speaker.call('whisper', whispered), [{ ok: true, devices: 1 }]);
    await comeBack(actor);
    await expectRecovered(actor, id, [['whispered', { from: 'who speaks', ...whispered }]]);
    assert.deepEqual({ ...await actor.welcomed(), token: null }, { sid: id, token: null, resumed: true, user: 'who is away', room });
  }],

  ['by itself, when the client reconnects', async (scene) => {
    const { speaker, actor } = await pair(scene, 'reconnect', { reconnection: true, reconnectionDelay: 300, randomizationFactor: 0 });
    const { id } = actor.socket;
    await lose(actor);
    await untilAway(speaker, 'reconnect');
    await publish(speaker, 0, 'reconnect', 'meanwhile', 1);
    await actor.reconnected();
    await expectRecovered(actor, id, [['meanwhile', 1]]);
    assert.equal((await actor.welcomed()).resumed, true);
  }],

  ['who left on purpose is new', async (scene) => {
    const { actor } = await pair(scene, 'purpose');
    const { id } = actor.socket;
    await actor.disconnect();
    await actor.transportClosed();
    await comeBack(actor);
    await expectNew(actor, id);
  }],

  ['who comes too late is new', async (scene) => {
    const { actor } = await pair(scene, 'late');
    const { id } = actor.socket;
    await lose(actor);
    await sleep(GRACE_SECONDS * 1000 + 700);
    await comeBack(actor);
    await expectNew(actor, id);
  }],

  ['to a server that was restarted everybody is new, and can be recovered there', async (scene) => {
    const actor = await scene.joinForLong();
    const { id } = actor.socket;
    await scene.server.kill();
    await actor.disconnectReason();
    await scene.server.revive();
    await comeBack(actor);
    await expectNew(actor, id);
    await actor.settled();
    const { id: again } = actor.socket;
    await lose(actor);
    await comeBack(actor);
    await expectRecovered(actor, again, []);
    await actor.welcomed();
  }],
];
