import assert from 'node:assert/strict';
import { ADMIN_TOKEN } from '../server.mjs';

// A client closes the transport itself when its last namespace goes, so a second one shows what the server does.
async function twoNamespaces(scene) {
  const main = await scene.join();
  const admin = scene.beside(main, '/admin', { token: ADMIN_TOKEN });
  await admin.connected();
  return { main, admin, engine: main.socket.io.engine };
}

export const scenarios = [
  ['bye ends the namespace, not the transport', async (scene) => {
    const { main, admin, engine } = await twoNamespaces(scene);
    main.emit('bye');
    await main.disconnected('io server disconnect');
    assert.equal(main.socket.connected, false);
    assert.deepEqual(await admin.call('echo', 'the transport stays'), ['the transport stays']);
    assert.equal(admin.socket.io.engine, engine);
    assert.equal(engine.readyState, 'open');
    // A 2.x client never asks for `/`, so it cannot join it again over the same transport.
    if (scene.protocol === 4) return;
    const { sid } = main.welcome;
    main.socket.connect();
    await main.connected();
    const welcome = await main.welcomed();
    assert.equal(welcome.resumed, false);
    assert.notEqual(welcome.sid, sid);
    assert.equal(main.socket.io.engine, engine);
  }],

  ['goodbye ends the transport too', async (scene) => {
    const { main, admin, engine } = await twoNamespaces(scene);
    main.emit('goodbye');
    await main.disconnected('io server disconnect');
    const reason = await admin.disconnectReason();
    assert.ok(['io server disconnect', 'transport close'].includes(reason), reason);
    await admin.transportClosed();
    assert.equal(engine.readyState, 'closed');
  }],

  ['disconnect by the client', async (scene) => {
    const client = await scene.join();
    const { sid } = client.welcome;
    await client.disconnect();
    await client.transportClosed();
    assert.equal(client.socket.connected, false);
    // The same object may be used again.
    client.socket.connect();
    await client.connected();
    const welcome = await client.welcomed();
    assert.equal(welcome.resumed, false);
    assert.notEqual(welcome.sid, sid);
    assert.deepEqual(await client.call('echo', 'again'), ['again']);
  }],
];
