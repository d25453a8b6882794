// Payloads of long polling, both revisions: what stands in one response or one POST. A packet is a string, or a Buffer
// for binary data (of revision 3 without its type byte).
const SEPARATOR = '\x1e';

export function encode(revision, packets, { binary = false } = {}) {
  if (revision === 4) return Buffer.from(packets.map((packet) => (Buffer.isBuffer(packet) ? `b${packet.toString('base64')}` : packet)).join(SEPARATOR));
  if (!binary) {
    const texts = packets.map((packet) => (Buffer.isBuffer(packet) ? `b4${packet.toString('base64')}` : packet));
    return Buffer.from(texts.map((text) => `${text.length}:${text}`).join(''));
  }
  return Buffer.concat(packets.map((packet) => {
    const data = Buffer.isBuffer(packet) ? Buffer.concat([Buffer.from([4]), packet]) : Buffer.from(packet);
    const digits = [...String(data.length)].map(Number);
    return Buffer.concat([Buffer.from([Buffer.isBuffer(packet) ? 1 : 0, ...digits, 0xff]), data]);
  }));
}

// What cannot be decoded is one packet that says so.
export function decode(revision, body, type = 'text/plain') {
  if (revision === 4) return body.toString().split(SEPARATOR);
  if (type.startsWith('application/octet-stream')) return decodeBinary(body);
  const packets = [];
  let rest = body.toString();
  while (rest.length > 0) {
    const [head, length] = /^(\d+):/.exec(rest) ?? [];
    const packet = head && rest.slice(head.length, head.length + Number(length));
    if (packet?.length !== Number(length)) return [...packets, `not a packet: ${rest}`];
    packets.push(packet);
    rest = rest.slice(head.length + packet.length);
  }
  return packets;
}

function decodeBinary(body) {
  const packets = [];
  let rest = body;
  while (rest.length > 0) {
    const end = rest.indexOf(0xff);
    const length = Number([...rest.subarray(1, end)].join(''));
    const data = rest.subarray(end + 1, end + 1 + length);
    if (end < 2 || rest[0] > 1 || data.length !== length) return [...packets, `not a packet: ${rest.toString('hex')}`];
    packets.push(rest[0] === 0 ? data.toString() : `binary ${data.toString('hex')}`);
    rest = rest.subarray(end + 1 + length);
  }
  return packets;
}
