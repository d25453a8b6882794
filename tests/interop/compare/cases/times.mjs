// Heartbeats and time-outs, with short intervals. Only the order of what happens is compared, and that nothing ends too early.
const pause = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds); });

// Whether something took about as long as it is configured: the machine may be slow, never fast.
function notBefore(side, label, begun, milliseconds) {
  const taken = performance.now() - begun;
  side.note(label, taken >= milliseconds * 0.9 ? 'not before its time' : `after ${taken} ms instead of ${milliseconds}`);
}

const SERVER_PINGS = [
  ['heartbeat: WebSocket, answered', async (side) => {
    const begun = performance.now();
    const socket = await side.member();
    for (let times = 0; times < 3; times += 1) {
      side.note('ping', await socket.next());
      socket.send('3');
    }
    notBefore(side, 'three pings', begun, 3 * side.options.pingInterval);
    await side.where('after', socket.sid);
  }],
  ['heartbeat: WebSocket, not answered', async (side) => {
    const begun = performance.now();
    const socket = await side.member();
    await side.ended('socket', socket);
    notBefore(side, 'end', begun, side.options.pingInterval + side.options.pingTimeout);
    await side.gone('after', socket.sid);
  }],
  ['heartbeat: polling, answered', async (side) => {
    const session = await side.joined();
    for (let times = 0; times < 3; times += 1) {
      await session.get('get');
      await session.post('post', ['3']);
    }
    await side.where('after', session.sid);
  }],
  ['heartbeat: polling, not answered', async (side) => {
    const session = await side.joined();
    await session.get('ping');
    await session.get('next');
    await side.gone('after', session.sid);
  }],
  ['heartbeat: polling, no GET at all', async (side) => {
    const session = await side.joined();
    await pause(side.options.pingInterval + side.options.pingTimeout);
    await side.gone('after', session.sid);
    await session.get('get');
  }],
  ['heartbeat: pong unasked', async (side) => {
    const socket = await side.member();
    socket.send('3', '3');
    side.note('ping', await socket.next());
    socket.send('3');
    side.note('ping', await socket.next());
  }],
  ['heartbeat: after the upgrade', async (side) => {
    const session = await side.joined();
    const socket = await side.socket(null, { sid: session.sid });
    socket.send('2probe');
    side.note('probe', await socket.next());
    socket.send('5');
    side.note('ping', await socket.next());
    socket.send('3');
    side.note('ping', await socket.next());
  }],
];

const CLIENT_PINGS = [
  ['heartbeat: WebSocket, kept up', async (side) => {
    const socket = await side.member();
    for (let times = 0; times < 4; times += 1) {
      await pause(side.options.pingInterval);
      socket.send('2');
      side.note('pong', await socket.next());
    }
    await side.where('after', socket.sid);
  }],
  ['heartbeat: WebSocket, silent', async (side) => {
    const begun = performance.now();
    const socket = await side.member();
    await side.ended('socket', socket);
    notBefore(side, 'end', begun, side.options.pingInterval + side.options.pingTimeout);
    await side.gone('after', socket.sid);
  }],
  ['heartbeat: polling, kept up', async (side) => {
    const session = await side.joined();
    for (let times = 0; times < 3; times += 1) {
      await pause(side.options.pingInterval);
      await session.post('post', ['2']);
      await session.get('get');
    }
    await side.where('after', session.sid);
  }],
  ['heartbeat: polling, silent with a GET', async (side) => {
    const session = await side.joined();
    await session.get('get');
    await side.gone('after', session.sid);
  }],
];

const BOTH = [
  ['upgrade not finished: silent', async (side) => {
    const session = await side.joined();
    const begun = performance.now();
    const socket = await side.socket(null, { sid: session.sid });
    await alive(side, session, socket.ended());
    side.note('socket', socket.end);
    notBefore(side, 'end', begun, side.options.upgradeTimeout);
    await side.where('after', session.sid);
  }],
  ['upgrade not finished: probed', async (side) => {
    const session = await side.joined();
    const begun = performance.now();
    const socket = await side.socket(null, { sid: session.sid });
    socket.send('2probe');
    side.note('probe', await socket.next());
    await alive(side, session, socket.ended());
    side.note('socket', socket.end);
    notBefore(side, 'end', begun, side.options.upgradeTimeout);
    await side.where('after', session.sid);
  }],
];

const CONNECTS = [
  ['no CONNECT: WebSocket', async (side) => {
    const begun = performance.now();
    const socket = await side.session();
    await side.ended('socket', socket);
    notBefore(side, 'end', begun, side.options.connectTimeout);
    await side.gone('after', socket.sid);
  }],
  ['no CONNECT: polling', async (side) => {
    const begun = performance.now();
    const session = await side.polling();
    await session.get('get');
    notBefore(side, 'end', begun, side.options.connectTimeout);
    await side.gone('after', session.sid);
  }],
  ['no CONNECT: refused ones do not count', async (side) => {
    const socket = await side.session();
    socket.send('40/nope,', '40/admin,');
    await side.ended('socket', socket);
  }],
  ['no CONNECT: any namespace will do', async (side) => {
    const socket = await side.session();
    socket.send('40/open,');
    await socket.settled();
    await pause(side.options.connectTimeout * 2);
    await side.settled('socket', socket);
  }],
];

// Keeps a session alive until something has happened.
async function alive(side, session, happened) {
  let waiting = true;
  const beats = (async () => {
    while (waiting) {
      await session.post(null, [side.revision === 4 ? '3' : '2']);
      await pause(100);
    }
  })();
  try {
    await happened;
  } finally {
    waiting = false;
    await beats;
  }
}

export const heartbeats = (revision) => [...(revision === 4 ? SERVER_PINGS : CLIENT_PINGS), ...BOTH];
export const connects = CONNECTS;
