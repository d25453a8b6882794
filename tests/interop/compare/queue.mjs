// What has arrived and is not yet looked at, in order. Nothing can be skipped: `next` hands out the oldest.
import { within } from './within.mjs';

export class Queue {
  #items = [];
  #waiting = null;

  push(item) {
    if (this.#waiting) {
      const resolve = this.#waiting;
      this.#waiting = null;
      resolve(item);
    } else {
      this.#items.push(item);
    }
  }

  async next(what) {
    if (this.#items.length > 0) return this.#items.shift();
    if (this.#waiting) throw new Error(`two waits on one queue, the second for ${what}`);
    const arrival = new Promise((resolve) => { this.#waiting = resolve; });
    try {
      return await within(arrival, what);
    } finally {
      this.#waiting = null;
    }
  }

  get rest() {
    return [...this.#items];
  }
}
