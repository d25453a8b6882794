// A WebSocket as the old tutorials open it, whose user writes and reads the packets as text.
import assert from 'node:assert/strict';
import { Queue } from './queue.mjs';
import { WebSocket } from './clients.mjs';

export class RawClient {
  #texts = new Queue();
  wire = [];

  constructor(server, query = '?EIO=3&transport=websocket') {
    this.socket = new WebSocket(`ws://127.0.0.1:${server.port}/socket.io/${query}`);
    this.socket.on('message', (data, isBinary) => this.#arrived('S', isBinary ? `binary ${data.toString('hex')}` : String(data)));
    this.socket.on('close', (code) => this.#arrived('-', `closed ${code}`));
    this.socket.on('error', (error) => this.#arrived('-', `error ${error.message}`));
  }

  send(text) {
    this.wire.push(`C ${text}`);
    this.socket.send(text);
  }

  async next(what = 'a message') {
    return this.#texts.next(what);
  }

  // The very next message, to the character.
  async expect(text) {
    assert.equal(await this.next(text), text);
  }

  leave() {
    this.socket.close();
  }

  get unread() {
    return this.#texts.rest;
  }

  #arrived(side, text) {
    this.wire.push(`${side} ${text}`);
    this.#texts.push(text);
  }
}
