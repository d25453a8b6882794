// The stage of one scenario: its clients, which all leave when it is over.
import assert from 'node:assert/strict';
import { Client } from './client.mjs';

export class Scene {
  constructor(kind, server, proxy) {
    this.kind = kind;
    this.protocol = kind.protocol;
    this.server = server;
    this.proxy = proxy;
    this.mode = kind.mode;
    this.cast = [];
  }

  // A client that is on its way, to any namespace.
  open({ namespace = '/', credentials = null, ...options } = {}) {
    const socket = this.kind.io((this.proxy ?? this.server).url + namespace, {
      ...(this.kind.transports && { transports: this.kind.transports }),
      forceNew: true,
      reconnection: false,
      ...(credentials && this.kind.credentials(credentials)),
      ...options,
    });
    return this.enlist(new Client(this.kind, socket, this.proxy));
  }

  // A client that is connected to `/` and has been welcomed.
  async join(options) {
    const client = this.open(options);
    await client.connected();
    await client.welcomed();
    return client;
  }

  // One that will not change its transport any more.
  async joinForLong(options) {
    const client = await this.join(options);
    await client.settled();
    return client;
  }

  // A second namespace over the transport of `client`.
  beside(client, namespace, credentials = null) {
    const options = credentials ? this.kind.credentials(credentials) : {};
    return this.enlist(new Client(this.kind, client.socket.io.socket(namespace, options), this.proxy));
  }

  enlist(member) {
    this.cast.push(member);
    return member;
  }

  expectNothingMore() {
    for (const client of this.cast) {
      assert.deepEqual(client.unread, [], 'something arrived that the scenario did not ask for');
    }
  }

  end() {
    for (const client of this.cast) client.leave();
  }
}
