// Every client in every mode; one line for each scenario.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { once } from 'node:events';
import { scenarios } from './scenarios.mjs';
import { Stage } from './stage.mjs';
import { startServer } from './server.mjs';

const modules = process.env.ROOMWIRE_MODULES;
const load = createRequire(join(modules, 'package.json'));
const version = (alias) => JSON.parse(readFileSync(join(modules, 'node_modules', alias, 'package.json'))).version;

const clients = [
  { protocol: 4, alias: 'client-2.5', parser: load('parser-2') },
  { protocol: 5, alias: 'client-4.8', parser: load('parser-3') },
];
const modes = { default: ['polling', 'websocket'], polling: ['polling'], websocket: ['websocket'] };

const word = process.argv[2] ?? '';
let passed = 0;
let failed = 0;
const report = (line, failure) => {
  if (failure === null) passed += 1;
  else failed += 1;
  console.log(`${failure === null ? 'ok  ' : 'FAIL'}  ${line}`);
  if (failure !== null) console.log(failure);
};

const server = await startServer();
for (const { protocol, alias, parser } of clients) {
  for (const [mode, transports] of Object.entries(modes)) {
    for (const [title, play] of scenarios) {
      const line = `socket.io-client ${version(alias)}, ${mode}: ${title}`;
      if (!line.includes(word)) continue;
      const stage = new Stage({ io: load(alias), protocol, parser, transports, url: server.url });
      try {
        await play(stage);
        report(line, server.ended);
      } catch (error) {
        report(line, `${error.stack}\n${server.log.slice(-10).join('\n')}`);
      }
      stage.end();
    }
  }
}
for (const [mode, transports] of Object.entries(modes)) {
  const line = `python-socketio, ${mode}`;
  if (!line.includes(word)) continue;
  const script = fileURLToPath(new URL('client.py', import.meta.url));
  const child = spawn(process.env.ROOMWIRE_PYTHON, [script, server.url, ...transports], { stdio: 'inherit' });
  // It bounds its time itself.
  const [code] = await once(child, 'exit');
  report(line, code === 0 ? server.ended : `it ended with ${code}\n${server.log.slice(-10).join('\n')}`);
}
const panics = server.log.filter((line) => line.includes('panicked'));
if (panics.length > 0) report('the server is sound', panics.join('\n'));
if (passed + failed === 0) {
  console.error(`no scenario has "${word}" in its line`);
  process.exit(2);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);
