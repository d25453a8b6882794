import assert from 'node:assert/strict';

const VALUES = ['€ 😀 "\\', true, null, -0.5, 2 ** 53, [], {}, [[1], { a: [null] }], ''];

export const scenarios = [
  ['ack from the server', async (scene) => {
    const client = await scene.join();
    for (const value of VALUES) assert.deepEqual(await client.call('echo', value), [value]);
    assert.deepEqual(await client.call('echo', ...VALUES), VALUES);
    assert.deepEqual(await client.call('echo'), []);
  }],

  ['100 acks at once, each to its own event', async (scene) => {
    const client = await scene.join();
    const numbers = Array.from({ length: 100 }, (_, index) => index);
    const answers = await Promise.all(numbers.map((number) => client.call('echo', number)));
    assert.deepEqual(answers, numbers.map((number) => [number]));
  }],

  ['unknown event', async (scene) => {
    const client = await scene.join();
    assert.deepEqual(await client.call('no such event', 1), [{ ok: false, error: 'unknown event' }]);
    client.emit('no such event', 1);
    client.emit('echo', 'still here');
    await client.expect('echo', 'still here');
  }],

  ['ack from the client', async (scene) => {
    const client = await scene.join();
    for (const answer of [VALUES, ['yes', { n: 1 }], []]) {
      client.emit('ask', 'are you there?', { n: [1] });
      const question = await client.next();
      assert.deepEqual(question.data, ['question', 'are you there?', { n: [1] }]);
      assert.ok(question.ack, 'the server asks for an ack');
      question.ack(...answer);
      await client.expect('answered', ...answer);
    }
  }],

  ['two questions answered in the other order', async (scene) => {
    const client = await scene.join();
    client.emit('ask', 1);
    client.emit('ask', 2);
    const first = await client.next();
    const second = await client.next();
    assert.deepEqual([first.data, second.data], [['question', 1], ['question', 2]]);
    second.ack('to 2');
    await client.expect('answered', 'to 2');
    first.ack('to 1');
    await client.expect('answered', 'to 1');
  }],

  ['question that is not answered', async (scene) => {
    const client = await scene.join();
    const asked = performance.now();
    client.emit('ask');
    const question = await client.next();
    assert.deepEqual(question.data, ['question']);
    await client.expect('unanswered');
    const waited = performance.now() - asked;
    assert.ok(waited >= 1900, `given up after ${waited} ms instead of 2 s`);
    question.ack('too late');
    client.emit('echo', 'after the late ack');
    await client.expect('echo', 'after the late ack');
  }],
];
