// Runs every case against both servers at once, and tells where they differ.
import { profiles } from './profiles.mjs';
import { Side } from './side.mjs';
import { startNode, startOurs, stop } from './servers.mjs';
import { Verdict, differences } from './differences.mjs';

const flags = process.argv.slice(2).filter((argument) => argument.startsWith('--'));
const word = process.argv.slice(2).find((argument) => !argument.startsWith('--')) ?? '';
const verdict = new Verdict(word === '');

for (const profile of profiles) {
  const chosen = profile.cases.filter(([title]) => `${profile.name}: ${title}`.includes(word));
  if (chosen.length === 0) continue;
  let pair = null;
  const compare = async ([title, play]) => {
    const sides = await Promise.all(pair.map((server) => perform(server, profile, play)));
    const name = `${profile.name}: ${title}`;
    if (flags.includes('--notes')) show(name, sides);
    verdict.add(name, sides, differences(...sides.map((side) => side.notes)));
  };
  // Those that wait for time do so together; the others must not meet.
  const batches = profile.together ? [chosen] : chosen.map((one) => [one]);
  for (const batch of batches) {
    pair ??= await Promise.all([startNode(profile.options), startOurs(profile.options)]);
    await Promise.all(batch.map(compare));
    if (pair.some((server) => server.fault)) {
      await Promise.all(pair.map(stop));
      pair = null;
    }
  }
  if (pair) await Promise.all(pair.map(stop));
}
verdict.finish();
if (flags.includes('--accept')) {
  if (word !== '') throw new Error('--accept takes the whole run');
  verdict.accept();
}
process.exit(verdict.tell() ? 0 : 1);

async function perform(server, profile, play) {
  const side = new Side(server, profile);
  try {
    await play(side);
  } catch (error) {
    side.note('outcome', error.message);
    side.failure = error;
  }
  side.finish();
  if (server.fault) side.note('server', server.fault);
  return side;
}

function show(name, [node, ours]) {
  console.log(`\n${name}`);
  for (const [label, value] of node.notes) {
    const other = ours.notes.get(label);
    console.log(value === other ? `    ${label}: ${value}` : `  < ${label}: ${value}\n  > ${label}: ${other}`);
  }
  for (const [label, value] of ours.notes) if (!node.notes.has(label)) console.log(`  > ${label}: ${value}`);
}
