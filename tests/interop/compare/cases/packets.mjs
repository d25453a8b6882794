// Socket.IO packets, over either transport: what is sent, what comes back, whether the session lives on.
const PLACEHOLDER = (number) => `{"_placeholder":true,"num":${number}}`;
const bytes = (...values) => Buffer.from(values);
const deep = (depth) => `${'['.repeat(depth)}${']'.repeat(depth)}`;

// Packets of a client that has joined the main namespace.
const MEMBER = [
  ['event without arguments', '42["echo"]'],
  ['event', '42["echo",1,"€😀",null,{"a":[true]}]'],
  ['event with ack', '420["echo",1]', '4212["echo"]'],
  ['two events', '42["echo",1]', '42["echo",2]'],
  ['event nobody listens to', '42["unheard",1]', '427["unheard"]'],
  ['event with space in JSON', '42[ "echo" ,\t1,\n2 ]'],
  ['event with space before JSON', '42 ["echo"]'],
  ['event with escapes', '42["\\u0065cho","\\u0041\\/\\n\\ud83d\\ude00"]'],
  ['event with lone surrogate', '42["echo","\\ud800"]'],
  ['event with doubled key', '42["echo",{"a":1,"a":2}]'],
  ['event with number forms', '42["echo",1.0,1e2,-0,0.10]'],
  ['event with 1e999', '42["echo",1e999]'],
  ['event with long integer', '42["echo",12345678901234567890]'],
  ['event with __proto__ key', '42["echo",{"__proto__":{"a":1}}]'],
  ['event with NUL escaped', '42["echo","\\u0000"]'],
  ['event with raw control character', '42["echo","\u0001"]'],
  ['event with line separators', '42["echo","\u2028\u2029"]'],
  ['event 100 deep', `42["echo",${deep(100)}]`],
  ['event 1000 deep', `42["echo",${deep(1000)}]`],
  ['name is a number', '42[1,"a"]'],
  ['name is null', '42[null]'],
  ['name is an object', '42[{"toString":"echo"}]'],
  ['name is an array', '42[["echo"]]'],
  ['name is true', '42[true]'],
  ['name is empty', '42[""]'],
  ['name is __proto__', '42["__proto__"]'],
  ['name is error', '42["error",1]'],
  ['name is newListener', '42["newListener","echo"]'],
  ['name is removeListener', '42["removeListener","echo"]'],
  ['name is connect', '42["connect"]'],
  ['name is connect_error', '42["connect_error"]'],
  ['name is connection', '42["connection"]'],
  ['name is disconnect', '42["disconnect","x"]'],
  ['name is disconnecting', '42["disconnecting","x"]'],
  ['event is empty array', '42[]'],
  ['event is object', '42{}'],
  ['event is string', '42"echo"'],
  ['event is null', '42null'],
  ['event without data', '42'],
  ['event with id alone', '427'],
  ['event cut short', '42["echo"'],
  ['event with something behind', '42["echo"]x'],
  ['event with comma too many', '42["echo",]'],
  ['event with single quotes', "42['echo']"],
  ['event with placeholder and no attachment', `42["echo",${PLACEHOLDER(0)}]`],
  ['ack id with zeros', '42007["echo"]'],
  ['ack id 2^53', '429007199254740993["echo"]'],
  ['ack id of 20 digits', '4299999999999999999999["echo"]'],
  ['ack id of 400 digits', `42${'9'.repeat(400)}["echo"]`],
  ['negative ack id', '42-1["echo"]'],
  ['ack nobody asked for', '4399["x"]'],
  ['ack without id', '43["x"]'],
  ['ack without data', '430'],
  ['ack with object', '430{}'],
  ['ack with bad JSON', '430["x"'],
  ['ack of 20 digits', '4399999999999999999999["x"]'],
  ['question and answer', '42["ask","?"]', '43ID["!"]'],
  ['question answered twice', '42["ask","?"]', '43ID["!"]', '43ID["!!"]'],
  ['question answered with nothing', '42["ask","?"]', '43ID[]'],
  ['question answered in another namespace', '42["ask","?"]', '40/open,', '43/open,ID["!"]', '43ID["!!"]'],
  ['question answered with object', '42["ask","?"]', '43ID{"a":1}'],
  ['type 7', '47["echo"]'],
  ['type 9', '49'],
  ['type x', '4x'],
  ['type -', '4-1'],
  ['message without packet', '4'],
  ['CONNECT twice', '40'],
  ['CONNECT / twice', '40/,'],
  ['CONNECT twice with auth', '40{"a":1}'],
  ['CONNECT /open', '40/open,', '42/open,["echo",1]'],
  ['CONNECT /open without comma', '40/open', '42/open,["echo",1]'],
  ['CONNECT /open with auth', '40/open,{"a":[1]}', '42/open,0["auth"]'],
  ['CONNECT /open with query', '40/open?x=1&y=%20,', '42/open,["echo",1]'],
  ['CONNECT /open twice', '40/open,', '40/open,'],
  ['CONNECT /open with auth a string', '40/open,"x"', '42/open,0["auth"]'],
  ['CONNECT /open with auth an array', '40/open,["x"]', '42/open,0["auth"]'],
  ['CONNECT /open with auth null', '40/open,null', '42/open,0["auth"]'],
  ['CONNECT /open with auth a number', '40/open,1', '42/open,0["auth"]'],
  ['CONNECT /open with bad JSON', '40/open,{"a"'],
  ['CONNECT /open with id', '40/open,5', '42/open,["echo"]'],
  ['CONNECT /open with id and auth', '40/open,5{"a":1}', '42/open,0["auth"]'],
  ['CONNECT /OPEN', '40/OPEN,'],
  ['CONNECT /open/', '40/open/,'],
  ['CONNECT open', '40open,'],
  ['CONNECT with empty name', '40/,{}'],
  ['CONNECT /nope', '40/nope,'],
  ['CONNECT /nope twice', '40/nope,', '40/nope,'],
  ['CONNECT /nope with query', '40/nope?a=b,'],
  ['CONNECT /nope without comma', '40/nope'],
  ['CONNECT /nope in other letters', '40/nöpe€,'],
  ['CONNECT /nope with quotes', '40/"\\<,'],
  ['CONNECT /__proto__', '40/__proto__,'],
  ['CONNECT to a name of 5000 bytes', `40/${'n'.repeat(5000)},`],
  ['CONNECT /admin', '40/admin,'],
  ['CONNECT /admin with wrong token', '40/admin,{"token":"wrong"}'],
  ['CONNECT /admin with token', '40/admin,{"token":"secret"}', '42/admin,["echo",1]'],
  ['CONNECT /admin with token in query', '40/admin?token=secret,', '42/admin,["echo",1]'],
  ['CONNECT /admin refused, then accepted', '40/admin,', '40/admin,{"token":"secret"}'],
  ['event in refused namespace', '40/admin,', '42/admin,["echo"]'],
  ['DISCONNECT', '41'],
  ['DISCONNECT, then event', '41', '42["echo"]'],
  ['DISCONNECT, then CONNECT', '41', '40', '42["echo",1]'],
  ['DISCONNECT twice', '41', '41'],
  ['DISCONNECT with data', '41{"a":1}'],
  ['DISCONNECT with comma', '41,'],
  ['DISCONNECT /open joined', '40/open,', '41/open,', '42["echo",1]'],
  ['DISCONNECT /open not joined', '41/open,'],
  ['DISCONNECT /nope', '41/nope,'],
  ['DISCONNECT / with /open joined', '40/open,', '41', '42/open,["echo",1]'],
  ['event in namespace not joined', '42/open,["echo"]'],
  ['event in namespace that there is not', '42/nope,["echo"]'],
  ['event after DISCONNECT of its namespace', '40/open,', '41/open,', '42/open,["echo"]'],
  ['ack in namespace not joined', '43/open,0[]'],
  ['event in / by name', '42/,["echo",1]'],
  ['CONNECT_ERROR from a client', '44{"message":"x"}'],
  ['CONNECT_ERROR without data from a client', '44'],
  ['CONNECT_ERROR /open from a client', '44/open,{"message":"x"}'],
  ['made to leave', '42["leave"]'],
  ['made to leave, then event', '42["leave"]', '42["echo"]'],
  ['made to leave, then CONNECT', '42["leave"]', '40', '42["echo",1]'],
  ['made to leave one of two', '40/open,', '42/open,["leave"]', '42["echo",1]'],
  ['closed by the server', '42["close"]'],
  ['closed by the server with two namespaces', '40/open,', '42["close"]'],
  ['event to all', '42["all",1]'],

  ['attachment', `451-["echo",${PLACEHOLDER(0)}]`, bytes(1, 2, 3)],
  ['attachment empty', `451-["echo",${PLACEHOLDER(0)}]`, bytes()],
  ['attachments, two', `452-["echo",${PLACEHOLDER(0)},{"a":[${PLACEHOLDER(1)}]}]`, bytes(1), bytes(2)],
  ['attachments, ten', `4510-["echo",${Array.from({ length: 10 }, (_, n) => PLACEHOLDER(n))}]`, ...Array.from({ length: 10 }, (_, n) => bytes(n))],
  ['attachments, eleven', `4511-["echo",${Array.from({ length: 11 }, (_, n) => PLACEHOLDER(n))}]`, ...Array.from({ length: 11 }, (_, n) => bytes(n))],
  ['attachments, 999999999999 announced', `45999999999999-["echo",${PLACEHOLDER(0)}]`],
  ['attachment with ack', `451-3["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['attachment in namespace', '40/open,', `451-/open,["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['attachment in namespace with ack', '40/open,', `451-/open,5["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['attachment in namespace not joined', `451-/open,["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['attachment missing, then text', `451-["echo",${PLACEHOLDER(0)}]`, '42["echo",1]'],
  ['attachment missing, then another attachment packet', `451-["echo",${PLACEHOLDER(0)}]`, `451-["echo",${PLACEHOLDER(0)}]`],
  ['attachments, one of two, then text', `452-["echo",${PLACEHOLDER(0)},${PLACEHOLDER(1)}]`, bytes(1), '42["echo",1]'],
  ['attachment, one too many', `451-["echo",${PLACEHOLDER(0)}]`, bytes(1), bytes(2)],
  ['attachments out of order', `452-["echo",${PLACEHOLDER(1)},${PLACEHOLDER(0)}]`, bytes(1), bytes(2)],
  ['attachment used twice', `451-["echo",${PLACEHOLDER(0)},${PLACEHOLDER(0)}]`, bytes(1)],
  ['attachment not used', '451-["echo",1]', bytes(1)],
  ['attachments, one of two not used', `452-["echo",${PLACEHOLDER(1)}]`, bytes(1), bytes(2)],
  ['attachments, zero', '450-["echo",1]'],
  ['attachments, zero, then one', '450-["echo",1]', bytes(1)],
  ['attachments, zero, with placeholder', `450-["echo",${PLACEHOLDER(0)}]`],
  ['attachment unannounced', bytes(1, 2, 3)],
  ['placeholder out of range', `451-["echo",${PLACEHOLDER(1)}]`, bytes(1)],
  ['placeholder negative', `451-["echo",${PLACEHOLDER(-1)}]`, bytes(1)],
  ['placeholder fraction', `451-["echo",${PLACEHOLDER(0.5)}]`, bytes(1)],
  ['placeholder string', `451-["echo",${PLACEHOLDER('"0"')}]`, bytes(1)],
  ['placeholder splice', `451-["echo",${PLACEHOLDER('"splice"')}]`, bytes(1)],
  ['placeholder without number', '451-["echo",{"_placeholder":true}]', bytes(1)],
  ['placeholder false', '451-["echo",{"_placeholder":false,"num":0}]', bytes(1)],
  ['placeholder is 1', '451-["echo",{"_placeholder":1,"num":0}]', bytes(1)],
  ['placeholder with more members', '451-["echo",{"a":1,"num":0,"_placeholder":true}]', bytes(1)],
  ['placeholder as name', `451-[${PLACEHOLDER(0)},1]`, bytes(1)],
  ['count missing', `45-["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['count and dash missing', `45["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['dash missing', `451["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['count 1e1', `451e1-["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['count with plus', `45+1-["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['count with space', `45 1-["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['count 01', `4501-["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['count 0x1', `450x1-["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['count 1.0', `451.0-["echo",${PLACEHOLDER(0)}]`, bytes(1)],
  ['attachment event with bad JSON', '451-["echo"', bytes(1)],
  ['attachment event with reserved name', `451-["connect",${PLACEHOLDER(0)}]`, bytes(1)],
  ['question answered with attachment', '42["ask","?"]', `461-ID[${PLACEHOLDER(0)}]`, bytes(7)],
  ['attachment ack nobody asked for', `461-99[${PLACEHOLDER(0)}]`, bytes(7), '42["echo",1]'],
  ['attachment ack without id', `461-[${PLACEHOLDER(0)}]`, bytes(7), '42["echo",1]'],
  ['DISCONNECT between packet and attachment', `451-["echo",${PLACEHOLDER(0)}]`, '41'],
  ['attachment question', `451-["ask",${PLACEHOLDER(0)}]`, bytes(9), '43ID["!"]'],
];

// Packets of a client that has opened a session, and joined nothing; with revision 3 it is in the main namespace then.
const OPENED = [
  ['not joined: event', '42["echo"]'],
  ['not joined: ack', '430["echo"]'],
  ['not joined: DISCONNECT', '41'],
  ['not joined: DISCONNECT, then CONNECT', '41', '40'],
  ['not joined: CONNECT_ERROR', '44{"message":"x"}'],
  ['not joined: attachment packet', `451-["echo",${PLACEHOLDER(0)}]`],
  ['not joined: attachment', Buffer.from([1])],
  ['not joined: attachment packet and attachment', `451-["echo",${PLACEHOLDER(0)}]`, Buffer.from([1])],
  ['not joined: CONNECT', '40'],
  ['not joined: CONNECT /', '40/'],
  ['not joined: CONNECT /,', '40/,'],
  ['not joined: CONNECT with auth', '40{"a":1}', '420["auth"]'],
  ['not joined: CONNECT with auth a string', '40"x"', '420["auth"]'],
  ['not joined: CONNECT with auth an array', '40["x"]', '420["auth"]'],
  ['not joined: CONNECT with auth null', '40null', '420["auth"]'],
  ['not joined: CONNECT with auth a number', '401', '42["echo"]'],
  ['not joined: CONNECT with auth true', '40true', '420["auth"]'],
  ['not joined: CONNECT with empty auth', '40{}', '420["auth"]'],
  ['not joined: CONNECT with bad JSON', '40{"a"'],
  ['not joined: CONNECT with query', '40?a=b', '42["echo"]'],
  ['not joined: CONNECT with event behind', '40', '42["echo",1]'],
  ['not joined: CONNECT /open alone', '40/open,', '42/open,["echo",1]'],
  ['not joined: CONNECT /nope', '40/nope,'],
  ['not joined: CONNECT /nope, then /', '40/nope,', '40', '42["echo",1]'],
  ['not joined: CONNECT /admin refused', '40/admin,'],
  ['not joined: recovery with unknown pid', '40{"pid":"x","offset":"y"}', '42["echo",1]'],
  ['not joined: message without packet', '4'],
];

const binary = (revision, packet) => (Buffer.isBuffer(packet) && revision === 3 ? Buffer.concat([Buffer.from([4]), packet]) : packet);

// An answer carries the id that the server chose for its question.
const QUESTION = /^(4[25](?:\d+-)?)(\d+)(?=\["question")/;
const identified = (packet, id) => (Buffer.isBuffer(packet) ? packet : packet.replace('ID', id));

const onWebSocket = (begin) => ([title, ...packets]) => [`WebSocket: ${title}`, async (side) => {
  const socket = await begin(side);
  const answers = [];
  let id = '';
  // One by one: what follows may be an answer to what comes back.
  for (const packet of packets) {
    if (socket.end !== 'open') break;
    socket.send(binary(side.revision, identified(packet, id)));
    const answer = await socket.settled();
    id = answer.map((found) => QUESTION.exec(found)?.[2]).find(Boolean) ?? id;
    answers.push(answer.map((found) => found.replace(QUESTION, '$1ID')).join('  '));
  }
  await side.outcome('answers', [...answers, socket.end].join(' / '), socket.sid);
}];

const onPolling = (begin) => ([title, ...packets]) => [`polling: ${title}`, async (side) => {
  const session = await begin(side);
  const answers = [];
  for (const packet of packets) {
    const { status, body } = await session.post(null, [packet]);
    answers.push(`${status} ${body}`);
  }
  side.note('posts', answers.join('  '));
  await side.outcome('answers', await session.hear(), session.sid);
}];

const answersNothing = ([, ...list]) => !list.some((packet) => !Buffer.isBuffer(packet) && packet.includes('ID'));

// Attachments of clients that are set to have no binary messages.
const asText = (revision, data) => `b${revision === 3 ? '4' : ''}${data.toString('base64')}`;

const TEXT = [['', 'unasked'], ['&b64=1', 'b64=1'], ['&b64=', 'b64 empty']].flatMap(([extra, title]) => [
  [`WebSocket: attachment as text, ${title}`, asText],
  [`WebSocket: attachment as text without padding, ${title}`, (...args) => asText(...args).replaceAll('=', '')],
  [`WebSocket: attachment as text of no bytes, ${title}`, (revision) => asText(revision, bytes())],
  [`WebSocket: attachment binary, ${title}`, binary],
].map(([name, form]) => [name, async (side) => {
  const socket = await side.member(extra);
  socket.send(`451-["echo",${PLACEHOLDER(0)}]`);
  socket.send(form(side.revision, bytes(1, 2, 3, 255)));
  await side.outcome('answers', [...await socket.settled(), socket.end].join(' / '), socket.sid);
}]));

export const packets = [
  ...MEMBER.map(onWebSocket((side) => side.member())),
  ...TEXT,
  ...OPENED.map(onWebSocket((side) => side.session())),
  ...MEMBER.filter(answersNothing).map(onPolling((side) => side.joined())),
  ...OPENED.map(onPolling((side) => side.polling())),
];
