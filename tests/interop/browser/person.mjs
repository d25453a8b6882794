// One person in front of the page: what they do, and what they see.
import { WAIT } from './browser.mjs';

// Refused, reset or cut short: it depends on how far the server has come with stopping.
const CONNECT_FAILED = /^WebSocket connection to 'ws:\/\/127\.0\.0\.1:\d+\/socket\.io\/.*' failed: /;

export class Person {
  errors = []; // of the page's scripts and console
  strangers = []; // addresses other than the server's that the page asked for
  frames = []; // what went over its WebSockets, `<` from the server and `>` to it

  constructor(scene, context, name) {
    this.scene = scene;
    this.context = context;
    this.name = name;
    context.on('request', (request) => this.#meet(request.url()));
  }

  // A page of their own. `prepare(page)` may put something between page and server.
  async open(prepare = async () => {}) {
    this.page = await this.context.newPage();
    this.page.on('pageerror', (error) => this.errors.push(String(error)));
    this.page.on('console', (message) => {
      if (message.type() !== 'error' && message.type() !== 'warning') return;
      if (this.scene.outage && CONNECT_FAILED.test(message.text())) return;
      this.errors.push(message.text());
    });
    this.page.on('websocket', (socket) => {
      this.#meet(socket.url());
      socket.on('framereceived', ({ payload }) => this.frames.push(`< ${payload}`));
      socket.on('framesent', ({ payload }) => this.frames.push(`> ${payload}`));
    });
    await prepare(this.page);
    const response = await this.page.goto('/');
    await this.is('online');
    return response;
  }

  #meet(address) {
    const { host, protocol } = new URL(address);
    const ours = host === new URL(this.scene.server.url).host && ['http:', 'ws:'].includes(protocol);
    if (!ours) this.strangers.push(address);
  }

  // --- What they do ---

  async enter(room = this.scene.room, name = this.name) {
    await this.page.fill('#name', name);
    await this.page.fill('#room', room);
    await this.page.click('#enter');
    await this.inside();
  }

  async say(text) {
    await this.page.fill('#text', text);
    await this.page.press('#text', 'Enter');
  }

  // --- What they see; each waits for it ---

  async is(state) {
    await this.page.locator(`#status[data-state="${state}"]`).waitFor();
  }

  async inside() {
    await this.page.locator('#inside').waitFor();
  }

  async atDoor() {
    await this.page.locator('#door').waitFor();
  }

  async lists(other, state) {
    await this.page.locator(`#people li[data-user=${JSON.stringify(other.name)}][data-state="${state}"]`).waitFor();
  }

  async listsNot(other) {
    await this.page.locator(`#people li[data-user=${JSON.stringify(other.name)}]`).waitFor({ state: 'detached' });
  }

  // A line of the log; answers when it was written.
  async notices(other, change) {
    const line = this.page.locator(`#log li[data-kind="notice"][data-change="${change}"][data-user=${JSON.stringify(other.name)}]`);
    await line.first().waitFor();
    return Number(await line.first().getAttribute('data-at'));
  }

  async reads(kind, from, text) {
    await this.page.locator(`#log li[data-kind="${kind}"][data-user=${JSON.stringify(from.name)}]`, { hasText: text }).first().waitFor();
  }

  async typing(text) {
    await this.page.waitForFunction(
      (wanted) => document.querySelector('#typing').textContent === wanted,
      text,
      { timeout: WAIT },
    );
  }

  // --- What is there now ---

  // The texts of the lines of one kind, top down.
  texts(kind) {
    return this.page.locator(`#log li[data-kind="${kind}"] .text`).allTextContents();
  }

  // Everything that was noticed of somebody: ["arrived", "away", …].
  changes(other) {
    return this.page
      .locator(`#log li[data-kind="notice"][data-user=${JSON.stringify(other.name)}]`)
      .evaluateAll((lines) => lines.map((line) => line.dataset.change));
  }

  async photograph(name) {
    const path = `${process.env.ROOMWIRE_ARTEFACTS}/${name.replace(/[^\w-]+/g, '-')}.png`;
    await this.page.screenshot({ path });
    return path;
  }
}
