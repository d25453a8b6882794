// Runs every scenario with every client, one fresh server for each client, and prints one line for each.
import { clients, bareWebSocket, plainHttp } from './clients.mjs';
import { Scene } from './scene.mjs';
import { Server } from './server.mjs';
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
import { scenarios as bare } from './scenarios/bare.mjs';
import { scenarios as http } from './scenarios/http.mjs';

// `reconnect` stands last: it kills the server, and its last scenario leaves none.
const forClients = [
  ...connect, ...events, ...acks, ...topics, ...chat, ...presence, ...sessions,
  ...namespaces, ...disconnect, ...reconnect,
];
const plan = [
  ...clients.map((client) => ({ client, scenarios: forClients })),
  { client: bareWebSocket, scenarios: bare },
  { client: plainHttp, scenarios: http },
];

const word = process.argv[2] ?? '';
let passed = 0;
let failed = 0;

for (const { client, scenarios } of plan) {
  const chosen = scenarios.filter(([title]) => `${client.name}  ${title}`.includes(word));
  if (chosen.length === 0) continue;
  const server = await Server.start();
  for (const [title, play] of chosen) await perform(client, server, title, play);
  await server.kill();
}
if (passed + failed === 0) {
  console.error(`no scenario has "${word}" in its line`);
  process.exit(2);
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

async function perform(client, server, title, play) {
  const scene = new Scene(client, server);
  let failure = null;
  try {
    await server.revive();
    server.expectSound();
    await play(scene);
    scene.expectNothingMore();
    server.expectSound();
  } catch (error) {
    failure = describeFailure(error, scene, server);
    server.faults = [];
  }
  scene.end();
  if (failure === null) passed += 1;
  else failed += 1;
  console.log(`${failure === null ? 'ok  ' : 'FAIL'}  ${client.name}  ${title}`);
  if (failure !== null) console.log(failure);
}
