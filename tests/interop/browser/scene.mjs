// The people of one check. Their names are used in no other, for the server keeps a name until its session has left.
import assert from 'node:assert/strict';
import { Person } from './person.mjs';

let scenes = 0;

export class Scene {
  constructor(browser, server) {
    this.browser = browser;
    this.server = server;
    this.number = ++scenes;
    this.room = `room ${this.number}`;
    this.people = [];
    this.outage = false; // failed connects are only to be expected while the server is down
  }

  // Somebody in front of the page, still at the door.
  async visitor(name, options) {
    const context = await this.browser.context(options);
    const person = new Person(this, context, `${name} ${this.number}`);
    this.people.push(person);
    await person.open();
    return person;
  }

  // The same, and in the room.
  async member(name, options) {
    const person = await this.visitor(name, options);
    await person.enter();
    return person;
  }

  // Several, one after the other; each sees all of the others.
  async members(...names) {
    const people = [];
    for (const name of names) people.push(await this.member(name));
    for (const one of people) for (const other of people) await one.lists(other, 'live');
    return people;
  }

  // What must hold in every scene, whatever it is about.
  expectSound() {
    for (const { name, errors, strangers } of this.people) {
      assert.deepEqual(strangers, [], `requests of ${name} to somebody else than the server`);
      assert.deepEqual(errors, [], `errors in the page of ${name}`);
    }
    assert.deepEqual(this.server.faults, [], 'the server crashed or panicked');
  }

  async describe(error, title) {
    const lines = [error.stack ?? String(error)];
    for (const person of this.people) {
      const file = await person.photograph(`failed-${title}-${person.name}`).catch(() => 'no picture');
      lines.push(`${person.name} (${file})`, ...person.frames.slice(-8).map((frame) => `  ${frame}`));
      lines.push(...person.errors.map((text) => `  page error: ${text}`));
    }
    lines.push('server log', ...this.server.log.slice(-8).map((line) => `  ${line}`), ...this.server.faults);
    this.server.faults = [];
    return lines.join('\n').replace(/^/gm, '      ');
  }

  async end() {
    for (const { context } of this.people) await context.close();
  }
}
