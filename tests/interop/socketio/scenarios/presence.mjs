import assert from 'node:assert/strict';
import { Room } from '../room.mjs';
import { GRACE_SECONDS } from '../server.mjs';

async function enter(client, name, room) {
  assert.deepEqual(await client.call('enter', { name, room }), [{ ok: true, user: name, room }]);
  return Room.of(client, room);
}

export const scenarios = [
  ['snapshot and diffs make the member list', async (scene) => {
    const [a, b, c] = [await scene.join(), await scene.join(), await scene.join()];
    const seenByFirst = await enter(a, 'first', 'list');
    assert.deepEqual(seenByFirst.list, [['first', 'live']]);
    const seenBySecond = await enter(b, 'second', 'list');
    assert.deepEqual(seenBySecond.list, [['first', 'live'], ['second', 'live']]);
    await seenByFirst.expect('second', 'arrived');
    const seenByThird = await enter(c, 'third', 'list');
    for (const seen of [seenByFirst, seenBySecond]) await seen.expect('third', 'arrived');

    assert.deepEqual(await b.call('leave'), [{ ok: true }]);
    for (const seen of [seenByFirst, seenByThird]) await seen.expect('second', 'left');
    await c.disconnect();
    // At once `left`, never `away`.
    await seenByFirst.expect('third', 'left');
    assert.deepEqual(seenByFirst.list, [['first', 'live']]);
  }],

  ['entering another room leaves the one before', async (scene) => {
    const [a, b] = [await scene.join(), await scene.join()];
    const seenByStayer = await enter(a, 'stayer', 'first');
    await enter(b, 'mover', 'first');
    await seenByStayer.expect('mover', 'arrived');
    const second = await enter(b, 'mover', 'second');
    assert.deepEqual(second.list, [['mover', 'live']]);
    await seenByStayer.expect('mover', 'left');
    assert.deepEqual(seenByStayer.list, [['stayer', 'live']]);
  }],

  ...[
    ['cut', (client) => client.cut(), (client) => client.lost()],
    ['closed', (client) => client.closeTransport(), (client) => client.disconnected('forced close')],
  ].map(([how, end, noticed]) => [`away, then left, after the transport is ${how}`, async (scene) => {
    const [a, b] = [await scene.join(), await scene.joinForLong()];
    const [watcher, lost, room] = [`watcher ${how}`, `lost ${how}`, `room ${how}`];
    const seen = await enter(a, watcher, room);
    await enter(b, lost, room);
    await seen.expect(lost, 'arrived');

    const ended = performance.now();
    await end(b);
    await noticed(b);
    if (scene.mode === 'polling' && how === 'closed') {
      // The close packet says that the client means to leave.
      await seen.expect(lost, 'left');
      return;
    }
    await seen.expect(lost, 'away');
    assert.deepEqual(seen.list, [[lost, 'away'], [watcher, 'live']].sort());
    assert.deepEqual(
      await a.call('whisper', { to: lost, text: 'where are you?' }),
      [{ ok: false, error: `${lost} is away` }],
    );
    const rival = await scene.join();
    assert.deepEqual(
      await rival.call('enter', { name: lost, room }),
      [{ ok: false, error: 'name is taken' }],
    );
    await seen.expect(lost, 'left');
    const seconds = (performance.now() - ended) / 1000;
    assert.ok(seconds >= GRACE_SECONDS * 0.95, `left after ${seconds} s, within the grace`);
    assert.deepEqual(seen.list, [[watcher, 'live']]);
    await enter(rival, lost, room);
    await seen.expect(lost, 'arrived');
  }]),
];
