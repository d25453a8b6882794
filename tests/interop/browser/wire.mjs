// The page's own client, `roomwire.js`, against a scripted server: each packet is written by hand.
import assert from 'node:assert/strict';
import { WAIT } from './browser.mjs';

const BLANK = '<!doctype html><html lang="en"><title>blank</title><link rel="icon" href="/chat.css">';

// A page with nothing but a wire in it, and the far end of that wire in our hands.
async function stage(scene, options = {}) {
  const context = await scene.browser.context();
  const page = await context.newPage();
  const errors = [];
  page.on('pageerror', (error) => errors.push(String(error)));
  scene.people.push({ context, name: 'wire', errors, strangers: [], frames: [], photograph: async () => 'no picture' });

  const far = new Far();
  await page.route('**/blank', (route) => route.fulfill({ contentType: 'text/html', body: BLANK }));
  await page.routeWebSocket(/\/socket\.io\//, (socket) => far.accept(socket));
  await page.goto('/blank');
  await page.evaluate(async (options) => {
    const { Roomwire } = await import('/roomwire.js');
    window.states = [];
    window.dropped = [];
    window.wire = new Roomwire({
      url: location.origin,
      auth: () => ({ token: 't' }),
      onState: (state, detail) => states.push({ state, ...detail, at: Date.now() }),
      onDrop: (name, args, reason) => dropped.push({ name, args, reason }),
      firstDelay: 20,
      ...options,
    });
    wire.open();
  }, options);
  return { page, far };
}

// The server's side: sockets come in, frames come in, and what we want goes out.
class Far {
  #frames = [];
  #waiting = [];
  sockets = 0;

  accept(socket) {
    this.sockets += 1;
    this.socket = socket;
    socket.onMessage((frame) => this.#put(frame));
    this.#put('(connection)');
  }

  #put(frame) {
    const next = this.#waiting.shift();
    if (next) next(frame);
    else this.#frames.push(frame);
  }

  send(frame) {
    this.socket.send(frame);
  }

  // The next thing that comes in must be this.
  async expect(frame) {
    const came = this.#frames.shift() ?? (await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error(`nothing came; expected ${frame}`)), WAIT);
      this.#waiting.push((value) => {
        clearTimeout(late);
        resolve(value);
      });
    }));
    assert.equal(came, frame);
  }

  // From dialling to online.
  async welcome({ pingInterval = 60_000, pingTimeout = 60_000 } = {}) {
    await this.expect('(connection)');
    this.send(`0${JSON.stringify({ sid: 'e', upgrades: [], pingInterval, pingTimeout, maxPayload: 1000 })}`);
    await this.expect('40{"token":"t"}');
    this.send('40{"sid":"s"}');
  }
}

const state = (page, wanted) => page.waitForFunction((wanted) => wire.state === wanted, wanted, { timeout: WAIT });
const states = (page) => page.evaluate(() => states.map(({ state }) => state));

export const checks = [
  ['wire: connects with its credentials, and answers pings', async (scene) => {
    const { page, far } = await stage(scene);
    await far.welcome();
    await state(page, 'online');
    assert.deepEqual(await states(page), ['connecting', 'online']);
    far.send('2');
    await far.expect('3');
  }],

  ['wire: events and answers, both ways', async (scene) => {
    const { page, far } = await stage(scene, { answerTimeout: 2_000 });
    await far.welcome();
    await state(page, 'online');

    await page.evaluate(() => wire.emit('hello', 1, { two: [3] }, null, '"4"'));
    await far.expect('42["hello",1,{"two":[3]},null,"\\"4\\""]');

    const answer = page.evaluate(() => wire.request('sum', 1, 2));
    await far.expect('420["sum",1,2]');
    far.send('43999["nobody asked"]');
    far.send('430[3,"and more"]');
    assert.equal(await answer, 3);

    const silence = page.evaluate(() => wire.request('sum').catch(({ message, sent }) => ({ message, sent })));
    await far.expect('421["sum"]');
    assert.deepEqual(await silence, { message: 'no answer came in time', sent: true });

    await page.evaluate(() => {
      window.heard = [];
      wire.on('note', (...args) => heard.push(args));
      wire.on('question', (a, b, reply) => reply(b, a));
    });
    far.send('42["unknown"]');
    far.send('42["note","x",{"y":1}]');
    far.send('4217["question","left","right"]');
    await far.expect('4317["right","left"]');
    assert.deepEqual(await page.evaluate(() => heard), [['x', { y: 1 }]]);
  }],

  ['wire: what JSON has no word for goes as null, as with the official clients', async (scene) => {
    const { page, far } = await stage(scene);
    await far.welcome();
    await state(page, 'online');
    await page.evaluate(() => {
      wire.emit('odd', undefined, NaN, Infinity, [undefined], { left: undefined }, new Date(0));
      wire.on('question', (reply) => reply(undefined, NaN));
    });
    await far.expect('42["odd",null,null,null,[null],{},"1970-01-01T00:00:00.000Z"]');
    far.send('420["question"]');
    await far.expect('430[null,null]');
  }],

  ['wire: what cannot be sent throws at once, online and not, and costs nothing else', async (scene) => {
    const { page, far } = await stage(scene);
    const outcomes = () => page.evaluate(async () => {
      const circle = {};
      circle.self = circle;
      const wrong = {
        bigint: [1n], circle: [circle], function: [() => {}], symbol: [Symbol('s')],
        bytes: [new Uint8Array(2)], 'deep bytes': [{ at: [new ArrayBuffer(2)] }], file: [new Blob(['x'])],
      };
      const told = [];
      const tell = (title, error) => told.push(`${title}: ${error?.constructor.name}, ${error?.message.split('\n')[0]}`);
      for (const [title, args] of Object.entries(wrong)) {
        try {
          wire.emit('wrong', ...args);
          tell(title);
        } catch (error) {
          tell(title, error);
        }
        tell(`request, ${title}`, await wire.request('wrong', ...args).catch((error) => error));
      }
      for (const name of [undefined, 7, Symbol('s')]) {
        try {
          wire.emit(name);
          tell(String(name));
        } catch (error) {
          tell(String(name), error);
        }
      }
      return told;
    });
    const expected = [
      ['bigint', 'Do not know how to serialize a BigInt'],
      ['circle', 'Converting circular structure to JSON'],
      ['function', 'a function cannot be sent; for an answer there is request()'],
      ['symbol', 'a symbol cannot be sent'],
      ['bytes', 'bytes cannot be sent: binary events are not spoken'],
      ['deep bytes', 'bytes cannot be sent: binary events are not spoken'],
      ['file', 'bytes cannot be sent: binary events are not spoken'],
    ].flatMap(([title, message]) => [`${title}: TypeError, ${message}`, `request, ${title}: TypeError, ${message}`]);
    expected.push(...['undefined', '7', 'Symbol(s)'].map((name) => `${name}: TypeError, the name of an event is a string`));
    assert.deepEqual(await outcomes(), expected);
    await page.evaluate(() => wire.emit('good', 1));
    await far.welcome();
    await far.expect('42["good",1]');
    await state(page, 'online');
    assert.deepEqual(await outcomes(), expected);
    page.evaluate(() => wire.request('good', 2)).catch(() => {});
    await far.expect('420["good",2]');
    assert.deepEqual(await states(page), ['connecting', 'online']);
  }],

  ['wire: what is queued is sent as it was when it was emitted', async (scene) => {
    const { page, far } = await stage(scene);
    await page.evaluate(() => {
      const growing = [1];
      wire.emit('list', growing);
      growing.push(2n);
    });
    await far.welcome();
    await far.expect('42["list",[1]]');
    await state(page, 'online');
  }],

  ['wire: a fault in a handler costs neither the connection nor the other handlers', async (scene) => {
    const { page, far } = await stage(scene);
    await far.welcome();
    await state(page, 'online');
    await page.evaluate(() => {
      window.heard = 0;
      wire.on('note', () => { throw new Error('on purpose'); });
      wire.on('note', () => heard++);
      wire.on('question', (reply) => reply('still here'));
    });
    far.send('42["note"]');
    far.send('421["question"]');
    await far.expect('431["still here"]');
    assert.equal(await page.evaluate(() => heard), 1);
    assert.deepEqual(await states(page), ['connecting', 'online']);
    const [{ errors }] = scene.people;
    assert.deepEqual(errors.splice(0), ['Error: on purpose']);
  }],

  ['wire: what was emitted while offline waits, up to a limit, and goes after `prepare`', async (scene) => {
    const { page, far } = await stage(scene, { queueLimit: 3 });
    const lost = page.evaluate(() => {
      const first = wire.request('a').catch(({ message, sent }) => ({ message, sent }));
      for (const name of ['b', 'c', 'd', 'e']) wire.emit(name);
      return first;
    });
    assert.deepEqual(await lost, { message: 'too much was waiting', sent: false });
    assert.deepEqual(await page.evaluate(() => dropped.map(({ name }) => name)), ['a', 'b']);
    await far.welcome();
    for (const name of ['c', 'd', 'e']) await far.expect(`42["${name}"]`);
  }],

  ['wire: `prepare` goes first, and again after each connect', async (scene) => {
    const { page, far } = await stage(scene);
    await far.welcome();
    await state(page, 'online');
    await page.evaluate(async () => {
      wire.close();
      const { Roomwire } = await import('/roomwire.js');
      window.wire = new Roomwire({
        url: location.origin,
        auth: () => ({ token: 't' }),
        prepare: async (request) => { window.prepared = await request('enter'); },
        firstDelay: 20,
      });
      wire.open();
      wire.emit('queued');
    });
    await far.expect('41');
    for (const number of [0, 1]) {
      await far.welcome();
      await far.expect(`42${number}["enter"]`);
      assert.equal(await page.evaluate(() => wire.state), 'connecting');
      far.send(`43${number}["in ${number}"]`);
      if (number === 0) await far.expect('42["queued"]');
      await state(page, 'online');
      assert.equal(await page.evaluate(() => prepared), `in ${number}`);
      if (number === 0) far.socket.close();
    }
  }],

  ['wire: comes back with its pid and offset, as long as the server knows them', async (scene) => {
    const { page, far } = await stage(scene);
    const open = '0{"sid":"e","upgrades":[],"pingInterval":60000,"pingTimeout":60000,"maxPayload":1000}';
    const comeBack = async (connect, ...answers) => {
      await far.expect('(connection)');
      far.send(open);
      await far.expect(connect);
      for (const answer of answers) far.send(answer);
      await state(page, 'online');
    };
    const heard = (count) => page.waitForFunction((count) => window.heard.length === count, count, { timeout: WAIT });
    const lose = async () => {
      far.socket.close();
      await state(page, 'offline');
    };
    await page.evaluate(() => {
      window.heard = [];
      wire.on('note', (...args) => heard.push([args[0], wire.state]));
    });
    await comeBack('40{"token":"t"}', '40{"sid":"s","pid":"p"}');
    await lose();
    await comeBack('40{"pid":"p","token":"t"}', '40{"sid":"s","pid":"p"}');
    // What is no string is no offset, and what wants an answer has none.
    for (const event of ['["note",1,"o1"]', '["note",2]']) far.send(`42${event}`);
    far.send('427["question","o2"]');
    await heard(2);
    await lose();
    await comeBack('40{"pid":"p","offset":"o1","token":"t"}', '42["note",3,"o3"]', '40{"sid":"s","pid":"p"}');
    await heard(3);
    await lose();
    await comeBack('40{"pid":"p","offset":"o3","token":"t"}', '40{"sid":"s2","pid":"p2"}');
    await lose();
    await comeBack('40{"pid":"p2","token":"t"}', '40{"sid":"s3"}');
    await lose();
    await comeBack('40{"token":"t"}', '40{"sid":"s4","pid":"p4"}');
    await page.evaluate(() => { wire.close(); wire.open(); });
    await far.expect('41');
    await comeBack('40{"token":"t"}', '40{"sid":"s5"}');
    assert.deepEqual(await page.evaluate(() => window.heard), [[1, 'online'], [2, 'online'], [3, 'connecting']]);
  }],

  ['wire: a server that goes silent is given up, and dialled again', async (scene) => {
    const { page, far } = await stage(scene);
    await far.welcome({ pingInterval: 300, pingTimeout: 200 });
    await state(page, 'online');
    const asked = page.evaluate(() => wire.request('anybody?').catch(({ message, sent }) => ({ message, sent })));
    await far.expect('420["anybody?"]');
    await far.welcome(); // a new connection, by itself
    await state(page, 'online');
    assert.deepEqual(await asked, { message: 'the connection was lost', sent: true });
    assert.deepEqual(await states(page), ['connecting', 'online', 'offline', 'connecting', 'online']);
    const told = await page.evaluate(() => states);
    assert.equal(told[2].reason, 'the server went silent');
    const patience = told[2].at - told[1].at;
    assert.ok(patience >= 450, `given up after ${patience} ms already`);
  }],

  ['wire: pings keep a quiet connection alive', async (scene) => {
    const { page, far } = await stage(scene);
    await far.welcome({ pingInterval: 2_000, pingTimeout: 2_000 });
    await state(page, 'online');
    // Longer in all than the 4 s for which it may be silent.
    for (let beat = 0; beat < 10; beat++) {
      await page.waitForTimeout(500);
      far.send('2');
      await far.expect('3');
    }
    assert.deepEqual(await states(page), ['connecting', 'online']);
  }],

  ['wire: delays double up to the longest, with jitter, and start anew after a success', async (scene) => {
    const { page, far } = await stage(scene, { firstDelay: 100, longestDelay: 500 });
    for (let attempt = 0; attempt < 6; attempt++) {
      await far.expect('(connection)');
      far.socket.close();
    }
    await far.welcome();
    await state(page, 'online');
    far.socket.close();
    await far.expect('(connection)');
    const delays = await page.evaluate(() => states.filter(({ state }) => state === 'offline').map(({ retryAt, at }) => retryAt - at));
    const ceilings = [100, 200, 400, 500, 500, 500, 100];
    assert.equal(delays.length, ceilings.length);
    delays.forEach((delay, i) => {
      assert.ok(delay >= ceilings[i] / 2 - 10 && delay <= ceilings[i] + 10, `delay ${i} is ${delay} ms, ceiling ${ceilings[i]} ms`);
    });
    const shares = delays.map((delay, i) => Math.round((100 * delay) / ceilings[i]));
    assert.ok(new Set(shares).size > 1, `no jitter: ${shares}`);
  }],

  ['wire: does not wait out its delay when the network or the reader comes back', async (scene) => {
    const { page, far } = await stage(scene, { firstDelay: 3_600_000, longestDelay: 3_600_000 });
    for (const sign of ['online', 'visibilitychange']) {
      await far.welcome();
      await state(page, 'online');
      far.socket.close();
      await state(page, 'offline');
      await page.evaluate((sign) => (sign === 'online' ? window : document).dispatchEvent(new Event(sign)), sign);
    }
    await far.welcome();
    await state(page, 'online');
  }],

  ['wire: a refusal or a DISCONNECT is final, until it is opened again', async (scene) => {
    const { page, far } = await stage(scene);
    await far.expect('(connection)');
    far.send('0{"sid":"e","upgrades":[],"pingInterval":9000,"pingTimeout":9000,"maxPayload":1000}');
    await far.expect('40{"token":"t"}');
    far.send('44{"message":"not today"}');
    await state(page, 'closed');
    assert.equal(await page.evaluate(() => states.at(-1).reason), 'not today');
    assert.deepEqual(
      await page.evaluate(() => wire.request('hello').catch(({ message, sent }) => ({ message, sent }))),
      { message: 'the connection is closed', sent: false },
    );

    await page.evaluate(() => wire.open());
    await far.welcome();
    await state(page, 'online');
    far.send('41');
    await state(page, 'closed');
    await page.evaluate(() => wire.open());
    await far.welcome(); // and it sent no DISCONNECT of its own before
    await state(page, 'online');
    assert.equal(far.sockets, 3);
  }],

  ['wire: what cannot be read costs the connection, not the page', async (scene) => {
    const { page, far } = await stage(scene, { longestDelay: 20 });
    const unreadable = [
      '', 'x', '5', '42', '42{"not":"a list"}', '42["unfinished', '451-["e",{"_placeholder":true,"num":0}]', Buffer.from([4]),
    ];
    for (const frame of unreadable) {
      await far.welcome();
      await state(page, 'online');
      far.send(frame);
    }
    await far.welcome();
    await state(page, 'online');
    const reasons = await page.evaluate(() => states.filter(({ state }) => state === 'offline').map(({ reason }) => reason));
    assert.deepEqual(reasons, unreadable.map(() => 'the server sent something unreadable'));
  }],

  ['wire: the example server asks, and is answered', async (scene) => {
    // In the chat's own page, beside the chat's own wire: a page made up by the test may not talk to the loopback.
    const { page } = await scene.visitor('ann');
    const seen = await page.evaluate(async () => {
      const { Roomwire } = await import('/roomwire.js');
      const wire = new Roomwire({ url: location.origin, auth: () => ({}) });
      const once = (name) => new Promise((resolve) => wire.on(name, (...args) => resolve(args)));
      wire.on('question', (text, reply) => reply(`${text}? yes`, 42));
      const welcome = once('welcome');
      wire.open();
      const [{ resumed, user }] = await welcome;
      const answered = once('answered');
      wire.emit('ask', 'ready');
      const seen = { resumed, user, answered: await answered, echo: await wire.request('echo', 'é𝄞', { deep: [1, null] }) };
      const unknown = await wire.request('no such event');
      const closed = new Promise((resolve) => {
        const look = setInterval(() => wire.state === 'closed' && resolve(clearInterval(look)), 20);
      });
      wire.emit('bye');
      await closed;
      return { ...seen, unknown };
    });
    assert.deepEqual(seen, {
      resumed: false,
      user: null,
      answered: ['ready? yes', 42],
      echo: 'é𝄞',
      unknown: { ok: false, error: 'unknown event' },
    });
  }],
];
