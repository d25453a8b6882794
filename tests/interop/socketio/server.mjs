// The example server as a child process.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { within } from './within.mjs';

export const ADMIN_TOKEN = 'secret';
export const GRACE_SECONDS = 2;

export class Server {
  // Crashes and panics, until somebody has told of them.
  faults = [];

  static async start(options = []) {
    const server = new Server();
    server.options = options;
    await server.#spawn(0);
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  async revive() {
    if (!this.running) await this.#spawn(this.port);
  }

  // A crash must show, even if every client got what it wanted.
  expectSound() {
    assert.deepEqual(this.faults, [], 'the server crashed or panicked');
  }

  async kill() {
    await this.#end('SIGKILL');
  }

  // By Ctrl-C, or as a service is ended; answers the exit code.
  async stop(signal = 'SIGINT') {
    return this.#end(signal);
  }

  // Clients find the new process at the same address.
  async restart() {
    await this.kill();
    await this.revive();
  }

  async #spawn(port) {
    const child = spawn(
      process.env.ROOMWIRE_SERVER,
      ['--listen', `127.0.0.1:${port}`, '--admin', ADMIN_TOKEN, '--grace', String(GRACE_SECONDS), ...this.options],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    this.child = child;
    this.ending = false;
    this.log = [];
    this.running = true;
    living.add(child);
    child.once('exit', (code, signal) => {
      living.delete(child);
      this.running = false;
      const end = `ended with code ${code}, signal ${signal}`;
      this.log.push(end);
      if (!this.ending) this.faults.push(end);
    });
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.log.push(line);
      if (line.includes('panicked')) this.faults.push(line);
    });
    const address = new Promise((resolve, reject) => {
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the server ended with code ${code} before it listened`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const found = /^listening on http:\/\/127\.0\.0\.1:(\d+)\/?$/.exec(line);
        if (found) resolve(Number(found[1]));
      });
    });
    this.port = await within(address, 'the server to print its address');
  }

  async #end(signal) {
    if (!this.running) return null;
    this.ending = true;
    const exit = once(this.child, 'exit');
    this.child.kill(signal);
    const [code] = await within(exit, `the server to end on ${signal}`);
    return code;
  }
}

// No server outlives this run, however it ends.
const living = new Set();
process.on('exit', () => living.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
