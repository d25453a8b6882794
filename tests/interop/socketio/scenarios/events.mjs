import assert from 'node:assert/strict';

const VALUES = [
  '', 'plain', '€ 😀', 'line\u2028paragraph\u2029end', 'he said "yes" \\ and \\"no\\" /', '\u0000\b\t\n\r\u001f\u007f',
  ']}",[{', '42["echo"]', 'null', '2',
  true, false, null,
  0, 1, -1, 2 ** 31, -(2 ** 31) - 1, 2 ** 53, -(2 ** 53), 0.1, -1.5e-7, 1e21, Number.MAX_VALUE, Number.MIN_VALUE,
  [], [[]], [1, [2, [3, [null]]]], ['€', { a: [] }],
  {}, { '': '' }, { 'ключ €😀"\\': { deep: [{ deeper: { deepest: null } }, true, -0.5] } },
];

export const scenarios = [
  ['event of every JSON kind', async (scene) => {
    const client = await scene.join();
    for (const value of VALUES) {
      client.emit('echo', value);
      await client.expect('echo', value);
    }
  }],

  ['event without arguments and with many', async (scene) => {
    const client = await scene.join();
    client.emit('echo');
    await client.expect('echo');
    client.emit('echo', ...VALUES);
    await client.expect('echo', ...VALUES);
    const numbers = Array.from({ length: 300 }, (_, index) => index);
    client.emit('echo', ...numbers);
    await client.expect('echo', ...numbers);
  }],

  ['event with a string of 200 kB', async (scene) => {
    const client = await scene.join();
    for (const unit of ['x', '€😀ü"']) {
      const text = unit.repeat(200_000 / Buffer.byteLength(unit));
      client.emit('echo', text);
      const { data } = await client.next();
      assert.equal(data[0], 'echo');
      assert.equal(data.length, 2);
      assert.equal(data[1].length, text.length);
      // Not `equal`: its diff of 200 kB would help nobody.
      assert.ok(data[1] === text, 'the string comes back changed');
    }
  }],

  ['500 events in a burst, in order', async (scene) => {
    const client = await scene.join();
    for (let number = 0; number < 500; number += 1) client.emit('echo', number, `number ${number}`);
    for (let number = 0; number < 500; number += 1) await client.expect('echo', number, `number ${number}`);
  }],

  ['ping is answered with pong', async (scene) => {
    const client = await scene.join();
    client.emitAnyName('ping');
    await client.expect('pong');
    client.emitAnyName('ping', 1, { two: '2' });
    await client.expect('pong', 1, { two: '2' });
  }],
];
