// HTTP/1.1 over a bare socket: the request's bytes are the case's own, and the response is read to the byte.
import { connect } from 'node:net';
import { once } from 'node:events';
import { within } from '../socketio/within.mjs';

// Counts what arrives, over all connections.
let arrivals = 0;

const NO_BODY = new Set([204, 304]);

export class HttpConnection {
  #bytes = Buffer.alloc(0);
  #ended = false;
  #wake = null;
  // The methods of the requests that are not answered yet: after HEAD there is no body.
  #methods = [];

  static async open(port) {
    const connection = new HttpConnection();
    const stream = connect({ port, host: '127.0.0.1' });
    connection.stream = stream;
    stream.setNoDelay(true);
    stream.on('data', (chunk) => {
      connection.firstArrival ??= arrivals += 1;
      connection.#bytes = Buffer.concat([connection.#bytes, chunk]);
      connection.#wake?.();
    });
    const end = () => {
      connection.#ended = true;
      connection.#wake?.();
    };
    stream.on('end', end);
    stream.on('close', end);
    stream.on('error', end);
    await within(once(stream, 'connect'), 'a connection');
    return connection;
  }

  // The bytes of one request or of several, as they are.
  write(bytes, ...methods) {
    this.#methods.push(...methods);
    this.stream.write(bytes);
  }

  // The next response, or null if the connection ended before.
  async response() {
    const head = await this.#head();
    if (head === null) return null;
    const [first, ...lines] = head.split('\r\n');
    const [, status, reason] = /^HTTP\/1\.1 (\d{3}) ?(.*)$/.exec(first) ?? [null, '000', first];
    const headers = new Map();
    for (const line of lines) {
      const at = line.indexOf(':');
      const name = line.slice(0, at).toLowerCase();
      headers.set(name, [...(headers.get(name) ?? []), line.slice(at + 1).trim()]);
    }
    const response = { status: Number(status), reason, headers };
    const interim = response.status < 200 && response.status !== 101;
    const method = interim ? null : this.#methods.shift();
    response.body = await this.#body(response, method);
    return response;
  }

  // Whether there is something to read, be it the end.
  get hasAnswered() {
    return this.#ended || this.#bytes.length > 0;
  }

  close() {
    this.stream.destroy();
  }

  async #head() {
    let at;
    while ((at = this.#bytes.indexOf('\r\n\r\n')) < 0) if (!(await this.#more())) return null;
    const head = this.#bytes.subarray(0, at).toString('latin1');
    this.#bytes = this.#bytes.subarray(at + 4);
    return head;
  }

  async #body({ status, headers }, method) {
    if (status < 200 || NO_BODY.has(status) || method === 'HEAD') return Buffer.alloc(0);
    if (headers.get('transfer-encoding')?.at(-1) === 'chunked') return this.#chunks();
    const length = headers.get('content-length');
    if (length) return this.#take(Number(length[0]));
    while (await this.#more());
    return this.#take(this.#bytes.length);
  }

  async #chunks() {
    const chunks = [];
    for (;;) {
      let at;
      while ((at = this.#bytes.indexOf('\r\n')) < 0) if (!(await this.#more())) return Buffer.concat(chunks);
      const size = Number.parseInt(this.#bytes.subarray(0, at).toString(), 16);
      this.#bytes = this.#bytes.subarray(at + 2);
      chunks.push(await this.#take(size));
      await this.#take(2);
      if (size === 0) return Buffer.concat(chunks);
    }
  }

  async #take(count) {
    while (this.#bytes.length < count) if (!(await this.#more())) break;
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  async #more() {
    if (this.#ended) return false;
    const had = this.#bytes.length;
    const arrival = new Promise((resolve) => { this.#wake = resolve; });
    await within(arrival, 'more of a response');
    return this.#bytes.length > had || !this.#ended;
  }
}

// The bytes of a request with the head that a browser would send, but for what does not matter here.
export function requestBytes({ method = 'GET', path, headers = {}, body = null }) {
  const lines = [`${method} ${path} HTTP/1.1`, 'Host: compare.example'];
  for (const [name, values] of Object.entries(headers)) {
    for (const value of [values].flat()) lines.push(`${name}: ${value}`);
  }
  const bytes = body === null ? Buffer.alloc(0) : Buffer.from(body);
  const counted = Object.keys(headers).some((name) => /^(content-length|transfer-encoding)$/i.test(name));
  if (body !== null && !counted) lines.push(`Content-Length: ${bytes.length}`);
  return Buffer.concat([Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1'), bytes]);
}
