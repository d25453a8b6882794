// Every client in every mode; one line for each scenario.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { scenarios } from './scenarios.mjs';
import { startServer } from './server.mjs';

const modules = process.env.ROOMWIRE_MODULES;
const load = createRequire(join(modules, 'package.json'));
const version = (alias) => JSON.parse(readFileSync(join(modules, 'node_modules', alias, 'package.json'))).version;

const aliases = Object.keys(JSON.parse(readFileSync(join(modules, 'package.json'))).dependencies);
// By default a client begins on polling and changes to WebSocket.
const modes = { default: null, polling: ['polling'], websocket: ['websocket'] };

const word = process.argv[2] ?? '';
const server = await startServer();
const runs = aliases.flatMap((alias) => Object.entries(modes).flatMap(([mode, transports]) => scenarios.map(([title, play]) => ({
  line: `engine.io-client ${version(alias)}, ${mode}: ${title}`,
  async failure() {
    const { Socket } = load(alias);
    const revision = version(alias).startsWith('3.') ? 3 : 4;
    try {
      const ear = await play({ Socket, revision, transports, url: `ws://${server.address}` });
      ear.socket.close();
      return server.ended;
    } catch (error) {
      return error.stack;
    }
  },
})))).filter(({ line }) => line.includes(word));
if (runs.length === 0) {
  console.error(`no scenario has "${word}" in its line`);
  process.exit(2);
}
// Each on its own but for the server.
const failures = await Promise.all(runs.map((run) => run.failure()));
runs.forEach(({ line }, nth) => console.log(failures[nth] ? `FAIL  ${line}\n${failures[nth]}` : `ok    ${line}`));
const failed = failures.filter(Boolean).length;
console.log(`${runs.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
