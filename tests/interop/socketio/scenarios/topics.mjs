// That somebody does *not* receive an event is shown by what that client receives next: a marker sent after it.
import assert from 'node:assert/strict';

const OK = [{ ok: true }];
const received = (receivers) => [{ ok: true, receivers }];

export const scenarios = [
  ['publish reaches the other subscribers only', async (scene) => {
    const [a, b, c] = [await scene.join(), await scene.join(), await scene.join()];
    for (const client of [a, b]) assert.deepEqual(await client.call('subscribe', 'news'), OK);
    assert.deepEqual(await c.call('subscribe', 'markers'), OK);

    assert.deepEqual(await a.call('publish', 'news', 'flash', 1, { '€': [true] }), received(1));
    await b.expect('flash', 1, { '€': [true] });

    // Not the sender: what comes first is the next one, from b.
    assert.deepEqual(await b.call('publish', 'news', 'from b'), received(1));
    await a.expect('from b');
    // Not the stranger: what comes first is the marker.
    assert.deepEqual(await a.call('publish', 'markers', 'marker'), received(1));
    await c.expect('marker');
  }],

  ['publish from outside reaches every subscriber', async (scene) => {
    const [a, b, c] = [await scene.join(), await scene.join(), await scene.join()];
    for (const client of [a, b]) assert.deepEqual(await client.call('subscribe', 'outside'), OK);
    assert.deepEqual(await c.call('publish', 'outside', 'hello', null), received(2));
    for (const client of [a, b]) await client.expect('hello', null);
    assert.deepEqual(await c.call('publish', 'nobody listens', 'hello'), received(0));
  }],

  ['unsubscribe', async (scene) => {
    const [a, b] = [await scene.join(), await scene.join()];
    for (const topic of ['left', 'kept']) assert.deepEqual(await b.call('subscribe', topic), OK);
    assert.deepEqual(await a.call('publish', 'left', 'before'), received(1));
    await b.expect('before');
    assert.deepEqual(await b.call('unsubscribe', 'left'), OK);
    assert.deepEqual(await a.call('publish', 'left', 'after'), received(0));
    assert.deepEqual(await a.call('publish', 'kept', 'marker'), received(1));
    await b.expect('marker');
  }],

  ['a subscriber that disconnects no longer counts', async (scene) => {
    const [a, b, c] = [await scene.join(), await scene.join(), await scene.join()];
    for (const client of [b, c]) assert.deepEqual(await client.call('subscribe', 'shrinking'), OK);
    await c.disconnect();
    // Its DISCONNECT travels on another connection than the events below, and may be read after some of them.
    const answers = [];
    for (let attempt = 0; attempt < 100 && answers.at(-1) !== 1; attempt += 1) {
      const [{ receivers }] = await a.call('publish', 'shrinking', 'who is left?');
      answers.push(receivers);
      await b.expect('who is left?');
    }
    assert.equal(answers.at(-1), 1, `receivers: ${answers}`);
  }],
];
