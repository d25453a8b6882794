// What only browsers do: pages from elsewhere, cookies, scripts instead of requests (JSONP), base64 and binary bodies.
import { decode, encode } from '../payload.mjs';
import { Polling } from '../polling.mjs';

const TEXT = { 'Content-Type': 'text/plain;charset=UTF-8' };
const FORM = { 'Content-Type': 'application/x-www-form-urlencoded' };
const GOOD = 'http://good.example';
const POLLING = (side) => ({ path: side.path('polling') });

// Of an opening only the headers: the packets are looked at elsewhere.
async function heads(side, label, request) {
  const response = await side.request(null, request);
  side.normal(response?.body.toString() ?? '');
  side.describe(label, response && { ...response, body: Buffer.from(response.status === 200 ? '' : response.body) });
  return response;
}

const from = (origin) => (origin === null ? {} : { Origin: origin });

const page = (who, origin) => [
  [`page ${who}: opens`, async (side) => { await heads(side, 'answer', { ...POLLING(side), headers: from(origin) }); }],
  [`page ${who}: asks before`, async (side) => {
    await side.request('answer', { method: 'OPTIONS', ...POLLING(side), headers: { ...from(origin), 'Access-Control-Request-Method': 'POST', 'Access-Control-Request-Headers': 'content-type, x-own' } });
  }],
  [`page ${who}: asks before a GET`, async (side) => {
    await side.request('answer', { method: 'OPTIONS', ...POLLING(side), headers: { ...from(origin), 'Access-Control-Request-Method': 'GET' } });
  }],
  [`page ${who}: asks before for a method that there is not`, async (side) => {
    await side.request('answer', { method: 'OPTIONS', ...POLLING(side), headers: { ...from(origin), 'Access-Control-Request-Method': 'DELETE' } });
  }],
  [`page ${who}: asks before, with a session`, async (side) => {
    const session = await side.joined('', from(GOOD));
    await side.request('answer', { method: 'OPTIONS', path: session.path, headers: { ...from(origin), 'Access-Control-Request-Method': 'POST' } });
  }],
  [`page ${who}: OPTIONS without asking`, async (side) => {
    await side.request('answer', { method: 'OPTIONS', ...POLLING(side), headers: from(origin) });
  }],
  [`page ${who}: posts and gets`, async (side) => {
    const session = await side.joined('', from(GOOD));
    await side.request('post', { method: 'POST', path: session.path, headers: { ...TEXT, ...from(origin) }, body: encode(side.revision, ['42["echo",1]']) });
    // Where the POST was refused there is nothing to get.
    await session.post(null, ['42["echo",2]']);
    await side.request('get', { path: session.path, headers: from(origin) });
  }],
  [`page ${who}: makes an error`, async (side) => {
    await side.request('answer', { path: `${side.path('polling')}&sid=abc`, headers: from(origin) });
  }],
  [`page ${who}: WebSocket`, async (side) => {
    const connection = await side.ask({ path: side.path('websocket'), headers: {
      Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==', ...from(origin) } });
    await side.response('answer', connection);
  }],
];

export const pages = [...page('nowhere', null), ...page('good', GOOD), ...page('bad', 'http://bad.example'), ...page('null', 'null')];

export const cookies = [
  ['cookie: opening', async (side) => { await heads(side, 'answer', POLLING(side)); }],
  ['cookie: opening with a cookie', async (side) => { await heads(side, 'answer', { ...POLLING(side), headers: { Cookie: 'io=x; a=b' } }); }],
  ['cookie: later responses', async (side) => {
    const session = await side.joined();
    await session.post('post', ['42["echo",1]']);
    await session.get('get');
  }],
  ['cookie: an error', async (side) => { await side.request('answer', { path: `${side.path('polling')}&sid=abc` }); }],
  ['cookie: opening a WebSocket', async (side) => {
    const connection = await side.ask({ path: side.path('websocket'), headers: {
      Connection: 'Upgrade', Upgrade: 'websocket', 'Sec-WebSocket-Version': '13', 'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==' } });
    const response = await connection.response();
    const [cookie] = response.headers.get('set-cookie') ?? [];
    side.note('status', response.status);
    // The id itself is told behind the response.
    side.note('cookie', cookie?.replace(/=[^;]+/, '=ID') ?? 'none');
  }],
];

// --- revision 3 alone ---

// Clients of revision 3 ask for text if their browser has no binary requests.
const SENT = '451-["echo",{"_placeholder":true,"num":0},"€"]';
const attachment = Buffer.from([0, 1, 0xfe, 0xff]);

const bodies = [
  ['response: binary without b64', async (side) => {
    const session = await side.joined();
    await session.raw('post', encode(3, [SENT, attachment], { binary: true }), { 'Content-Type': 'application/octet-stream' });
    const response = await session.get();
    side.note('type', response.headers.get('content-type'));
    side.note('bytes', response.body.toString('hex'));
  }],
  ['response: binary with b64', async (side) => {
    const session = await side.joined('&b64=1');
    await session.post('post', [SENT, attachment]);
    await session.get('get');
  }],
  ['response: text without b64', async (side) => {
    const session = await side.joined();
    await session.post('post', ['42["echo","€"]', '42["echo","😀"]']);
    const response = await session.get();
    side.note('type', response.headers.get('content-type'));
    side.note('bytes', response.body.toString('hex'));
  }],
  ['response: text with b64', async (side) => {
    const session = await side.joined('&b64=1');
    await session.post('post', ['42["echo","€"]', '42["echo","😀"]']);
    await session.get('get');
  }],
  ['response: b64 in the first request only', async (side) => {
    const session = await side.joined('&b64=1');
    session.extra = '';
    await session.post('post', [SENT, attachment]);
    const response = await session.get();
    side.note('type', response.headers.get('content-type'));
    side.note('packets', decode(3, response.body, response.headers.get('content-type')[0]).join('  '));
  }],
  ['response: b64 in the second request only', async (side) => {
    const session = await side.joined();
    session.extra = '&b64=1';
    await session.post('post', [SENT, attachment]);
    const response = await session.get();
    side.note('type', response.headers.get('content-type'));
    side.note('packets', decode(3, response.body, response.headers.get('content-type')[0]).join('  '));
  }],
  ['response: opening with b64', async (side) => { await heads(side, 'answer', { path: `${side.path('polling')}&b64=1` }); }],
  ['response: pong of a probe ping', async (side) => {
    const session = await side.joined();
    await session.post('post', ['2probe', '2', '2x']);
    await session.get('get');
  }],
  ['response: message after message', async (side) => {
    const session = await side.joined();
    await session.post('post', ['42["burst",3]']);
    await session.get('get');
  }],
  ['response: to WebSocket after binary', async (side) => {
    const session = await side.joined();
    const socket = await side.socket(null, { sid: session.sid });
    socket.send('2probe');
    side.note('probe', await socket.next());
    socket.send('5', SENT, Buffer.concat([Buffer.from([4]), attachment]));
    await side.settled('socket', socket);
  }],
];

const script = (response) => response?.body.toString() ?? 'none';

const scripts = [
  ['JSONP: opening', async (side) => {
    const response = await side.request(null, { path: `${side.path('polling')}&j=7` });
    side.normal(script(response).replaceAll('\\', ''));
    side.note('status', response.status);
    side.note('type', response.headers.get('content-type'));
    for (const name of ['x-content-type-options', 'content-disposition']) side.note(name, response.headers.get(name) ?? 'none');
    side.note('shape', script(response).replace(/\d+:0\{.*\}/, 'OPEN'));
  }],
  ['JSONP: events', async (side) => {
    const session = await jsonp(side, '&j=0');
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: `d=${encodeURIComponent(encode(3, ['42["echo","\u2028€😀\\"\'</script>"]']))}` });
    await session.get('get');
  }],
  ['JSONP: attachment', async (side) => {
    const session = await jsonp(side, '&j=0');
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: `d=${encodeURIComponent(encode(3, [SENT, attachment]))}` });
    await session.get('get');
  }],
  ['JSONP: another j later', async (side) => {
    const session = await jsonp(side, '&j=0');
    session.extra = '&j=5';
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: `d=${encodeURIComponent(encode(3, ['42["echo",1]']))}` });
    await session.get('get');
  }],
  ['JSONP: no j later', async (side) => {
    const session = await jsonp(side, '&j=0');
    session.extra = '';
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: `d=${encodeURIComponent(encode(3, ['42["echo",1]']))}` });
    await session.get('get');
  }],
  ['JSONP: j is not a number', async (side) => {
    const response = await side.request(null, { path: `${side.path('polling')}&j=alert(1)//` });
    side.normal(script(response).replaceAll('\\', ''));
    side.note('shape', script(response).replace(/\d+:0\{.*\}/, 'OPEN'));
  }],
  ['JSONP: j has digits and more', async (side) => {
    const response = await side.request(null, { path: `${side.path('polling')}&j=a1b2` });
    side.normal(script(response).replaceAll('\\', ''));
    side.note('shape', script(response).replace(/\d+:0\{.*\}/, 'OPEN'));
  }],
  ['JSONP: j is empty', async (side) => {
    const response = await side.request(null, { path: `${side.path('polling')}&j=` });
    side.normal(script(response).replaceAll('\\', ''));
    side.note('shape', script(response).replace(/\d+:0\{.*\}/, 'OPEN'));
  }],
  ['JSONP: j of 40 digits', async (side) => {
    const response = await side.request(null, { path: `${side.path('polling')}&j=${'1'.repeat(40)}` });
    side.normal(script(response).replaceAll('\\', ''));
    side.note('shape', script(response).replace(/\d+:0\{.*\}/, 'OPEN'));
  }],
  ['JSONP: error', async (side) => { await side.request('answer', { path: `${side.path('polling')}&j=0&sid=abc` }); }],
  ['JSONP: POST without form', async (side) => {
    const session = await jsonp(side, '&j=0');
    await session.raw('post', encode(3, ['42["echo",1]']));
    await side.where('after', session.sid);
  }],
  ['JSONP: form with plus and line ends', async (side) => {
    const session = await jsonp(side, '&j=0');
    // A browser's form turns a line end into two characters; clients write a backslash and n for it, and double that.
    const payload = encode(3, ['42["echo","a b+c\\\\n\\n"]']).toString();
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: `d=${encodeURIComponent(payload).replaceAll('%20', '+')}` });
    await session.get('get');
  }],
  ['JSONP: form with other fields', async (side) => {
    const session = await jsonp(side, '&j=0');
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: `x=1&d=${encodeURIComponent(encode(3, ['42["echo",1]']))}` });
    await session.get('get');
  }],
  ['JSONP: form without d', async (side) => {
    const session = await jsonp(side, '&j=0');
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: 'x=1' });
    await side.where('after', session.sid);
  }],
  ['JSONP: form with bad payload', async (side) => {
    const session = await jsonp(side, '&j=0');
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: 'd=9%3A4' });
    await side.where('after', session.sid);
  }],
  ['JSONP: closed by the client', async (side) => {
    const session = await jsonp(side, '&j=0');
    const get = await session.getting();
    await side.request('post', { method: 'POST', path: session.path, headers: FORM, body: 'd=1%3A1' });
    side.describe('get', await get.response());
    await side.where('after', session.sid);
  }],
];

// A session whose responses are scripts; it has joined.
async function jsonp(side, extra) {
  const session = new Polling();
  Object.assign(session, { side, extra });
  const response = await side.request(null, { path: side.path('polling', null, extra) });
  const text = JSON.parse(/^___eio\[\d+\]\((".*")\);$/.exec(script(response))?.[1] ?? '""');
  const found = decode(3, Buffer.from(text));
  session.sid = JSON.parse(found[0].slice(1)).sid;
  side.learn(session.sid);
  if (!found.includes('40')) await session.get();
  return session;
}

export const oldBrowsers = [...bodies, ...scripts];
