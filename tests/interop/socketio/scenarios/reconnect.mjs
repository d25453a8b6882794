import assert from 'node:assert/strict';

const BY_ITSELF = { reconnection: true, reconnectionDelay: 100, reconnectionDelayMax: 400, randomizationFactor: 0 };

// Only the client's own machinery acts between the loss and the `connect`.
async function backByItself(client) {
  const { sid } = client.welcome;
  await client.lost();
  client.emit('echo', 'emitted while', 'offline');
  const acked = client.call('echo', 'with an ack, while offline');
  await client.reconnected();
  const welcome = await client.welcomed();
  assert.equal(welcome.resumed, false);
  assert.notEqual(welcome.sid, sid);
  await client.expect('echo', 'emitted while', 'offline');
  assert.deepEqual(await acked, ['with an ack, while offline']);
  client.emit('echo', 'online');
  await client.expect('echo', 'online');
}

export const scenarios = [
  ['reconnects by itself after a cut', async (scene) => {
    const client = await scene.join(BY_ITSELF);
    for (let times = 0; times < 3; times += 1) {
      await client.settled();
      await client.cut();
      await backByItself(client);
    }
  }],

  ['reconnects by itself to a restarted server', async (scene) => {
    const client = await scene.joinForLong(BY_ITSELF);
    await Promise.all([backByItself(client), scene.server.restart()]);
  }],

  ...['SIGINT', 'SIGTERM'].map((signal) => [`the server stops in order on ${signal}`, async (scene) => {
    const client = await scene.join();
    assert.equal(await scene.server.stop(signal), 0);
    await client.disconnectReason();
  }]),
];
