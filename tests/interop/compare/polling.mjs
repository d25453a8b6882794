// A session on long polling.
import { decode, encode } from './payload.mjs';

const TEXT = { 'Content-Type': 'text/plain;charset=UTF-8' };

export class Polling {
  static async open(side, extra = '', headers = {}) {
    const session = new Polling();
    session.side = side;
    session.extra = extra;
    session.headers = headers;
    const response = await side.request(null, { path: side.path('polling', null, extra), headers });
    if (response?.status !== 200) throw new Error(`opening: ${response?.status} ${response?.body}`);
    const [opening, ...more] = session.packets(response);
    session.opening = JSON.parse(opening.slice(1));
    session.sid = session.opening.sid;
    session.early = more;
    side.learn(session.sid);
    return session;
  }

  get path() {
    return this.side.path('polling', this.sid, this.extra);
  }

  packets(response) {
    return decode(this.side.revision, response.body, response.headers.get('content-type')?.[0]);
  }

  // Joins the main namespace; with revision 3 it does so by itself.
  async join() {
    if (this.side.revision === 3) {
      while (!this.early.includes('40')) this.early.push(...this.packets(await this.get()));
      return;
    }
    await this.post(null, ['40']);
    const response = await this.get();
    this.side.normal(response.body.toString());
  }

  // --- client to server ---

  async post(label, packets) {
    return this.raw(label, encode(this.side.revision, packets));
  }

  async raw(label, body, headers = TEXT) {
    return this.side.request(label, { method: 'POST', path: this.path, headers: { ...this.headers, ...headers }, body });
  }

  // A POST that is on its way.
  async posting(packets) {
    return this.side.ask({ method: 'POST', path: this.path, headers: TEXT, body: encode(this.side.revision, packets) });
  }

  // --- server to client ---

  async get(label) {
    return this.side.request(label, { path: this.path, headers: this.headers });
  }

  // A GET that is answered already, or parked.
  async getting() {
    const connection = await this.side.ask({ path: this.path });
    await this.side.fence();
    return connection;
  }

  // All that the server has to say by now: until a GET finds nothing and stays parked, or gets something else than packets.
  async heard(label) {
    this.side.note(label, await this.hear());
  }

  async hear() {
    const packets = [];
    let end = 'open';
    for (;;) {
      const connection = await this.getting();
      if (!connection.hasAnswered) break;
      const response = await connection.response();
      if (response?.status !== 200) {
        end = response ? `${response.status} ${response.body}` : 'none, connection ended';
        break;
      }
      packets.push(...this.packets(response));
    }
    return [...packets, end].join('  ');
  }
}
