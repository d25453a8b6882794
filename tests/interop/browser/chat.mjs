// The chat: people in a room, what they see of each other and what they do not.
import assert from 'node:assert/strict';
import { GRACE } from './server.mjs';

// Holds back the page's script until `release` is called.
async function holdScript(page) {
  let release;
  const gate = new Promise((resolve) => (release = resolve));
  await page.route('**/chat.js', async (route) => {
    await gate;
    await route.continue();
  });
  return release;
}

export const checks = [
  ['the page comes with its policy, and every field has its label', async (scene) => {
    const ann = await scene.visitor('ann');
    const response = await ann.page.reload();
    assert.equal(response.status(), 200);
    assert.match(response.headers()['content-security-policy'] ?? 'none', /default-src 'self'/);
    await ann.page.getByLabel('Your name').fill(ann.name);
    await ann.page.getByLabel('Room').fill(scene.room);
    await ann.page.getByRole('button', { name: 'Enter' }).click();
    await ann.inside();
    await ann.page.getByRole('log', { name: 'Messages' }).waitFor();
    await ann.page.getByLabel('Message', { exact: true }).fill('hello');
    await ann.page.getByRole('button', { name: 'Send' }).click();
    await ann.reads('said', ann, 'hello');
    assert.equal(await ann.page.locator('#status').textContent().then((text) => text.trim()), 'Online');
  }],

  ['two people see each other join', async (scene) => {
    const ann = await scene.member('ann');
    const bob = await scene.member('bob');
    await ann.notices(bob, 'arrived');
    await ann.reads('notice', bob, `${bob.name} joined`);
    for (const one of [ann, bob]) for (const other of [ann, bob]) await one.lists(other, 'live');
    await bob.notices(bob, 'arrived');
  }],

  ['messages go both ways, in one order for all', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    for (let round = 1; round <= 5; round++) {
      await Promise.all([ann.say(`ann says ${round}`), bob.say(`bob says ${round}`)]);
    }
    for (const one of [ann, bob]) {
      await one.reads('said', ann, 'ann says 5');
      await one.reads('said', bob, 'bob says 5');
    }
    const [seenByAnn, seenByBob] = [await ann.texts('said'), await bob.texts('said')];
    assert.deepEqual(seenByAnn, seenByBob);
    assert.equal(seenByAnn.length, 10);
    for (const who of ['ann', 'bob']) {
      const own = seenByAnn.filter((text) => text.startsWith(who));
      assert.deepEqual(own, [1, 2, 3, 4, 5].map((round) => `${who} says ${round}`));
    }
  }],

  ['a text that is too long is told to who wrote it, and not lost', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    const long = 'x'.repeat(4001);
    // The field cuts what is typed or pasted; a script is not held up by that.
    const say = async (text) => {
      await ann.page.locator('#text').evaluate((field, text) => (field.value = text), text);
      await ann.page.press('#text', 'Enter');
    };
    await say(long);
    await ann.page.locator('#log li[data-kind="error"]').waitFor();
    assert.deepEqual(await ann.texts('error'), [`Not sent, a text has 1 to 4000 characters: ${long}`]);
    await say(`/w ${bob.name} ${long}`);
    await ann.page.locator('#log li[data-kind="error"]').nth(1).waitFor();
    await ann.say('short');
    await bob.reads('said', ann, 'short');
    assert.deepEqual(await bob.texts('said'), ['short']);
    assert.deepEqual(await bob.texts('whispered'), []);
  }],

  ['what people write is shown as text, and runs nowhere', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    const attack = `<img src=/nowhere onerror="document.title='taken'"><script>document.title='taken'</script>`;
    await bob.say(attack);
    await ann.reads('said', bob, attack);
    await bob.say(`/w ${ann.name} ${attack}`);
    await ann.reads('whispered', bob, attack);

    const eve = await scene.visitor('eve');
    eve.name = '<img src=/nowhere onerror=a()>';
    await eve.enter();
    await ann.lists(eve, 'live');
    await ann.reads('notice', eve, `${eve.name} joined`);
    await eve.say('hello');
    await ann.reads('said', eve, 'hello');
    await eve.page.locator('#text').pressSequentially('now I am typing', { delay: 200 });
    await ann.typing(`${eve.name} is typing…`);

    assert.equal(await ann.page.locator('#app img, #app script').count(), 0);
    assert.ok(!(await ann.page.title()).includes('taken'));
  }],

  ['typing is seen, said at most once in 2 s, and ends by itself', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    // Timed inside the page: from outside, frames are seen early or late.
    await bob.page.evaluate(() => {
      window.saidAt = [];
      const { send } = WebSocket.prototype;
      WebSocket.prototype.send = function (frame) {
        if (frame === '42["typing",true]') saidAt.push(performance.now());
        return send.call(this, frame);
      };
    });
    await bob.page.locator('#text').pressSequentially('what shall I write to her', { delay: 200 });
    await ann.typing(`${bob.name} is typing…`);
    const saidAt = await bob.page.evaluate(() => saidAt);
    assert.ok(saidAt.length >= 2, `typing for 5 s was said ${saidAt.length} times`);
    for (let i = 1; i < saidAt.length; i++) {
      const pause = saidAt[i] - saidAt[i - 1];
      assert.ok(pause >= 2_000, `said again after ${pause} ms`);
    }
    await ann.typing(''); // bob only stops, and says nothing more
    assert.equal(await bob.page.inputValue('#text'), 'what shall I write to her');
  }],

  ['typing ends with the message, and when the text is taken back', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    await bob.page.fill('#text', 'I think');
    await ann.typing(`${bob.name} is typing…`);
    await bob.page.fill('#text', '');
    await ann.typing('');
    assert.ok(bob.frames.includes('> 42["typing",false]'));
    await bob.page.locator('#text').pressSequentially('once more', { delay: 300 });
    await ann.typing(`${bob.name} is typing…`);
    await bob.page.press('#text', 'Enter');
    await ann.reads('said', bob, 'once more');
    assert.equal(await ann.page.locator('#typing').textContent(), '');
  }],

  ['a private message reaches its addressee and nobody else', async (scene) => {
    const [ann, bob, eve] = await scene.members('ann', 'bob', 'eve');
    await bob.page.click(`#people li[data-user=${JSON.stringify(ann.name)}] button`);
    await bob.page.locator('#to', { hasText: ann.name }).waitFor();
    await bob.say('a secret, by hand');
    await ann.reads('whispered', bob, 'a secret, by hand');
    await bob.page.locator(`#log li[data-kind="whispered"][data-own][data-to=${JSON.stringify(ann.name)}]`).waitFor();
    await bob.page.press('#text', 'Escape');
    await bob.page.locator('#to').waitFor({ state: 'hidden' });
    await bob.say(`/w ${ann.name} a secret, by command`);
    await ann.reads('whispered', bob, 'a secret, by command');

    // What follows comes to eve after anything that might have leaked.
    await bob.say('no secret');
    await eve.reads('said', bob, 'no secret');
    assert.deepEqual(await eve.texts('whispered'), []);
    assert.deepEqual(await eve.texts('said'), ['no secret']);
    assert.deepEqual(eve.frames.filter((frame) => frame.includes('a secret')), []);
    assert.deepEqual(await ann.texts('whispered'), ['a secret, by hand', 'a secret, by command']);

    await bob.say('/w nobody-of-that-name hello');
    await bob.page.locator('#log li[data-kind="error"]', { hasText: 'nobody of that name is here' }).waitFor();
  }],

  ['a closed page is away at first, then it has left', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    await bob.page.close();
    const awayAt = await ann.notices(bob, 'away');
    await ann.reads('notice', bob, `${bob.name} disconnected`);
    await ann.lists(bob, 'away');
    const leftAt = await ann.notices(bob, 'left');
    await ann.reads('notice', bob, `${bob.name} left`);
    await ann.listsNot(bob);
    assert.ok(leftAt - awayAt > GRACE * 0.7, `left ${leftAt - awayAt} ms after it was away, grace is ${GRACE} ms`);
    assert.deepEqual(await ann.changes(bob), ['arrived', 'away', 'left']);
  }],

  ['a reload leads back into the room, past the door', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    const release = await holdScript(bob.page);
    await bob.page.reload({ waitUntil: 'commit' });
    await ann.notices(bob, 'away'); // the old page is gone, the new one cannot act yet
    release();
    await ann.notices(bob, 'returned');
    await ann.reads('notice', bob, `${bob.name} reconnected`);
    await ann.lists(bob, 'live');

    await bob.inside();
    assert.equal(await bob.page.locator('#door').isVisible(), false);
    const since = bob.frames.findLastIndex((frame) => frame.startsWith('> 40'));
    const entered = bob.frames.slice(since).filter((frame) => frame.includes('"enter"'));
    assert.deepEqual(entered, [], 'the session itself came back, it did not enter anew');
    for (const other of [ann, bob]) await bob.lists(other, 'live');
    await bob.say('here I am again');
    await ann.reads('said', bob, 'here I am again');
    await ann.say('welcome back');
    await bob.reads('said', ann, 'welcome back');
    assert.deepEqual(await ann.changes(bob), ['arrived', 'away', 'returned']);
  }],

  ['a session that cannot come back enters again under its name', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    await bob.page.evaluate(() => {
      const session = JSON.parse(sessionStorage['roomwire.session']);
      sessionStorage['roomwire.session'] = JSON.stringify({ ...session, token: 'spent' });
    });
    await bob.page.reload();
    // The lost session holds the name until its grace is over.
    await bob.page.locator('#returning-why', { hasText: 'until your name is free' }).waitFor();
    await bob.inside();
    await ann.lists(bob, 'live');
    await bob.say('in again');
    await ann.reads('said', bob, 'in again');
    const changes = await ann.changes(bob);
    assert.deepEqual(changes.slice(0, 2), ['arrived', 'away']);
  }],

  ['who leaves by the button has left at once', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    const clicked = Date.now();
    await bob.page.click('#leave');
    const leftAt = await ann.notices(bob, 'left');
    await ann.listsNot(bob);
    assert.deepEqual(await ann.changes(bob), ['arrived', 'left']);
    assert.ok(leftAt - clicked < GRACE, `left only after ${leftAt - clicked} ms`);
    await bob.atDoor();
    await bob.is('online');
    assert.equal(await bob.page.inputValue('#name'), bob.name, 'the door remembers the name');

    // The same name is free again, and a reload at the door stays there.
    await bob.page.reload();
    await bob.atDoor();
    await bob.enter(scene.room);
    await ann.lists(bob, 'live');
  }],

  ['a copy of a tab takes the session along, and the tab that had it leaves it there', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    const copied = ann.context.waitForEvent('page');
    await ann.page.evaluate(() => void open(location.href)); // with what the tab remembers
    const copy = await copied;
    await copy.locator('#inside').waitFor();
    await ann.atDoor();
    await ann.page.locator('#door-error', { hasText: 'This goes on in another tab.' }).waitFor();
    await ann.is('closed');
    await ann.page.reload();
    await ann.is('online');
    await ann.atDoor();
    await copy.locator('#status[data-state="online"]').waitFor();
    await copy.fill('#text', 'here I am');
    await copy.press('#text', 'Enter');
    await bob.reads('said', ann, 'here I am');
    await bob.lists(ann, 'live');
    assert.ok(!(await bob.changes(ann)).includes('left'));
  }],

  ['a name that is taken is refused, with the reason', async (scene) => {
    const ann = await scene.member('ann');
    const eve = await scene.visitor('eve');
    await eve.page.fill('#name', ann.name);
    await eve.page.fill('#room', scene.room);
    await eve.page.click('#enter');
    await eve.page.locator('#door-error', { hasText: /name is taken/i }).waitFor();
    assert.equal(await eve.page.locator('#inside').isVisible(), false);
    await eve.enter();
    await ann.lists(eve, 'live');
    assert.equal(await eve.page.locator('#door-error').textContent(), '');
  }],

  ['the log stays at its end, unless the reader has scrolled up', async (scene) => {
    const ann = await scene.member('ann', { viewport: { width: 360, height: 500 } });
    const bob = await scene.member('bob');
    const newest = (text) => ann.page.locator('#log li', { hasText: text });
    const isSeen = (text) => newest(text).evaluate((line) => {
      const [seen, view] = [line.getBoundingClientRect(), document.querySelector('#scroll').getBoundingClientRect()];
      return seen.top >= view.top && seen.bottom <= view.bottom;
    });
    await bob.say(`first\n${'and so on\n'.repeat(20)}`);
    await bob.say('second');
    await ann.reads('said', bob, 'second');
    assert.ok(await isSeen('second'));
    // The line above the text field takes its room from the log.
    await ann.page.click(`#people li[data-user=${JSON.stringify(bob.name)}] button`);
    await ann.page.locator('#to').waitFor();
    await ann.page.evaluate(() => new Promise((resolve) => requestAnimationFrame(() => requestAnimationFrame(resolve))));
    assert.ok(await isSeen('second'));

    await ann.page.evaluate(() => new Promise((resolve) => {
      const scroll = document.querySelector('#scroll');
      scroll.addEventListener('scroll', () => setTimeout(resolve), { once: true });
      scroll.scrollTop = 0;
    }));
    await bob.say('third');
    await ann.page.locator('#newer').click(); // it shows once the line is there
    assert.ok(await isSeen('third'));
    await ann.page.locator('#newer').waitFor({ state: 'hidden' });
  }],

  ['the log is bounded', async (scene) => {
    const [ann, bob] = await scene.members('ann', 'bob');
    // Lines that cost the server nothing: a command without its text.
    await ann.page.evaluate(() => {
      for (let i = 0; i < 600; i++) {
        document.querySelector('#text').value = '/w';
        document.querySelector('#composer').requestSubmit();
      }
    });
    await bob.say('the last one');
    await ann.reads('said', bob, 'the last one');
    assert.equal(await ann.page.locator('#log li').count(), 500);
    assert.equal(await ann.page.locator('#log li').last().getAttribute('data-kind'), 'said');
  }],
];
