// Connection state recovery: how clients come back, by WebSocket, and what they get then.

// An event that asks for no acknowledgement, and the offset behind its arguments, which is the server's own.
const EVENT = /^(4(?:2|5\d+-)(?:\/[^,]*,)?\[.*),"([^"]+)"\]$/;
const ANSWER = /"(sid|pid)":"([^"]+)"/g;

class Client {
  // What the server gave it.
  pid = null;
  offset = null;

  static async join(side, label = null, packet = '40') {
    const client = new Client();
    await client.connect(side, label, packet);
    return client;
  }

  async connect(side, label, packet) {
    this.socket = await side.session();
    this.socket.send(packet);
    await this.hears(side, label);
  }

  // Takes what has come, and keeps what it is to come back with.
  async hears(side, label = null) {
    const packets = (await this.socket.settled()).map((packet) => {
      const [, event, offset] = EVENT.exec(packet) ?? [];
      if (offset) this.offset = offset;
      if (packet.startsWith('40')) {
        for (const [, name, value] of packet.matchAll(ANSWER)) {
          side.learn(value);
          if (name === 'pid') this.pid = value;
        }
      }
      return offset ? `${event},<offset>]` : packet;
    });
    if (label) side.note(label, [...packets, this.socket.end].join(' / '));
  }

  async lose(side) {
    this.socket.destroy();
    await side.gone('lost', this.socket.sid);
  }

  claim(change = {}) {
    return JSON.stringify({ pid: this.pid, offset: this.offset ?? undefined, ...change });
  }

  async comeBack(side, packet = `40${this.claim()}`) {
    await this.connect(side, 'back', packet);
  }
}

// One who has got an event, and one who speaks to all.
async function two(side) {
  const [speaker, client] = [await Client.join(side), await Client.join(side)];
  speaker.socket.send('42["all","before"]');
  await speaker.hears(side);
  await client.hears(side);
  return { speaker, client };
}

async function says(side, speaker, ...packets) {
  speaker.socket.send(...packets);
  await speaker.hears(side);
}

export const recovery = [
  ['recovery: CONNECT, and events with an offset or without', async (side) => {
    const client = await Client.join(side, 'connect');
    client.socket.send('42["echo"]', '42["echo",1,{"a":[]}]', '42["echo","text"]', '427["echo",1]', '42["ask","?"]');
    await client.hears(side, 'events');
  }],
  ['recovery: binary event', async (side) => {
    const client = await Client.join(side);
    client.socket.send('451-["echo",{"_placeholder":true,"num":0}]', Buffer.from([1, 2]));
    await client.hears(side, 'event');
  }],
  ['recovery: another namespace', async (side) => {
    const client = await Client.join(side, 'connect', '40/open,');
    client.socket.send('42/open,["echo",1]');
    await client.hears(side, 'event');
    await client.lose(side);
    await client.comeBack(side, `40/open,${client.claim()}`);
  }],
  ['recovery: nothing missed', async (side) => {
    const { client } = await two(side);
    await client.lose(side);
    await client.comeBack(side);
    client.socket.send('42["echo",1]');
    await client.hears(side, 'event');
  }],
  ['recovery: events missed', async (side) => {
    const { speaker, client } = await two(side);
    await client.lose(side);
    await says(side, speaker, '42["all",1]', '42["all","€😀",null]', '42["echo","not for it"]');
    await client.comeBack(side);
    await says(side, speaker, '42["all","after"]');
    await client.hears(side, 'after');
  }],
  ['recovery: twice', async (side) => {
    const { speaker, client } = await two(side);
    for (const times of [1, 2]) {
      await client.lose(side);
      await says(side, speaker, `42["all",${times}]`);
      await client.comeBack(side);
    }
  }],
  ['recovery: binary event missed', async (side) => {
    const { speaker, client } = await two(side);
    await client.lose(side);
    speaker.socket.send('451-["all",{"_placeholder":true,"num":0}]', Buffer.from([1, 2]));
    await speaker.hears(side);
    await client.comeBack(side);
  }],
  ['recovery: with more in the payload', async (side) => {
    const { client } = await two(side);
    await client.lose(side);
    await client.comeBack(side, `40${client.claim({ token: 'x' })}`);
  }],
  ['recovery: never got an event', async (side) => {
    const client = await Client.join(side);
    await client.lose(side);
    await client.comeBack(side);
  }],
  ['recovery: after DISCONNECT', async (side) => {
    const { client } = await two(side);
    client.socket.send('41');
    await client.hears(side, 'left');
    await client.comeBack(side);
  }],
  ['recovery: after the server disconnected it', async (side) => {
    const { client } = await two(side);
    client.socket.send('42["leave"]');
    await client.hears(side, 'left');
    await client.comeBack(side);
  }],
  ['recovery: before its old transport is over', async (side) => {
    const { client } = await two(side);
    await client.comeBack(side);
  }],
  ['recovery: pid unknown', async (side) => {
    const { client } = await two(side);
    await client.lose(side);
    await client.comeBack(side, `40${client.claim({ pid: 'AAAAAAAAAAAAAAAAAAAAAAAA' })}`);
  }],
  ['recovery: pid is no string', async (side) => {
    const { client } = await two(side);
    await client.lose(side);
    await client.comeBack(side, `40${client.claim({ pid: [client.pid] })}`);
  }],
  ['recovery: pid of another namespace', async (side) => {
    const { client } = await two(side);
    await client.lose(side);
    await client.comeBack(side, `40/open,${client.claim()}`);
  }],
  ['recovery: offset unknown, events missed', async (side) => {
    const { speaker, client } = await two(side);
    await client.lose(side);
    await says(side, speaker, '42["all",1]');
    await client.comeBack(side, `40${client.claim({ offset: 'unknown' })}`);
  }],
  ['recovery: offset is no string, nothing missed', async (side) => {
    const client = await Client.join(side);
    await client.lose(side);
    await client.comeBack(side, `40${client.claim({ offset: 7 })}`);
  }],
];
