// The server as a child process: at /engine.io/ each message comes back.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { within } from '../socketio/within.mjs';

// Short enough to see a few of them.
const PING_INTERVAL_SECONDS = 1;

export async function startServer() {
  const options = ['--listen', '127.0.0.1:0', '--ping-interval', String(PING_INTERVAL_SECONDS)];
  const child = spawn(process.env.ROOMWIRE_SERVER, options, { stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => child.kill('SIGKILL'));
  const server = { ended: null };
  const address = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code, signal) => {
      server.ended = `the server ended: code ${code}, signal ${signal}`;
      reject(new Error(server.ended));
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /^listening on (\S+)$/.exec(line);
      if (found) resolve(found[1]);
    });
  });
  server.address = await within(address, 'the address of the server');
  return server;
}
