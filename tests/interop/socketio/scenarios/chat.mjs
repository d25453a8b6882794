import assert from 'node:assert/strict';
import { Room } from '../room.mjs';

const OK = [{ ok: true }];

// Everybody in `room`, under these names.
async function enter(scene, room, ...names) {
  const members = [];
  for (const name of names) {
    const member = await scene.join();
    assert.deepEqual(await member.call('enter', { name, room }), [{ ok: true, user: name, room }]);
    members.push(member);
  }
  return members;
}

export const scenarios = [
  ['enter checks and trims name and room', async (scene) => {
    const client = await scene.join();
    const thirtyTwo = 'n'.repeat(32);
    for (const wrong of [
      { name: '', room: 'trim' }, { name: '   ', room: 'trim' }, { name: `${thirtyTwo}n`, room: 'trim' },
      { name: 'visitor', room: '' }, { name: 'visitor', room: 'r'.repeat(33) },
    ]) {
      const [{ ok, error }] = await client.call('enter', wrong);
      assert.equal(ok, false, JSON.stringify(wrong));
      assert.match(error, /\w+/);
    }
    assert.deepEqual(
      await client.call('enter', { name: `  ${thirtyTwo} `, room: ' trim\t' }),
      [{ ok: true, user: thirtyTwo, room: 'trim' }],
    );
  }],

  ['say before enter', async (scene) => {
    const client = await scene.join();
    assert.deepEqual(await client.call('say', 'anybody?'), [{ ok: false, error: 'enter a room first' }]);
  }],

  ['say reaches everybody in the room', async (scene) => {
    const [speaker, listener] = await enter(scene, 'say', 'speaker', 'listener');
    const [stranger] = await enter(scene, 'elsewhere', 'stranger');
    assert.deepEqual(await speaker.call('say', 'hello €😀 <b>"\\'), OK);
    const said = { from: 'speaker', room: 'say', text: 'hello €😀 <b>"\\' };
    await speaker.expect('said', said);
    await listener.expect('said', said);
    // The stranger has not heard it: what comes first is the marker.
    assert.deepEqual(await speaker.call('whisper', { to: 'stranger', text: 'marker' }), [{ ok: true, devices: 1 }]);
    await stranger.expect('whispered', { from: 'speaker', to: 'stranger', text: 'marker' });
  }],

  ['whisper reaches only the addressee', async (scene) => {
    const [whisperer, addressee, bystander] = await enter(scene, 'whisper', 'whisperer', 'addressee', 'bystander');
    assert.deepEqual(await whisperer.call('whisper', { to: 'addressee', text: 'psst' }), [{ ok: true, devices: 1 }]);
    await addressee.expect('whispered', { from: 'whisperer', to: 'addressee', text: 'psst' });
    assert.deepEqual(await whisperer.call('say', 'marker'), OK);
    for (const client of [whisperer, addressee, bystander]) await client.expect('said', { from: 'whisperer', room: 'whisper', text: 'marker' });
    assert.deepEqual(
      await whisperer.call('whisper', { to: 'not there', text: 'psst' }),
      [{ ok: false, error: 'nobody of that name is here' }],
    );
  }],

  ['typing is not echoed to the sender', async (scene) => {
    const [typist, reader] = await enter(scene, 'typing', 'typist', 'reader');
    typist.emit('typing', true);
    typist.emit('typing', false);
    typist.emit('say', 'typed');
    await reader.expect('typing', { from: 'typist', typing: true });
    await reader.expect('typing', { from: 'typist', typing: false });
    for (const client of [typist, reader]) await client.expect('said', { from: 'typist', room: 'typing', text: 'typed' });
  }],

  ['leave ends what the room hears', async (scene) => {
    const [stayer, leaver] = await enter(scene, 'leave', 'stayer', 'leaver');
    assert.deepEqual(await leaver.call('leave'), OK);
    assert.deepEqual(await stayer.call('say', 'alone'), OK);
    await stayer.expect('said', { from: 'stayer', room: 'leave', text: 'alone' });
    assert.deepEqual(await leaver.call('say', 'me too'), [{ ok: false, error: 'enter a room first' }]);
  }],

  ['a taken name is refused until its owner disconnects', async (scene) => {
    const [owner, witness] = await enter(scene, 'names', 'owner', 'witness');
    const rival = await scene.join();
    const taken = [{ ok: false, error: 'name is taken' }];
    assert.deepEqual(await rival.call('enter', { name: 'owner', room: 'names' }), taken);
    assert.deepEqual(await rival.call('enter', { name: ' owner ', room: 'other' }), taken);
    const seen = await Room.of(witness, 'names');
    assert.deepEqual(seen.list, [['owner', 'live'], ['witness', 'live']]);
    await owner.disconnect();
    await seen.expect('owner', 'left');
    assert.deepEqual(await rival.call('enter', { name: 'owner', room: 'names' }), [{ ok: true, user: 'owner', room: 'names' }]);
  }],
];
