// From long polling to WebSocket.
import { encode } from '../payload.mjs';

const EVENT = '42["echo",1]';

// A session on polling, and a WebSocket beside it.
async function pair(side, begin = () => side.joined()) {
  const session = await begin();
  const socket = await side.socket(null, { sid: session.sid });
  return { session, socket };
}

async function probed(side, begin) {
  const { session, socket } = await pair(side, begin);
  socket.send('2probe');
  const answer = await socket.next();
  if (answer !== '3probe') throw new Error(`2probe is answered by ${answer}`);
  return { session, socket };
}

async function upgraded(side) {
  const { session, socket } = await probed(side);
  socket.send('5');
  return { session, socket };
}

// What is sent on the second connection before it is the session's.
const strange = (title, ...packets) => [`upgrade: ${title}`, async (side) => {
  const { session, socket } = await pair(side);
  for (const packet of packets) if (socket.end === 'open') socket.send(packet);
  await side.settled('socket', socket);
  await session.heard('polling');
  await side.where('after', session.sid);
}];

const strangeAfterProbe = (title, ...packets) => [`upgrade: after the probe ${title}`, async (side) => {
  const { session, socket } = await probed(side);
  for (const packet of packets) if (socket.end === 'open') socket.send(packet);
  await side.settled('socket', socket);
  await side.where('after', session.sid);
}];

const UPGRADE = [
  ['upgrade: step by step', async (side) => {
    const session = await side.joined();
    const get = await session.getting();
    const socket = await side.socket('socket', { sid: session.sid });
    socket.send('2probe');
    side.note('probe', await socket.next());
    side.describe('get', await get.response());
    socket.send('5', EVENT);
    side.note('echo', await socket.next());
    await session.get('late get');
    await session.post('late post', [EVENT]);
    await side.where('after', session.sid);
  }],
  ['upgrade: without a GET', async (side) => {
    const { session, socket } = await upgraded(side);
    socket.send(EVENT);
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: with a GET parked when it is finished', async (side) => {
    const { session, socket } = await probed(side);
    const get = await side.ask({ path: session.path });
    await side.fence();
    socket.send('5', EVENT);
    side.describe('get', await get.response());
    side.note('echo', await socket.next());
    await side.where('after', session.sid);
  }],
  ['upgrade: before CONNECT', async (side) => {
    const { session, socket } = await probed(side, () => side.polling());
    socket.send('5');
    if (side.revision === 4) {
      socket.send('40');
      await side.settled('socket', socket);
    }
    socket.send(EVENT);
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: CONNECT while it goes on', async (side) => {
    if (side.revision === 3) return side.note('played', 'with revision 4');
    const { session, socket } = await probed(side, () => side.polling());
    await session.post('post', ['40']);
    socket.send('5', EVENT);
    await side.settled('socket', socket);
    return side.where('after', session.sid);
  }],
  ['upgrade: POST while it goes on', async (side) => {
    const { session, socket } = await probed(side);
    await session.post('post', [EVENT]);
    socket.send('5');
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: event to all while it goes on', async (side) => {
    const other = await side.member();
    const { session, socket } = await probed(side);
    other.send('42["all",1]', '42["all",2]');
    await other.settled();
    socket.send('5', '42["all",3]');
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: 30 events while it goes on arrive once and in order', async (side) => {
    const other = await side.member();
    const session = await side.joined();
    const numbers = [];
    const take = (packets) => packets.forEach((packet) => { if (packet.startsWith('42["all",')) numbers.push(Number(packet.slice(9, -1))); });
    const all = async (from, to) => {
      for (let number = from; number < to; number += 1) other.send(`42["all",${number}]`);
      await other.settled();
    };
    await all(0, 5);
    take(session.packets(await session.get()));
    await all(5, 10);
    const socket = await side.socket(null, { sid: session.sid });
    await all(10, 15);
    socket.send('2probe');
    side.note('probe', await socket.next());
    await all(15, 20);
    take(session.packets(await session.get()));
    await all(20, 25);
    socket.send('5');
    await all(25, 30);
    socket.send('42["echo","last"]');
    take(await socket.settled());
    side.note('numbers', numbers);
    await side.where('after', session.sid);
  }],
  ['upgrade: GET after it', async (side) => {
    const { session, socket } = await upgraded(side);
    await socket.settled();
    await session.get('get');
    await side.settled('socket', socket);
  }],
  ['upgrade: POST after it', async (side) => {
    const { session, socket } = await upgraded(side);
    await socket.settled();
    await session.post('post', [EVENT]);
    await side.settled('socket', socket);
  }],
  ['upgrade: a second WebSocket while the first is silent', async (side) => {
    const { session, socket } = await pair(side);
    const second = await side.socket('second', { sid: session.sid });
    await side.settled('second', second);
    await side.settled('first', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: a second WebSocket after the probe', async (side) => {
    const { session, socket } = await probed(side);
    const second = await side.socket('second', { sid: session.sid });
    await side.settled('second', second);
    socket.send('5', EVENT);
    await side.settled('first', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: a second WebSocket after the upgrade', async (side) => {
    const { session, socket } = await upgraded(side);
    await socket.settled();
    const second = await side.socket('second', { sid: session.sid });
    await side.settled('second', second);
    await side.settled('first', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: a second WebSocket on a session that began on WebSocket', async (side) => {
    const first = await side.member();
    const second = await side.socket('second', { sid: first.sid });
    if (second.end === 'open') second.send('2probe');
    await side.settled('second', second);
    await side.settled('first', first);
    await side.where('after', first.sid);
  }],
  ['upgrade: an upgraded session ends', async (side) => {
    const { session, socket } = await upgraded(side);
    socket.send('1');
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: an upgraded session ends with its connection', async (side) => {
    const { session, socket } = await upgraded(side);
    await socket.settled();
    socket.destroy();
    await side.gone('after', session.sid);
  }],
  ['upgrade: the WebSocket ends before the probe', async (side) => {
    const { session, socket } = await pair(side);
    socket.close();
    await socket.ended();
    await session.post('post', [EVENT]);
    await session.heard('polling');
    await side.where('after', session.sid);
  }],
  ['upgrade: the WebSocket ends after the probe', async (side) => {
    const { session, socket } = await probed(side);
    socket.close();
    await socket.ended();
    // The official server answers one more GET with a noop by its timer if it comes in time.
    await session.post('post', [EVENT]);
    await side.where('after', session.sid);
  }],
  ['upgrade: a second attempt after one that ended', async (side) => {
    const { session, socket } = await probed(side);
    socket.close();
    await socket.ended();
    await side.fence();
    const second = await side.socket('second', { sid: session.sid });
    second.send('2probe', '5', EVENT);
    await side.settled('second', second);
    await side.where('after', session.sid);
  }],
  ['upgrade: the session closes while it goes on', async (side) => {
    const { session, socket } = await probed(side);
    await session.post('post', ['1']);
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: closed by the server while it goes on, then finished', async (side) => {
    const { session, socket } = await probed(side);
    await session.post('post', ['42["close"]']);
    if (socket.end === 'open') socket.send('5');
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: closed by the server while it goes on, then a GET', async (side) => {
    const { session, socket } = await probed(side);
    await session.post('post', ['42["close"]']);
    await session.heard('polling');
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: made to leave while it goes on, then finished', async (side) => {
    const { session, socket } = await probed(side);
    await session.post('post', ['42["leave"]']);
    socket.send('5');
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: a fault while it goes on, then finished', async (side) => {
    const { session, socket } = await probed(side);
    await session.post('post', ['42["echo",1]', '4x']);
    if (socket.end === 'open') socket.send('5');
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: with another EIO', async (side) => {
    const session = await side.joined();
    const path = side.path('websocket', session.sid).replace(/EIO=\d/, `EIO=${side.revision === 4 ? 3 : 4}`);
    const socket = await side.socket('socket', { path });
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: without EIO', async (side) => {
    const session = await side.joined();
    const socket = await side.socket('socket', { path: side.path('websocket', session.sid).replace(/EIO=\d&/, '') });
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: as polling', async (side) => {
    const session = await side.joined();
    const socket = await side.socket('socket', { path: side.path('polling', session.sid) });
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  ['upgrade: with an unknown sid', async (side) => {
    const socket = await side.socket('socket', { sid: 'abcdefghijklmnopqrst' });
    await side.settled('socket', socket);
  }],
  ['upgrade: attachments after it', async (side) => {
    const { socket } = await upgraded(side);
    const attachment = Buffer.from([1, 2, 3]);
    socket.send('451-["echo",{"_placeholder":true,"num":0}]', side.revision === 3 ? Buffer.concat([Buffer.from([4]), attachment]) : attachment);
    await side.settled('socket', socket);
  }],
  ['upgrade: attachment split between polling and WebSocket', async (side) => {
    const { session, socket } = await probed(side);
    await session.post('post', ['451-["echo",{"_placeholder":true,"num":0}]']);
    const attachment = Buffer.from([1, 2, 3]);
    socket.send('5', side.revision === 3 ? Buffer.concat([Buffer.from([4]), attachment]) : attachment);
    await side.settled('socket', socket);
    await side.where('after', session.sid);
  }],
  strange('5 without probe', '5', EVENT),
  strange('event without probe', EVENT),
  strange('CONNECT without probe', '40'),
  strange('ping', '2'),
  strange('ping with other data', '2other'),
  strange('ping with more data', '2probes'),
  strange('pong', '3'),
  strange('pong probe', '3probe'),
  strange('noop', '6'),
  strange('close', '1'),
  strange('open', '0'),
  strange('empty', ''),
  strange('unknown type', '9'),
  strange('binary', Buffer.from([1, 2, 3])),
  strangeAfterProbe('an event', EVENT),
  strangeAfterProbe('another probe', '2probe'),
  strangeAfterProbe('another probe, then 5', '2probe', '5', EVENT),
  strangeAfterProbe('a ping', '2'),
  strangeAfterProbe('a pong', '3'),
  strangeAfterProbe('a noop', '6'),
  strangeAfterProbe('a close', '1'),
  strangeAfterProbe('5 with data', '5x', EVENT),
  strangeAfterProbe('5 twice', '5', '5', EVENT),
  strangeAfterProbe('binary', Buffer.from([4])),
  strangeAfterProbe('an unknown type', '9'),
];

// Engine.IO packets on a WebSocket of its own.
const packet = (title, ...packets) => [`engine: ${title}`, async (side) => {
  const socket = await side.member();
  for (const sent of packets) if (socket.end === 'open') socket.send(sent);
  await side.settled('socket', socket);
  await side.where('after', socket.sid);
}];

const ENGINE = [
  packet('open', '0'), packet('open with data', '0{}'), packet('ping', '2'), packet('ping with data', '2x'), packet('probe', '2probe'),
  packet('pong', '3'), packet('pong with data', '3x'), packet('pong probe', '3probe'), packet('upgrade', '5'), packet('upgrade with data', '5x'),
  packet('noop', '6'), packet('noop with data', '6x'), packet('type 7', '7'), packet('type x', 'x'), packet('empty', ''), packet('space', ' '),
  packet('b with base64', 'bAQID'), packet('b4 with base64', 'b4AQID'), packet('separator', `${EVENT}\x1e${EVENT}`), packet('length', encode(3, [EVENT]).toString()),
  packet('binary of no bytes', Buffer.from([])), packet('binary ping', Buffer.from([2])), packet('binary of type 9', Buffer.from([9])),
  packet('packet as binary', Buffer.from(EVENT)),
  packet('close, then event', '1', EVENT),
  ['engine: close', async (side) => {
    const socket = await side.member();
    socket.send('1');
    await side.settled('socket', socket);
    await side.where('after', socket.sid);
  }],
  ['engine: close with data', async (side) => {
    const socket = await side.member();
    socket.send('1x');
    await side.settled('socket', socket);
  }],
  ['engine: close frame', async (side) => {
    const socket = await side.member();
    socket.close(1000);
    await side.ended('socket', socket);
    await side.gone('after', socket.sid);
  }],
  ['engine: close frame 4000 with reason', async (side) => {
    const socket = await side.member();
    socket.close(4000, 'reason');
    await side.ended('socket', socket);
    await side.gone('after', socket.sid);
  }],
  ['engine: text that is not UTF-8', async (side) => {
    const socket = await side.member();
    socket.socket.send(Buffer.from([0x34, 0xff]), { binary: false });
    await side.settled('socket', socket);
    await side.where('after', socket.sid);
  }],
  ['engine: fragments', async (side) => {
    const socket = await side.member();
    socket.socket.send('42["ec', { fin: false });
    socket.socket.send('ho",1]', { fin: true });
    await side.settled('socket', socket);
  }],
  ['engine: open packet of a WebSocket', async (side) => {
    const socket = await side.session();
    const { sid, ...settings } = JSON.parse(socket.opening.slice(1));
    side.note('type', socket.opening[0]);
    side.note('sid', /^[\w-]{20,}$/.test(sid) ? 'fit for a URL' : sid);
    for (const [name, value] of Object.entries(settings)) side.note(name, JSON.stringify(value));
  }],
];

export const upgrade = [...UPGRADE, ...ENGINE];
