// Runs every check in one browser against one server, and prints a line for each.
import { Browser } from './browser.mjs';
import { Scene } from './scene.mjs';
import { Server } from './server.mjs';
import { checks as chat } from './chat.mjs';
import { checks as looks } from './looks.mjs';
import { checks as outage } from './outage.mjs';
import { checks as wire } from './wire.mjs';

const LONGEST_CHECK = 120_000; // ms

const word = process.argv[2] ?? '';
const chosen = [...chat, ...outage, ...wire, ...looks].filter(([title]) => title.includes(word));
if (chosen.length === 0) {
  console.error(`no check has "${word}" in its line`);
  process.exit(2);
}

const server = await Server.start();
const browser = await Browser.start(server);
let failed = 0;

for (const [title, play] of chosen) {
  const scene = new Scene(browser, server);
  let failure = null;
  try {
    await server.revive();
    await Promise.race([play(scene), late()]);
    scene.expectSound();
  } catch (error) {
    failure = await scene.describe(error, title);
  }
  await scene.end();
  if (failure !== null) failed += 1;
  console.log(`${failure === null ? 'ok  ' : 'FAIL'}  ${title}`);
  if (failure !== null) console.log(failure);
}

await browser.end();
await server.stop();
console.log(`${chosen.length - failed} passed, ${failed} failed`);
process.exit(failed === 0 ? 0 : 1);

function late() {
  return new Promise((_, reject) => {
    setTimeout(() => reject(new Error(`not finished after ${LONGEST_CHECK} ms`)), LONGEST_CHECK).unref();
  });
}
