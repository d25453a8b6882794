// The example server as a child process.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { WAIT } from './browser.mjs';

export const GRACE = 3_000; // ms that a lost session stays away before it has left

export class Server {
  log = [];
  options = []; // besides the usual ones, from its next start on
  faults = []; // panics and unwanted ends, until somebody has told of them

  static async start() {
    const server = new Server();
    await server.#spawn(0);
    return server;
  }

  get url() {
    return `http://127.0.0.1:${this.port}`;
  }

  // Answers the exit code of an orderly stop.
  async stop() {
    if (!this.running) return null;
    this.running = false;
    const exit = once(this.child, 'exit', { signal: AbortSignal.timeout(WAIT) });
    this.child.kill('SIGINT');
    const [code] = await exit;
    return code;
  }

  // Starts it again on the same port, if it does not run.
  async revive() {
    if (!this.running) await this.#spawn(this.port);
  }

  async #spawn(port) {
    const child = spawn(
      process.env.ROOMWIRE_SERVER,
      ['--listen', `127.0.0.1:${port}`, '--grace', String(GRACE / 1000), ...this.options],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    living.add(child);
    this.child = child;
    this.running = true;
    createInterface({ input: child.stderr }).on('line', (line) => {
      this.log.push(line);
      if (line.includes('panicked')) this.faults.push(line);
    });
    child.once('exit', (code, signal) => {
      living.delete(child);
      if (this.child === child && this.running) this.faults.push(`the server ended: code ${code}, signal ${signal}`);
      if (this.child === child) this.running = false;
    });
    this.port = await new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the server does not say where it listens')), WAIT);
      child.once('error', reject);
      child.once('exit', (code) => reject(new Error(`the server ended with code ${code} before it listened`)));
      createInterface({ input: child.stdout }).on('line', (line) => {
        const found = /^listening on http:\/\/127\.0\.0\.1:(\d+)\/?$/.exec(line);
        if (!found) return;
        clearTimeout(late);
        resolve(Number(found[1]));
      });
    });
  }
}

// No server outlives this run, however it ends.
const living = new Set();
process.on('exit', () => living.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
