// The member list of a room as a page would keep it: a snapshot, then one diff after the other.
import assert from 'node:assert/strict';

const STATE_AFTER = { arrived: 'live', away: 'away', returned: 'live' };

export class Room {
  #client;
  #members = new Map();
  #pending = [];

  // Reads the snapshot that follows `enter`.
  static async of(client, name) {
    const room = new Room();
    const snapshot = await client.presence('presence');
    assert.deepEqual(Object.keys(snapshot).sort(), ['members', 'room', 'version']);
    assert.equal(snapshot.room, name);
    assert.ok(Number.isSafeInteger(snapshot.version), `version ${snapshot.version}`);
    room.#client = client;
    room.name = name;
    room.version = snapshot.version;
    for (const { user, ...member } of snapshot.members) {
      assert.ok(!room.#members.has(user), `${user} is in the snapshot twice`);
      room.#members.set(user, member);
    }
    return room;
  }

  // [user, state] of everybody, by name.
  get list() {
    return [...this.#members].map(([user, { state }]) => [user, state]).sort();
  }

  // The next change is this one, and the list allows it.
  async expect(user, change) {
    if (this.#pending.length === 0) await this.#readDiff(`${user} ${change}`);
    const found = this.#pending.shift();
    const state = STATE_AFTER[change];
    const { meta = null, ...rest } = found;
    assert.equal(meta, null);
    assert.deepEqual(rest, state ? { user, change, state } : { user, change });
    assert.equal(this.#members.has(user), change !== 'arrived', `${change} does not fit the list ${JSON.stringify(this.list)}`);
    if (change === 'left') this.#members.delete(user);
    else this.#members.set(user, { state, meta });
  }

  async #readDiff() {
    const { room, version, changes, ...more } = await this.#client.presence('presence_diff');
    assert.deepEqual(more, {});
    assert.equal(room, this.name);
    assert.equal(version, this.version + 1, 'the version rises by one with each diff');
    assert.ok(changes.length > 0, 'a diff without changes');
    this.version = version;
    this.#pending = changes;
  }
}
