// A WebSocket whose messages, and whose end, are read in the order of their arrival.
import { createRequire } from 'node:module';
import { within } from '../socketio/within.mjs';

const { WebSocket } = createRequire(`${process.env.ROOMWIRE_COMPARE_MODULES}/package.json`)('ws');

export class Socket {
  #arrived = [];
  #wake = null;
  end = 'open';
  refusal = null;

  constructor(port, path, headers = {}) {
    this.socket = new WebSocket(`ws://127.0.0.1:${port}${path}`, {
      headers, perMessageDeflate: false, skipUTF8Validation: true, maxPayload: 0,
    });
    this.socket.on('message', (data, isBinary) => this.#arrive(isBinary ? `binary ${data.toString('hex')}` : String(data)));
    this.socket.on('pong', (data) => this.#arrive({ pong: String(data) }));
    this.socket.on('error', () => {});
    this.socket.on('close', (code, reason) => {
      // 1006 is the package's word for no close frame at all.
      this.end = code === 1006 ? 'cut' : `close ${code}${reason.length > 0 ? ` ${reason}` : ''}`;
      this.#arrive({ end: this.end });
    });
    this.opened = new Promise((resolve) => {
      this.socket.on('open', () => resolve(true));
      this.socket.on('close', () => resolve(false));
      this.socket.on('unexpected-response', (request, response) => {
        const chunks = [];
        response.on('data', (chunk) => chunks.push(chunk));
        response.on('end', () => {
          const headers = new Map(Object.entries(response.headers).map(([name, value]) => [name, [value].flat()]));
          this.refusal = { status: response.statusCode, headers, body: Buffer.concat(chunks) };
          this.end = 'refused';
          resolve(false);
        });
        response.on('error', () => resolve(false));
      });
    });
  }

  send(...messages) {
    for (const message of messages) this.socket.send(message);
  }

  // The next message; null if there is none before the end.
  async next() {
    for (;;) {
      const found = this.#arrived.shift();
      if (typeof found === 'string') return found;
      if (found?.end || (found === undefined && this.end !== 'open')) return null;
      if (found === undefined) await this.#more();
    }
  }

  // What has come until the peer has answered two pings, or until the end. The second ping is for answers that the
  // peer gives a turn later than it reads.
  async settled() {
    const packets = [];
    for (const data of ['first', 'second']) {
      if (this.end !== 'open') break;
      this.socket.ping(data);
      packets.push(...(await this.#until((found) => found.pong === data)));
    }
    return packets;
  }

  // What comes until the end.
  async ended() {
    return this.#until(() => false);
  }

  close(code, reason) {
    this.socket.close(code, reason);
  }

  destroy() {
    this.socket.on('error', () => {});
    this.socket.terminate();
  }

  async #until(enough) {
    const packets = [];
    for (;;) {
      const found = this.#arrived.shift();
      if (typeof found === 'string') packets.push(found);
      else if (found?.end || (found === undefined && this.end !== 'open')) return packets;
      else if (found !== undefined && enough(found)) return packets;
      else if (found === undefined) await this.#more();
    }
  }

  async #more() {
    await within(new Promise((resolve) => { this.#wake = resolve; }), 'a WebSocket');
  }

  #arrive(found) {
    this.#arrived.push(found);
    this.#wake?.();
  }
}
