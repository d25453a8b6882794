// Every client in every mode; one line for each scenario.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
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
// Each on its own but for the server.
const failures = await Promise.all(runs.map((run) => run.failure()));
const reports = runs.map(({ line }, nth) => (failures[nth] ? `FAIL  ${line}\n${failures[nth]}` : `ok    ${line}`));
const script = fileURLToPath(new URL('client.py', import.meta.url));
for (const python of ['4', '5']) {
  const command = join(process.env.ROOMWIRE_PYTHONS, python, 'bin', 'python');
  const child = spawn(command, [script, `http://${server.address}`, word], { stdio: ['ignore', 'pipe', 'inherit'] });
  // A line for each, as above; it bounds its time itself.
  createInterface({ input: child.stdout }).on('line', (line) => reports.push(line));
  const [code] = await once(child, 'close');
  if (code !== 0) reports.push(`FAIL  the clients of Python ended with ${code}`);
}
reports.forEach((report) => console.log(report));
const count = (mark) => reports.filter((report) => report.startsWith(mark)).length;
if (count('ok') + count('FAIL') === 0) {
  console.error(`no scenario has "${word}" in its line`);
  process.exit(2);
}
console.log(`${count('ok')} passed, ${count('FAIL')} failed`);
process.exit(count('FAIL') === 0 && !server.ended ? 0 : 1);
