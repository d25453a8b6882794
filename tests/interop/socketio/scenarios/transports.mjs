import assert from 'node:assert/strict';

export const scenarios = [
  ['the transport that it should be', async (scene) => {
    const client = scene.open();
    const { engine } = client.socket.io;
    assert.equal(engine.transport.name, scene.mode === 'websocket' ? 'websocket' : 'polling');
    await client.connected();
    await client.welcomed();
    await client.settled();
    assert.equal(engine.transport.name, scene.mode === 'polling' ? 'polling' : 'websocket');
    assert.deepEqual(await client.call('echo', 'here'), ['here']);
    assert.equal(client.socket.io.engine, engine);
  }],

  ['what is under way while the transport changes arrives once and in order', async (scene) => {
    const client = await scene.join();
    let changing = scene.mode === 'default';
    client.settled().then(() => { changing = false; }, () => { changing = false; });
    let number = 0;
    // A few in each turn of the loop, at every step of the change; and some more.
    for (let turns = 0; changing || turns < 50; turns += 1) {
      for (let more = 0; more < 3 && number < 5000; more += 1, number += 1) client.emit('echo', number);
      await new Promise((resolve) => { setImmediate(resolve); });
    }
    await client.settled();
    client.emit('echo', number);
    for (let seen = 0; seen <= number; seen += 1) await client.expect('echo', seen);
    assert.deepEqual(await client.call('echo', 'last'), ['last']);
  }],
];
