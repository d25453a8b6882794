// A token brings a session back, with protocol 5. The 2.x clients have no way to hand one in:
// the same story ends otherwise for them, and is told to its end too.
import assert from 'node:assert/strict';
import { Room } from '../room.mjs';

const entered = (user, room) => [{ ok: true, user, room }];
const TAKEN = [{ ok: false, error: 'name is taken' }];

// Two in a room: one watches what becomes of the other.
async function pair(scene, room) {
  const watcher = await scene.join();
  const name = `watcher of ${room}`;
  assert.deepEqual(await watcher.call('enter', { name, room }), entered(name, room));
  const seen = await Room.of(watcher, room);
  const actor = await scene.join();
  const user = `actor in ${room}`;
  assert.deepEqual(await actor.call('enter', { name: user, room }), entered(user, room));
  await seen.expect(user, 'arrived');
  // Nothing more is under way to it: an answer that is written to a client that is cut off meanwhile counts as delivered.
  await Room.of(actor, room);
  return { watcher, seen, actor, user };
}

async function lose(actor, seen, user) {
  await actor.settled();
  await actor.cut();
  await actor.lost();
  await seen.expect(user, 'away');
}

async function comeBack(client, token) {
  client.socket.auth = { token };
  client.socket.connect();
  await client.connected();
  return client.welcomed();
}

// Answers the new client, which has not said anything yet.
async function joinWith(scene, token) {
  return scene.join({ credentials: { token } });
}

function assertNew(welcome, oldSid) {
  const { sid, token, ...rest } = welcome;
  assert.deepEqual(rest, { resumed: false, user: null, room: null });
  assert.notEqual(sid, oldSid);
}

export const scenarios = [
  ['a lost session comes back by its token', async (scene) => {
    const room = 'resume';
    const { watcher, seen, actor, user } = await pair(scene, room);
    const { sid, token } = actor.welcome;
    await lose(actor, seen, user);
    const welcome = await comeBack(actor, token);
    if (scene.protocol === 4) {
      assertNew(welcome, sid);
      // The lost session holds the name for as long as it might come back.
      assert.deepEqual(await actor.call('enter', { name: user, room }), TAKEN);
      await seen.expect(user, 'left');
      assert.deepEqual(await actor.call('enter', { name: user, room }), entered(user, room));
      await seen.expect(user, 'arrived');
      return;
    }
    assert.notEqual(welcome.token, token);
    assert.deepEqual({ ...welcome, token }, { sid, token, resumed: true, user, room });
    assert.equal(actor.socket.id, sid);
    await seen.expect(user, 'returned');

    // Back in the room, both ways, without a second `enter`.
    assert.deepEqual(await actor.call('say', 'I am back'), [{ ok: true }]);
    for (const client of [watcher, actor]) await client.expect('said', { from: user, room, text: 'I am back' });

    // The next loss is made good by the next token.
    await lose(actor, seen, user);
    const again = await comeBack(actor, welcome.token);
    assert.deepEqual({ ...again, token }, { sid, token, resumed: true, user, room });
    await seen.expect(user, 'returned');
  }],

  ['a spent or unknown token makes a new session', async (scene) => {
    const { seen, actor, user } = await pair(scene, 'spent');
    const { sid, token } = actor.welcome;
    await lose(actor, seen, user);
    await comeBack(actor, token);
    // With its first word on the new connection the client shows that it can know the new token.
    await actor.call('echo', 'back');
    for (const useless of [token, 'no such token', '']) assertNew((await joinWith(scene, useless)).welcome, sid);
    await seen.expect(user, scene.protocol === 4 ? 'left' : 'returned');
  }],

  ['a token of a live session moves it to the new connection', async (scene) => {
    const room = 'moving';
    const { watcher, actor, user } = await pair(scene, room);
    const { sid, token } = actor.welcome;
    const successor = await joinWith(scene, token);
    if (scene.protocol === 4) {
      assertNew(successor.welcome, sid);
      assert.deepEqual(await actor.call('say', 'still me'), [{ ok: true }]);
      for (const client of [watcher, actor]) await client.expect('said', { from: user, room, text: 'still me' });
      return;
    }
    assert.deepEqual({ ...successor.welcome, token }, { sid, token, resumed: true, user, room });
    await actor.disconnectReason();
    assert.deepEqual(await successor.call('say', 'moved'), [{ ok: true }]);
    for (const client of [watcher, successor]) await client.expect('said', { from: user, room, text: 'moved' });
  }],

  ['a token is of no use after an orderly disconnect', async (scene) => {
    const client = await scene.join();
    const { sid, token } = client.welcome;
    await client.disconnect();
    await client.transportClosed();
    assertNew(await comeBack(client, token), sid);
  }],
];
