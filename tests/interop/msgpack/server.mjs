// The example server as a child process, with MessagePack.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';

export const ADMIN_TOKEN = 'secret';
const LIMIT_SECONDS = 20;

export function within(promise, awaited) {
  // Made before the wait: afterwards the stack no longer leads to who waited.
  const failure = new Error(`waited ${LIMIT_SECONDS} s in vain for ${awaited}`);
  let timer;
  const limit = new Promise((_, reject) => {
    timer = setTimeout(() => reject(failure), LIMIT_SECONDS * 1000);
  });
  return Promise.race([promise, limit]).finally(() => clearTimeout(timer));
}

export async function startServer() {
  const child = spawn(
    process.env.ROOMWIRE_SERVER,
    ['--listen', '127.0.0.1:0', '--admin', ADMIN_TOKEN, '--parser', 'msgpack'],
    { stdio: ['ignore', 'pipe', 'pipe'] },
  );
  process.on('exit', () => child.kill('SIGKILL'));
  const server = { log: [], ended: null };
  child.once('exit', (code, signal) => { server.ended = `the server ended: code ${code}, signal ${signal}`; });
  createInterface({ input: child.stderr }).on('line', (line) => server.log.push(line));
  const address = new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error('the server ended before it listened')));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /^listening on (http:\S+)/.exec(line);
      if (found) resolve(found[1]);
    });
  });
  server.url = await within(address, 'the address of the server');
  return server;
}
