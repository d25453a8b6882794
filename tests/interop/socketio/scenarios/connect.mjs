import assert from 'node:assert/strict';

export const scenarios = [
  ['connect and sid', async (scene) => {
    const client = await scene.join();
    const { socket } = client;
    assert.equal(socket.connected, true);
    assert.match(socket.io.engine.id, /^\S{8,}$/);
    if (scene.protocol === 4) {
      // The server sends no sid; the client takes that of the transport.
      assert.equal(socket.id, socket.io.engine.id);
    } else {
      assert.match(socket.id, /^\S{8,}$/);
      // The transport's sid is a secret of its owner, the socket's is known to others.
      assert.notEqual(socket.id, socket.io.engine.id);
      assert.equal(client.welcome.sid, socket.id);
    }
  }],

  ['welcome of a new session', async (scene) => {
    const first = await scene.join();
    const second = await scene.join();
    for (const { welcome } of [first, second]) {
      const { sid, token, ...rest } = welcome;
      assert.deepEqual(rest, { resumed: false, user: null, room: null });
      assert.match(sid, /^\S{8,}$/);
      assert.match(token, /^\S{16,}$/);
      assert.notEqual(token, sid);
    }
    assert.notEqual(first.welcome.sid, second.welcome.sid);
    assert.notEqual(first.welcome.token, second.welcome.token);
  }],
];
