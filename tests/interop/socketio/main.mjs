// Runs every scenario with every client, one fresh server for each client, and prints one line for each. The three ways in
// which a version uses its transports run side by side.
import { clients, recovering, bareWebSocket, plainHttp } from './clients.mjs';
import { Scene } from './scene.mjs';
import { Server } from './server.mjs';
import { Proxy } from './proxy.mjs';
import { describeFailure } from './failure.mjs';
import { scenarios as connect } from './scenarios/connect.mjs';
import { scenarios as events } from './scenarios/events.mjs';
import { scenarios as acks } from './scenarios/acks.mjs';
import { scenarios as topics } from './scenarios/topics.mjs';
import { scenarios as chat } from './scenarios/chat.mjs';
import { scenarios as presence } from './scenarios/presence.mjs';
import { scenarios as sessions } from './scenarios/sessions.mjs';
import { scenarios as namespaces } from './scenarios/namespaces.mjs';
import { scenarios as disconnect } from './scenarios/disconnect.mjs';
import { scenarios as reconnect } from './scenarios/reconnect.mjs';
import { scenarios as recovery } from './scenarios/recovery.mjs';
import { scenarios as binary } from './scenarios/binary.mjs';
import { scenarios as transports } from './scenarios/transports.mjs';
import { scenarios as bare } from './scenarios/bare.mjs';
import { scenarios as http } from './scenarios/http.mjs';

// `reconnect` stands last: it kills the server, and its last scenario leaves none.
const forClients = [
  ...connect, ...transports, ...events, ...binary, ...acks, ...topics, ...chat, ...presence, ...sessions,
  ...namespaces, ...disconnect, ...reconnect,
];
const plan = [
  ...clients.map((modes) => modes.map((client) => ({ client, scenarios: forClients }))),
  recovering.map((client) => ({ client, scenarios: recovery, options: ['--recover'] })),
  [{ client: bareWebSocket, scenarios: bare }, { client: plainHttp, scenarios: http }],
];

const word = process.argv[2] ?? '';
const counts = new Map();
let failed = 0;

for (const together of plan) {
  const reports = await Promise.all(together.map(play));
  for (const lines of reports) for (const line of lines) console.log(line);
}
if (counts.size === 0) {
  console.error(`no scenario has "${word}" in its line`);
  process.exit(2);
}
const passed = [...counts].map(([mode, count]) => `${count} ${mode}`).join(', ');
console.log(`${[...counts.values()].reduce((sum, count) => sum + count, 0)} passed (${passed}), ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

// All scenarios of one client; the lines to print.
async function play({ client, scenarios, options = [] }) {
  const lines = [];
  const chosen = scenarios.filter(([title]) => `${client.name}  ${title}`.includes(word));
  if (chosen.length === 0) return lines;
  const server = await Server.start(options);
  const proxy = client.mode === 'polling' ? await Proxy.before(server) : null;
  for (const [title, scenario] of chosen) lines.push(...await perform(client, new Scene(client, server, proxy), title, scenario));
  proxy?.close();
  await server.kill();
  return lines;
}

async function perform(client, scene, title, scenario) {
  const { server } = scene;
  let failure = null;
  try {
    await server.revive();
    server.expectSound();
    await scenario(scene);
    scene.expectNothingMore();
    server.expectSound();
  } catch (error) {
    failure = describeFailure(error, scene, server);
    server.faults = [];
  }
  scene.end();
  counts.set(client.mode, (counts.get(client.mode) ?? 0) + (failure === null ? 1 : 0));
  if (failure === null) return [`ok    ${client.name}  ${title}`];
  failed += 1;
  return [`FAIL  ${client.name}  ${title}`, failure];
}
