// The two servers of a comparison as child processes: the official one, and the one on this library.
import { spawn } from 'node:child_process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { within } from '../socketio/within.mjs';

const FLAGS = {
  pingInterval: '--ping-interval', pingTimeout: '--ping-timeout', maxPayload: '--max-payload',
  upgradeTimeout: '--upgrade-timeout', connectTimeout: '--connect-timeout', cookie: '--cookie',
  origin: '--origin',
};

export function startNode(options) {
  return start(process.execPath, [fileURLToPath(new URL('node-app.cjs', import.meta.url)), JSON.stringify(options)]);
}

export function startOurs(options) {
  const flags = Object.entries(FLAGS).filter(([name]) => options[name]);
  // With the official server it is revision 3 that has to be asked for.
  const args = options.allowEio3 === false ? ['--allow-eio3', 'false'] : [];
  if (options.recovery) args.push('--recovery', 'true');
  return start(process.env.ROOMWIRE_COMPARE_APP, [...args, ...flags.flatMap(([name, flag]) => [flag, String(options[name])])]);
}

async function start(program, args) {
  const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const server = { child, log: [], fault: null, stopping: false };
  living.add(child);
  child.once('exit', (code, signal) => {
    living.delete(child);
    if (!server.stopping) server.fault = `ended with code ${code}, signal ${signal}`;
  });
  createInterface({ input: child.stderr }).on('line', (line) => {
    server.log.push(line);
    if (line.includes('panicked')) server.fault = line;
  });
  const address = new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${program} ended with code ${code} before it listened: ${server.log.join('\n')}`)));
    createInterface({ input: child.stdout }).on('line', (line) => {
      const found = /^listening on 127\.0\.0\.1:(\d+)$/.exec(line);
      if (found) resolve(Number(found[1]));
    });
  });
  server.port = await within(address, `${program} to print its address`);
  return server;
}

export async function stop(server) {
  if (server.stopping) return;
  server.stopping = true;
  if (server.child.exitCode !== null || server.child.signalCode !== null) return;
  const exit = new Promise((resolve) => { server.child.once('exit', resolve); });
  server.child.kill('SIGKILL');
  await within(exit, 'a server to end');
}

// No server outlives this run, however it ends.
const living = new Set();
process.on('exit', () => living.forEach((child) => child.kill('SIGKILL')));
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => process.exit(130));
