// Single requests: what opens a session, what does not, and with which answer.
import { requestBytes } from '../http.mjs';
import { decode, encode } from '../payload.mjs';

const UPGRADE = {
  Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};
const TEXT = { 'Content-Type': 'text/plain;charset=UTF-8' };

// The answer; of one that opens a session the packets without what no other server has to repeat.
async function opening(side, label, request) {
  const response = await side.request(null, request);
  if (response?.status !== 200 || response.body.length === 0) return side.describe(label, response);
  const body = response.body.toString();
  if (!body.includes('sid')) return side.describe(label, response);
  const brief = { ...response, body: Buffer.from('') };
  side.describe(label, brief);
  const script = /^___eio\[\d+\]\("(.*)"\);$/.exec(body);
  const text = script ? JSON.parse(`"${script[1]}"`) : body;
  const revision = /^\d+:/.test(text) ? 3 : 4;
  const [first] = decode(revision, Buffer.from(text));
  const { sid, ...settings } = JSON.parse(first.slice(1));
  side.learn(sid);
  const fit = /^[\w-]{20,}$/.test(sid) ? 'fit for a URL' : sid;
  side.note(`${label}, opening`, `${script ? 'script, ' : ''}revision ${revision}, sid ${fit}, ${first[0]}${JSON.stringify(settings)}`);
  return sid;
}

const open = (title, path, request = {}) => [`open: ${title}`, async (side) => {
  const sid = await opening(side, 'answer', { ...request, path: path.replace('EIO=R', `EIO=${side.revision}`) });
  if (sid) await side.where('after', sid);
}];

const POLLING = '/socket.io/?EIO=R&transport=polling';

const OPEN = [
  open('polling', POLLING),
  open('polling with more in the query', `${POLLING}&t=abc&x=1&x=2`),
  open('polling, EIO last', '/socket.io/?transport=polling&EIO=R'),
  open('path without slash', '/socket.io?EIO=R&transport=polling'),
  open('path with a folder more', '/socket.io/more?EIO=R&transport=polling'),
  open('path with a letter more', '/socket.iox/?EIO=R&transport=polling'),
  open('path with two slashes', '//socket.io/?EIO=R&transport=polling'),
  open('path with two slashes behind', '/socket.io//?EIO=R&transport=polling'),
  open('path in capitals', '/Socket.IO/?EIO=R&transport=polling'),
  open('path escaped', '/socket%2Eio/?EIO=R&transport=polling'),
  open('path with dots', '/x/../socket.io/?EIO=R&transport=polling'),
  open('absolute form', 'http://compare.example/socket.io/?EIO=R&transport=polling'),
  open('another path', '/elsewhere?EIO=R&transport=polling'),
  open('no query', '/socket.io/'),
  open('no EIO', '/socket.io/?transport=polling'),
  open('EIO empty', '/socket.io/?EIO=&transport=polling'),
  open('EIO 2', '/socket.io/?EIO=2&transport=polling'),
  open('EIO 3', '/socket.io/?EIO=3&transport=polling'),
  open('EIO 4', '/socket.io/?EIO=4&transport=polling'),
  open('EIO 5', '/socket.io/?EIO=5&transport=polling'),
  open('EIO 04', '/socket.io/?EIO=04&transport=polling'),
  open('EIO escaped 4', '/socket.io/?EIO=%34&transport=polling'),
  open('EIO twice 4', '/socket.io/?EIO=4&EIO=4&transport=polling'),
  open('EIO 4 and 3', '/socket.io/?EIO=4&EIO=3&transport=polling'),
  open('eio 4', '/socket.io/?eio=4&transport=polling'),
  open('no transport', '/socket.io/?EIO=R'),
  open('transport empty', '/socket.io/?EIO=R&transport='),
  open('transport tobi', '/socket.io/?EIO=R&transport=tobi'),
  open('transport Polling', '/socket.io/?EIO=R&transport=Polling'),
  open('transport __proto__', '/socket.io/?EIO=R&transport=__proto__'),
  open('transport constructor', '/socket.io/?EIO=R&transport=constructor'),
  open('transport webtransport', '/socket.io/?EIO=R&transport=webtransport'),
  open('transport polling twice', '/socket.io/?EIO=R&transport=polling&transport=polling'),
  open('transport polling and websocket', '/socket.io/?EIO=R&transport=polling&transport=websocket'),
  open('transport[]', '/socket.io/?EIO=R&transport[]=polling'),
  open('transport escaped', '/socket.io/?EIO=R&transport=%70olling'),
  open('transport badly escaped', '/socket.io/?EIO=R&transport=%zzpolling'),
  open('transport websocket without upgrade', '/socket.io/?EIO=R&transport=websocket'),
  open('sid empty', `${POLLING}&sid=`),
  open('sid unknown', `${POLLING}&sid=abcdefghijklmnopqrst`),
  open('sid __proto__', `${POLLING}&sid=__proto__`),
  open('sid constructor', `${POLLING}&sid=constructor`),
  open('sid of 4000 bytes', `${POLLING}&sid=${'s'.repeat(4000)}`),
  open('sid beyond ASCII', `${POLLING}&sid=%E2%82%AC%00`),
  open('sid twice, unknown', `${POLLING}&sid=abc&sid=def`),
  open('sid unknown and wrong transport', '/socket.io/?EIO=R&transport=tobi&sid=abc'),
  open('sid unknown and another EIO', '/socket.io/?EIO=7&transport=polling&sid=abc'),
  ...['POST', 'PUT', 'DELETE', 'PATCH', 'OPTIONS', 'HEAD'].map((method) => open(`by ${method}`, POLLING, { method })),
  open('by POST with body', POLLING, { method: 'POST', headers: TEXT, body: '40' }),
  open('by GET with body', POLLING, { headers: TEXT, body: '40' }),
  open('by POST with unknown sid', `${POLLING}&sid=abc`, { method: 'POST', headers: TEXT, body: '40' }),
  open('by OPTIONS with unknown sid', `${POLLING}&sid=abc`, { method: 'OPTIONS' }),
  open('by OPTIONS without query', '/socket.io/', { method: 'OPTIONS' }),
  open('with Origin', POLLING, { headers: { Origin: 'http://page.example' } }),
  open('with Origin null', POLLING, { headers: { Origin: 'null' } }),
  open('with Origin twice', POLLING, { headers: { Origin: ['http://a.example', 'http://b.example'] } }),
  open('with a bad Origin', POLLING, { headers: { Origin: 'http://a.example\u0001' } }),
  open('with Accept-Encoding', POLLING, { headers: { 'Accept-Encoding': 'gzip, deflate, br' } }),
  open('from an old browser', POLLING, { headers: { 'User-Agent': 'Mozilla/5.0 (compatible; MSIE 10.0; Windows NT 6.2; Trident/6.0)' } }),
  open('polling with an upgrade', POLLING, { headers: UPGRADE }),
  open('polling with an upgrade to h2c', POLLING, { headers: { Connection: 'Upgrade, HTTP2-Settings', Upgrade: 'h2c', 'HTTP2-Settings': '' } }),
  open('polling with b64', `${POLLING}&b64=1`),
  open('polling with b64 empty', `${POLLING}&b64=`),
  open('polling with j', `${POLLING}&j=0`),
];

// A WebSocket's opening handshake to the byte; after an answer that is no switch the connection ends.
const handshake = (title, path, headers, request = {}) => [`handshake: ${title}`, async (side) => {
  const connection = await side.ask({ ...request, path: path.replace('EIO=R', `EIO=${side.revision}`), headers });
  const response = await side.response('answer', connection);
  if (response && response.status !== 101) {
    await side.fence();
    side.note('connection', connection.hasAnswered ? 'ended' : 'goes on');
  }
}];

const without = (name) => Object.fromEntries(Object.entries(UPGRADE).filter(([own]) => own !== name));
const WEBSOCKET = '/socket.io/?EIO=R&transport=websocket';

const HANDSHAKE = [
  handshake('as it should be', WEBSOCKET, UPGRADE),
  handshake('path without slash', '/socket.io?EIO=R&transport=websocket', UPGRADE),
  handshake('no EIO', '/socket.io/?transport=websocket', UPGRADE),
  handshake('EIO 5', '/socket.io/?EIO=5&transport=websocket', UPGRADE),
  handshake('EIO 3', '/socket.io/?EIO=3&transport=websocket', UPGRADE),
  handshake('no transport', '/socket.io/?EIO=R', UPGRADE),
  handshake('transport tobi', '/socket.io/?EIO=R&transport=tobi', UPGRADE),
  handshake('transport websocket twice', `${WEBSOCKET}&transport=websocket`, UPGRADE),
  handshake('sid unknown', `${WEBSOCKET}&sid=abcdefghijklmnopqrst`, UPGRADE),
  handshake('sid empty', `${WEBSOCKET}&sid=`, UPGRADE),
  handshake('by POST', WEBSOCKET, UPGRADE, { method: 'POST' }),
  handshake('version 8', WEBSOCKET, { ...UPGRADE, 'Sec-WebSocket-Version': '8' }),
  handshake('version 12', WEBSOCKET, { ...UPGRADE, 'Sec-WebSocket-Version': '12' }),
  handshake('no version', WEBSOCKET, without('Sec-WebSocket-Version')),
  handshake('no key', WEBSOCKET, without('Sec-WebSocket-Key')),
  handshake('bad key', WEBSOCKET, { ...UPGRADE, 'Sec-WebSocket-Key': 'short' }),
  handshake('a subprotocol', WEBSOCKET, { ...UPGRADE, 'Sec-WebSocket-Protocol': 'chat, superchat' }),
  handshake('permessage-deflate', WEBSOCKET, { ...UPGRADE, 'Sec-WebSocket-Extensions': 'permessage-deflate; client_max_window_bits' }),
  handshake('a page elsewhere', WEBSOCKET, { ...UPGRADE, Origin: 'http://page.example' }),
  handshake('bad Origin', WEBSOCKET, { ...UPGRADE, Origin: 'http://a.example\u0001' }),
];

// The same connection goes on after an answer, whatever that was.
const lasting = (title, first, second) => [`lasting: ${title}`, async (side) => {
  const stream = await side.connection();
  for (const [label, request] of [['first', first], ['second', second]]) {
    const { path } = request;
    stream.write(requestBytes({ ...request, path: path.replace('EIO=R', `EIO=${side.revision}`) }), request.method ?? 'GET');
    const response = await stream.response();
    // Without the header a connection goes on too (RFC 9112 section 9.3).
    const connection = response?.headers.get('connection')?.[0].toLowerCase() ?? 'keep-alive';
    side.note(label, response ? `${response.status}, ${connection}` : 'none, connection ended');
  }
}];

const LASTING = [
  lasting('two openings', { path: POLLING }, { path: POLLING }),
  lasting('opening after an error', { path: '/socket.io/?EIO=R&transport=tobi' }, { path: POLLING }),
  lasting('opening after an unknown sid', { path: `${POLLING}&sid=abc` }, { path: POLLING }),
  lasting('opening after a POST with unknown sid', { method: 'POST', path: `${POLLING}&sid=abc`, headers: TEXT, body: '40' }, { path: POLLING }),
  lasting('opening after Connection: close', { path: POLLING, headers: { Connection: 'close' } }, { path: POLLING }),
  lasting('opening after a foreign path', { path: '/elsewhere' }, { path: POLLING }),
];

const PIPELINED = [
  ['pipelined: two openings', async (side) => {
    const connection = await side.connection();
    const request = requestBytes({ path: side.path('polling') });
    connection.write(Buffer.concat([request, request]), 'GET', 'GET');
    for (const label of ['first', 'second']) side.note(`${label} status`, (await connection.response())?.status);
  }],
  ['pipelined: POST and GET', async (side) => {
    const session = await side.joined();
    const connection = await side.connection();
    const body = encode(side.revision, ['42["echo",1]']);
    connection.write(Buffer.concat([
      requestBytes({ method: 'POST', path: session.path, headers: TEXT, body }), requestBytes({ path: session.path }),
    ]), 'POST', 'GET');
    side.describe('post', await connection.response());
    side.note('get packets', session.packets(await connection.response()).join('  '));
  }],
  ['pipelined: GET and POST behind it', async (side) => {
    const session = await side.joined();
    const connection = await side.connection();
    const body = encode(side.revision, ['42["echo",1]']);
    connection.write(Buffer.concat([
      requestBytes({ path: session.path }), requestBytes({ method: 'POST', path: session.path, headers: TEXT, body }),
    ]), 'GET', 'POST');
    await side.fence();
    side.note('get', connection.hasAnswered ? 'answered' : 'parked');
    // What frees the connection comes by another.
    if (!connection.hasAnswered) await session.post(null, ['42["echo",2]']);
    side.note('get packets', session.packets(await connection.response()).join('  '));
    side.note('post status', (await connection.response())?.status);
  }],
];

export const requests = [...OPEN, ...HANDSHAKE, ...LASTING, ...PIPELINED];
