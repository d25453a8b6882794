// The connection fails in all its ways; the page says so, comes back by itself, and is right again.
import assert from 'node:assert/strict';
import { Person } from './person.mjs';

export const checks = [
  ['the server stops: the page says so, and comes back with it', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    scene.outage = true;
    assert.equal(await scene.server.stop(), 0, 'exit code');
    for (const one of [ann, bob]) {
      await one.is('offline');
      await one.page.locator('#status-wait', { hasText: /reconnecting in \d+ s/ }).waitFor();
    }
    await ann.say('written while offline');
    await ann.page.locator('#log li[data-kind="pending"]', { hasText: 'written while offline' }).waitFor();

    await scene.server.revive();
    for (const one of [ann, bob]) {
      await one.is('online');
      for (const other of [ann, bob]) await one.lists(other, 'live');
      assert.equal(await one.page.locator('#door').isVisible(), false);
    }
    scene.outage = false;
    await ann.reads('said', ann, 'written while offline');
    await ann.say('is it over?');
    await bob.reads('said', ann, 'is it over?');
    await bob.say('it is');
    await ann.reads('said', bob, 'it is');
    assert.deepEqual(await ann.texts('said'), ['written while offline', 'is it over?', 'it is']);
    assert.deepEqual(await ann.texts('pending'), []);
    const back = `You are back in ${scene.room}; what was said meanwhile is not here`;
    assert.ok((await ann.texts('notice')).includes(back), 'that it does not know what it has missed');
  }],

  ['the server stops while somebody is at the door', async (scene) => {
    const ann = await scene.visitor('ann');
    scene.outage = true;
    assert.equal(await scene.server.stop(), 0, 'exit code');
    await ann.is('offline');
    await ann.page.fill('#name', ann.name);
    await ann.page.click('#enter'); // waits with the connection
    await scene.server.revive();
    await ann.inside();
    await ann.is('online');
    scene.outage = false;
    await ann.lists(ann, 'live');
  }],

  ['who was offline reads what was said meanwhile, if the server keeps it', async (scene) => {
    const { server } = scene;
    assert.equal(await server.stop(), 0, 'exit code');
    server.options = ['--recover'];
    await server.revive();
    let cut; // ends the connection that there is
    let away = false;
    const ann = new Person(scene, await scene.browser.context(), `ann ${scene.number}`);
    scene.people.push(ann);
    await ann.open((page) => page.routeWebSocket(/\/socket\.io\//, (socket) => {
      if (away) return void socket.close();
      const far = socket.connectToServer();
      cut = () => Promise.all([socket.close(), far.close()]);
    }));
    await ann.enter();
    const bob = await scene.member('bob');
    for (const one of [ann, bob]) for (const other of [ann, bob]) await one.lists(other, 'live');
    await bob.say('before');
    await ann.reads('said', bob, 'before');
    away = true;
    await cut();
    await ann.is('offline');
    await bob.lists(ann, 'away');
    for (const text of ['meanwhile', 'and again']) {
      await bob.say(text);
      await bob.reads('said', bob, text);
    }
    away = false;
    await ann.is('online');
    await ann.reads('said', bob, 'and again');
    await bob.say('after');
    await ann.reads('said', bob, 'after');
    assert.deepEqual(await ann.texts('said'), ['before', 'meanwhile', 'and again', 'after']);
    const log = await ann.page.locator('#log li .text').allTextContents();
    assert.equal(log[log.indexOf('meanwhile') - 1], 'While you were away:');
    assert.equal(log[log.indexOf('and again') + 1], `You are back in ${scene.room}`);
    for (const one of [ann, bob]) for (const other of [ann, bob]) await one.lists(other, 'live');
    scene.outage = true; // for those who are still there
    assert.equal(await server.stop(), 0, 'exit code');
    server.options = [];
  }],

  ['a missed presence diff is noticed, and the list is right again', async (scene) => {
    const ann = new Person(scene, await scene.browser.context(), `ann ${scene.number}`);
    scene.people.push(ann);
    let lost = 0;
    let connects = 0;
    await ann.open((page) => page.routeWebSocket(/\/socket\.io\//, (socket) => {
      connects += 1;
      const server = socket.connectToServer();
      server.onMessage((frame) => {
        const miss = lost === 0 && frame.startsWith('42["presence_diff"') && frame.includes('"gus');
        if (miss) lost += 1;
        else socket.send(frame);
      });
    }));
    await ann.enter();
    const bob = await scene.member('bob');
    await ann.lists(bob, 'live');
    const gus = await scene.member('gus');
    await bob.lists(gus, 'live'); // so the diff is out
    const hal = await scene.member('hal');
    for (const other of [bob, gus, hal]) await ann.lists(other, 'live');
    assert.deepEqual({ lost, connects }, { lost: 1, connects: 2 });
    await ann.is('online');
    await hal.say('do you hear me?');
    await ann.reads('said', hal, 'do you hear me?');
  }],
];
