// Long polling on a session: overlaps, ends, bodies and payloads.
import { requestBytes } from '../http.mjs';
import { encode } from '../payload.mjs';

const TEXT = { 'Content-Type': 'text/plain;charset=UTF-8' };

const FLOW = [
  ['GET parked is answered by an event', async (side) => {
    const session = await side.joined();
    const get = await session.getting();
    side.note('get', get.hasAnswered ? 'answered' : 'parked');
    await session.post('post', ['42["echo",1]']);
    side.describe('get', await get.response());
    await side.where('after', session.sid);
  }],
  ['second GET while one is parked', async (side) => {
    const session = await side.joined();
    const first = await session.getting();
    await session.get('second');
    side.describe('first', await first.response());
    await side.where('after', session.sid);
  }],
  ['second GET after the first was given up', async (side) => {
    const session = await side.joined();
    const first = await session.getting();
    first.close();
    await side.gone('after', session.sid);
  }],
  ['second POST while one is on its way', async (side) => {
    const session = await side.joined();
    const body = encode(side.revision, ['42["echo",1]']);
    const head = `POST ${session.path} HTTP/1.1\r\nHost: compare.example\r\nContent-Type: text/plain\r\nContent-Length: ${body.length}\r\n\r\n`;
    const first = await side.connection();
    first.write(Buffer.concat([Buffer.from(head), body.subarray(0, 3)]), 'POST');
    await side.fence();
    await session.post('second', ['42["echo",2]']);
    first.write(body.subarray(3));
    side.describe('first', await first.response());
    await side.where('after', session.sid);
  }],
  ['POST given up half way', async (side) => {
    const session = await side.joined();
    const first = await side.connection();
    first.write(`POST ${session.path} HTTP/1.1\r\nHost: compare.example\r\nContent-Type: text/plain\r\nContent-Length: 100\r\n\r\n42[`, 'POST');
    await side.fence();
    first.close();
    await side.fence();
    await side.where('after', session.sid);
  }],
  ['GET after the session ended', async (side) => {
    const session = await side.joined();
    await session.raw('close', encode(side.revision, ['1']));
    await session.get('get');
  }],
  ['close packet with GET parked', async (side) => {
    const session = await side.joined();
    const get = await session.getting();
    await session.post('post', ['1']);
    side.describe('get', await get.response());
    await side.where('after', session.sid);
  }],
  ['close packet, then an event in the same payload', async (side) => {
    const session = await side.joined();
    await session.post('post', ['1', '42["echo"]']);
    await session.get('get');
  }],
  ['event and close packet in one payload', async (side) => {
    const session = await side.joined();
    const get = await session.getting();
    await session.post('post', ['42["echo",1]', '1']);
    side.describe('get', await get.response());
    await side.where('after', session.sid);
  }],
  ['closed by the server with GET parked', async (side) => {
    const session = await side.joined();
    const get = await session.getting();
    await session.post('post', ['42["close"]']);
    side.describe('get', await get.response());
    await session.get('next');
    await side.where('after', session.sid);
  }],
  ['closed by the server without GET', async (side) => {
    const session = await side.joined();
    await session.post('post', ['42["close"]']);
    await session.get('get');
    await session.get('next');
    await side.where('after', session.sid);
  }],
  ['fault with GET parked', async (side) => {
    const session = await side.joined();
    const get = await session.getting();
    await session.post('post', ['4x']);
    await side.fence();
    if (get.hasAnswered) side.describe('get', await get.response());
    else side.note('get', 'parked');
    await side.where('after', session.sid);
  }],
  ['POST is answered before the GET that tells of what it did', async (side) => {
    const session = await side.joined();
    const get = await session.getting();
    const post = await session.posting(['42["echo",1]']);
    side.describe('post', await post.response());
    side.describe('get', await get.response());
    side.note('first', post.firstArrival < get.firstArrival ? 'POST' : 'GET');
  }],
  ['many packets in one payload', async (side) => {
    const session = await side.joined();
    await session.post('post', Array.from({ length: 50 }, (_, number) => `42["echo",${number}]`));
    await session.heard('answer');
    await side.where('after', session.sid);
  }],
  ['many packets in one response', async (side) => {
    const session = await side.joined();
    await session.post('post', ['42["burst",50]']);
    await session.heard('answer');
  }],
  ['event to all reaches a parked GET', async (side) => {
    const [one, other] = [await side.joined(), await side.joined()];
    const get = await one.getting();
    await other.post('post', ['42["all","news"]']);
    side.describe('get', await get.response());
    await other.heard('other');
  }],
  ['long response to who takes gzip', async (side) => {
    const session = await side.joined();
    await session.post(null, [`42["echo","${'x'.repeat(3000)}"]`]);
    const response = await side.request(null, { path: session.path, headers: { 'Accept-Encoding': 'gzip' } });
    side.note('get status', response.status);
    side.note('encoding', response.headers.get('content-encoding')?.[0] ?? 'none');
  }],
  ['text in several languages', async (side) => {
    const session = await side.joined();
    await session.post('post', ['42["echo","€😀ü\u2028","ключ"]']);
    await session.heard('answer');
  }],
  ['one and the same connection for all', async (side) => {

    const session = await side.joined();
    const connection = await side.connection();
    for (let number = 0; number < 3; number += 1) {
      connection.write(requestBytes({ method: 'POST', path: session.path, headers: TEXT, body: encode(side.revision, [`42["echo",${number}]`]) }), 'POST');
      side.note('post status', (await connection.response())?.status);
      connection.write(requestBytes({ path: session.path }), 'GET');
      const response = await connection.response();
      side.note('get packets', response ? session.packets(response).join('  ') : 'none, connection ended');
    }
  }],
];

// Requests on a session that fit it or do not.
const request = (title, change, begin = (side) => side.joined()) => [`on a session: ${title}`, async (side) => {
  const session = await begin(side);
  const { label = 'answer', ...asked } = change(session, side);
  // A GET that fits is parked: an event makes it return.
  const connection = await side.ask(asked);
  await side.fence();
  if (connection.hasAnswered) side.describe(label, await connection.response());
  else side.note(label, 'not answered yet');
  await side.where('after', session.sid);
}];

const other = (side) => (side.revision === 4 ? 3 : 4);
const post = (session, headers, body) => ({ method: 'POST', path: session.path, headers, body });

const REQUESTS = [
  ...['PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'].map((method) => request(`by ${method}`, (session) => ({ method, path: session.path }))),
  request('by GET with a body', (session) => ({ path: session.path, headers: TEXT, body: '40' })),
  request('as websocket without upgrade', (session, side) => ({ path: side.path('websocket', session.sid) })),
  request('as an unknown transport', (session, side) => ({ path: side.path('tobi', session.sid) })),
  request('with another EIO', (session, side) => ({ path: session.path.replace(/EIO=\d/, `EIO=${other(side)}`) })),
  request('with EIO 7', (session) => ({ path: session.path.replace(/EIO=\d/, 'EIO=7') })),
  request('without EIO', (session) => ({ path: session.path.replace(/EIO=\d&/, '') })),
  request('POST with another EIO', (session, side) => ({ ...post(session, TEXT, encode(side.revision, ['42["echo"]'])), path: session.path.replace(/EIO=\d/, `EIO=${other(side)}`) })),
  request('with sid twice', (session) => ({ path: `${session.path}&sid=${session.sid}` })),
  request('with sid and another sid', (session) => ({ path: `${session.path}&sid=abc` })),
  request('with sid in other case', (session) => ({ path: session.path.replace(session.sid, session.sid.toLowerCase() === session.sid ? 'x' : session.sid.toLowerCase()) })),
  request('with Origin', (session, side) => ({ ...post(session, { ...TEXT, Origin: 'http://page.example' }, encode(side.revision, ['42["echo"]'])) })),
  request('polling on a WebSocket session by GET', (session, side) => ({ path: side.path('polling', session.sid) }), (side) => side.member()),
  request('polling on a WebSocket session by POST', (session, side) => ({ method: 'POST', path: side.path('polling', session.sid), headers: TEXT, body: encode(side.revision, ['42["echo"]']) }), (side) => side.member()),
  request('websocket on a WebSocket session without upgrade', (session, side) => ({ path: side.path('websocket', session.sid) }), (side) => side.member()),
];

// Bodies of a POST, as bytes. `R` in a title says that it is for one revision.
const body = (title, revision, bytes, headers = TEXT) => ({ revision, play: [`body: ${title}`, async (side) => {
  const session = await side.joined();
  const content = typeof bytes === 'function' ? bytes(side.revision) : bytes;
  await session.raw('post', Buffer.isBuffer(content) ? content : Buffer.from(content), headers);
  await session.heard('answer');
  await side.where('after', session.sid);
}] });

const ECHO = (revision) => encode(revision, ['42["echo",1]']);
const BINARY = { 'Content-Type': 'application/octet-stream' };

const BODIES = [
  body('without content type', null, ECHO, {}),
  body('text/plain', null, ECHO, { 'Content-Type': 'text/plain' }),
  body('application/json', null, ECHO, { 'Content-Type': 'application/json' }),
  body('form', null, (revision) => `d=${encodeURIComponent(ECHO(revision))}`, { 'Content-Type': 'application/x-www-form-urlencoded' }),
  body('octet-stream', null, ECHO, BINARY),
  body('octet-stream with charset', null, ECHO, { 'Content-Type': 'application/octet-stream; charset=utf-8' }),
  body('Octet-Stream', null, ECHO, { 'Content-Type': 'Application/Octet-Stream' }),
  body('empty', null, ''),
  body('NUL', null, '\0'),
  body('not UTF-8', null, Buffer.from([0x34, 0x32, 0x5b, 0x22, 0xff, 0x22, 0x5d])),
  body('not UTF-8 in an event', 4, Buffer.concat([Buffer.from('42["echo","'), Buffer.from([0xc3, 0x28]), Buffer.from('"]')])),
  ...['\x1e', '\x1e\x1e', '\x1e42["echo",1]', '42["echo",1]\x1e', '42["echo",1]\x1e\x1e42["echo",2]', '42["echo",1]\x1e9\x1e42["echo",2]',
    '42["echo",1]\x1e42["\x1e42["echo",2]', '42["echo",1]\x1e1\x1e42["echo",2]',
    '9', 'x', '4', '0', '0{}', '2', '2probe', '2x', '3', '3probe', '3x', '5', '5x', '6', '6x', '7', '1x', ' 42["echo"]', '42["echo"]\n', '4 2["echo"]',
    'b', 'bAQID', 'b!!!!', 'bAQ', 'bAQ==', 'b=', 'bAQ==AQ==', 'b-_-_', 'b AQID',
    '451-["echo",{"_placeholder":true,"num":0}]\x1ebAQID', '451-["echo",{"_placeholder":true,"num":0}]\x1ebAQ', '451-["echo",{"_placeholder":true,"num":0}]\x1eb',
    '451-["echo",{"_placeholder":true,"num":0}]\x1ebA\nQID', '451-["echo",{"_placeholder":true,"num":0}]\x1eb!!!!', '451-["echo",{"_placeholder":true,"num":0}]\x1eb-_-_',
    '451-["echo",{"_placeholder":true,"num":0}]\x1e42["echo",2]', '451-["echo",{"_placeholder":true,"num":0}]\x1e3\x1ebAQID',
    '451-["echo",{"_placeholder":true,"num":0}]\x1eb4AQID', '12:42["echo",1]',
  ].map((text) => body(JSON.stringify(text), 4, text)),
  ...['1', ':', '1:', '0:', '0:0:', '-1:4', '01:4', '02:42', '1e1:42["echo",1]', '2:4', '3:42', '13:42["echo",1]', '12:42["echo",1]', '12:42["echo",1]x', '12:42["echo",1]12:42["echo",2]',
    '12:42["echo",1]1:9', '12:42["echo",1]1:112:42["echo",2]', '12:42["echo",1]99999999999:4', 'x:4', '1:9', '1:x', '1:4', '1:0', '3:0{}', '1:2', '6:2probe', '2:2x', '1:3', '6:3probe', '1:5', '1:6', '1:7', '2:1x',
    ' 1:2', '1 :2', '+1:2', '1.0:2', '13:42["echo","€"]'.replace('13', '14'), '16:42["echo","€"]', '15:42["echo","😀"]', '17:42["echo","😀"]', '14:42["echo","😀"]',
    '43:451-["echo",{"_placeholder":true,"num":0}]6:b4AQID', '43:451-["echo",{"_placeholder":true,"num":0}]4:b4AQ', '43:451-["echo",{"_placeholder":true,"num":0}]2:b4', '43:451-["echo",{"_placeholder":true,"num":0}]1:b', '43:451-["echo",{"_placeholder":true,"num":0}]6:b4!!!!', '43:451-["echo",{"_placeholder":true,"num":0}]5:bAQID', '6:b4AQID', '2:b2',
    '\x1e', '42["echo",1]',
  ].map((text) => body(JSON.stringify(text), 3, text)),
  ...[
    ['one text', [0, 1, 2, 0xff], '42["echo",1]'],
    ['length zero', [0, 0, 0xff], ''],
    ['no length', [0, 0xff], '4'],
    ['length too long', [0, 9, 9, 0xff], '42["echo",1]'],
    ['length too short', [0, 5, 0xff], '42["echo",1]'],
    ['length in ASCII', [0, 0x31, 0x32, 0xff], '42["echo",1]'],
    ['digit 10', [0, 10, 2, 0xff], '42["echo",1]'],
    ['length of 400 digits', [0, ...Array(400).fill(9), 0xff], '42["echo",1]'],
    ['no end of the length', [0, 1, 2], '42["echo",1]'],
    ['kind 2', [2, 1, 2, 0xff], '42["echo",1]'],
    ['zeros before the length', [0, 0, 0, 1, 2, 0xff], '42["echo",1]'],
    ['ping', [0, 1, 0xff], '2'],
    ['binary ping', [1, 1, 0xff], '\x02'],
    ['binary unannounced', [1, 4, 0xff], '\x04\x01\x02\x03'],
    ['binary without type', [1, 0, 0xff], ''],
    ['binary of type 9', [1, 2, 0xff], '\x09\x01'],
  ].map(([title, head, text]) => body(`binary payload: ${title}`, 3, Buffer.concat([Buffer.from(head), Buffer.from(text, 'latin1')]), BINARY)),
  body('binary payload: text and attachment', 3, () => encode(3, ['451-["echo",{"_placeholder":true,"num":0}]', Buffer.from([1, 2, 3])], { binary: true }), BINARY),
  body('binary payload: text beyond ASCII', 3, () => encode(3, ['42["echo","€😀"]'], { binary: true }), BINARY),
  body('binary payload: with text type', 3, () => encode(3, ['42["echo",1]'], { binary: true })),
  body('text payload: with binary type', 3, ECHO, BINARY),
];

// What a body may be long is counted in different ways.
const large = (title, play) => [`large: ${title}`, async (side) => {
  const session = await side.joined();
  await play(side, session);
  await session.heard('answer');
  await side.where('after', session.sid);
}];
const padded = (revision, size) => {
  const wrap = revision === 4 ? 0 : String(size).length + 1;
  const fill = (text) => `42["echo","${text}"]`;
  return encode(revision, [fill('x'.repeat(size - wrap - fill('').length))]);
};

export const sizes = [
  large('at the limit', (side, session) => session.raw('post', padded(side.revision, 1000))),
  large('one over the limit', (side, session) => session.raw('post', padded(side.revision, 1001))),
  large('ten times the limit', (side, session) => session.raw('post', padded(side.revision, 10000))),
  large('announced only', async (side, session) => {
    const connection = await side.connection();
    connection.write(`POST ${session.path} HTTP/1.1\r\nHost: compare.example\r\nContent-Type: text/plain\r\nContent-Length: 100000\r\n\r\n4`, 'POST');
    await side.fence();
    side.note('post', connection.hasAnswered ? 'answered' : 'awaited');
    if (connection.hasAnswered) side.describe('post', await connection.response());
    connection.close();
    await side.fence();
  }),
  large('chunked over the limit', async (side, session) => {
    const chunk = padded(side.revision, 1001);
    const connection = await side.connection();
    connection.write(`POST ${session.path} HTTP/1.1\r\nHost: compare.example\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${chunk.length.toString(16)}\r\n${chunk}\r\n0\r\n\r\n`, 'POST');
    side.describe('post', await connection.response());
  }),
  large('message on WebSocket at the limit', async (side) => {
    const socket = await side.member();
    const wrap = '42["echo",""]'.length;
    socket.send(`42["echo","${'x'.repeat(1000 - wrap)}"]`);
    side.note('echo', (await socket.next())?.length ?? socket.end);
  }),
  large('message on WebSocket over the limit', async (side) => {
    const socket = await side.member();
    socket.send('x'.repeat(1001));
    await side.settled('socket', socket);
    await side.where('socket', socket.sid);
  }),
  large('events of together more than the limit', async (side, session) => {
    for (let times = 0; times < 3; times += 1) await session.raw('post', padded(side.revision, 900));
  }),
];

const CHUNKED = [['body: chunked', async (side) => {
  const session = await side.joined();
  const content = ECHO(side.revision);
  const connection = await side.connection();
  connection.write(`POST ${session.path} HTTP/1.1\r\nHost: compare.example\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n${content.length.toString(16)}\r\n${content}\r\n0\r\n\r\n`, 'POST');
  side.describe('post', await connection.response());
  await session.heard('answer');
  await side.where('after', session.sid);
}], ['body: without length', async (side) => {
  const session = await side.joined();
  await side.request('post', { method: 'POST', path: session.path, headers: TEXT });
  await session.heard('answer');
  await side.where('after', session.sid);
}], ['body: with Expect', async (side) => {
  const session = await side.joined();
  const content = ECHO(side.revision);
  const connection = await side.connection();
  connection.write(`POST ${session.path} HTTP/1.1\r\nHost: compare.example\r\nContent-Type: text/plain\r\nContent-Length: ${content.length}\r\nExpect: 100-continue\r\n\r\n`, 'POST');
  const first = await connection.response();
  side.note('first', first?.status);
  if (first?.status === 100) {
    connection.write(content);
    side.describe('post', await connection.response());
  }
  await session.heard('answer');
}]];

export const polling = (revision) => [
  ...FLOW, ...REQUESTS, ...CHUNKED, ...BODIES.filter((found) => found.revision === null || found.revision === revision).map(({ play }) => play),
];
