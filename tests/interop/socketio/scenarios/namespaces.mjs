import assert from 'node:assert/strict';
import { ADMIN_TOKEN } from '../server.mjs';

const RIGHT = { token: ADMIN_TOKEN };

export const scenarios = [
  ['/admin with the right token', async (scene) => {
    const admin = scene.open({ namespace: '/admin', credentials: RIGHT });
    await admin.connected();
    const { socket } = admin;
    if (scene.protocol === 4) assert.equal(socket.id, `/admin#${socket.io.engine.id}`);
    else assert.match(socket.id, /^\S{8,}$/);
    await useAll(admin);
  }],

  ['/admin counts', async (scene) => {
    const [main] = [await scene.join(), await scene.join()];
    const admin = scene.beside(main, '/admin', RIGHT);
    await admin.connected();
    const before = await stats(admin);
    // Clients on long polling have a connection only while they ask something.
    const connections = scene.mode === 'websocket' ? 2 : 1;
    assert.ok(before.connections >= connections && before.sockets >= 3, JSON.stringify(before));
    await main.call('enter', { name: 'counted', room: 'counted' });
    const after = await stats(admin);
    assert.ok(after.users >= 1 && after.rooms >= 1, JSON.stringify(after));
  }],

  ['two namespaces on one transport', async (scene) => {
    const main = await scene.join();
    const admin = scene.beside(main, '/admin', RIGHT);
    await admin.connected();
    if (scene.protocol === 5) assert.notEqual(admin.socket.id, main.socket.id);
    main.emit('echo', 'main');
    admin.emit('echo', 'admin');
    await main.expect('echo', 'main');
    await admin.expect('echo', 'admin');
    // One ends, the other goes on, and may be joined again.
    await admin.disconnect();
    assert.deepEqual(await main.call('echo', 'still here'), ['still here']);
    admin.socket.connect();
    await admin.connected();
    assert.deepEqual(await admin.call('echo', 'again'), ['again']);
  }],

  ['/admin refuses a wrong token and none', async (scene) => {
    const refusal = scene.protocol === 4 ? { code: 401 } : { message: 'not authorized', data: { code: 401 } };
    for (const credentials of [{ token: 'wrong' }, null]) {
      const main = await scene.join();
      const admin = scene.beside(main, '/admin', credentials);
      await admin.refused(refusal);
      assert.equal(admin.socket.connected, false);
      assert.deepEqual(await main.call('echo', 'not my fault'), ['not my fault']);
    }
  }],

  ['unknown namespace', async (scene) => {
    const main = await scene.join();
    const nowhere = scene.beside(main, '/nope');
    await nowhere.refused(scene.protocol === 4 ? 'Invalid namespace' : { message: 'Invalid namespace', data: undefined });
    assert.equal(nowhere.socket.connected, false);
    assert.deepEqual(await main.call('echo', 'not my fault'), ['not my fault']);
  }],
];

async function stats(admin) {
  const [counts, ...more] = await admin.call('stats');
  assert.deepEqual(more, []);
  assert.deepEqual(Object.keys(counts).sort(), ['connections', 'rooms', 'sockets', 'users']);
  for (const count of Object.values(counts)) assert.ok(Number.isSafeInteger(count) && count >= 0, JSON.stringify(counts));
  return counts;
}

async function useAll(admin) {
  assert.deepEqual(await admin.call('echo', 1, ['€']), [1, ['€']]);
  admin.emit('echo', { a: null });
  await admin.expect('echo', { a: null });
  admin.emitAnyName('ping', 'x');
  await admin.expect('pong', 'x');
  admin.emit('ask', 'q');
  const question = await admin.next();
  assert.deepEqual(question.data, ['question', 'q']);
  question.ack('a', 1);
  await admin.expect('answered', 'a', 1);
}
