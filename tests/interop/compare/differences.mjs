// Where the two servers differ, held against the committed list: `differences.txt`, each with one of the reasons of
// `reasons.json`.
import { readFileSync, writeFileSync } from 'node:fs';

const NOTHING = '(nothing)';
const LIST = new URL('differences.txt', import.meta.url);

// Both directions: what only one of them says is a difference too.
export function differences(node, ours) {
  const labels = new Set([...node.keys(), ...ours.keys()]);
  return [...labels]
    .map((label) => ({ label, node: node.get(label) ?? NOTHING, ours: ours.get(label) ?? NOTHING }))
    .filter((found) => found.node !== found.ours);
}

// The same but for what a close frame says: a code with a reason where the official server sends an empty one, or a reason
// to the same code. That would be a line for each fault that there is.
function closesWithReason({ node, ours }) {
  const plain = ours
    .replace(/close (1008|1003) (HTTP|Engine\.IO|Socket\.IO|WebSocket): [^/;]*/, 'close 1005')
    .replace(/close (1007 invalid UTF-8|1009 message too big)/, (found) => found.slice(0, 10));
  return node === plain;
}

export class Verdict {
  #reasons = JSON.parse(readFileSync(new URL('reasons.json', import.meta.url)));
  #listed = new Map();
  #found = [];
  #seen = new Set();
  #broken = [];
  #notes = 0;
  #reasonsGiven = 0;

  // Only a whole run can tell what is the same for all cases.
  constructor(whole) {
    this.whole = whole;
    for (const line of readFileSync(LIST, 'utf8').split('\n').filter(Boolean)) {
      const [reason, ...difference] = line.split('\t');
      this.#listed.set(difference.join('\t'), reason);
    }
  }

  add(name, [node, ours], found) {
    if (this.#seen.has(name)) this.#broken.push(`${name}: the title is there twice`);
    this.#seen.add(name);
    this.#notes += node.notes.size;
    // What the official server does is the measure; if the case fails there, the case is wrong.
    if (node.failure) this.#broken.push(`${name}: ${node.failure.stack}`);
    if (node.notes.size === 0) this.#broken.push(`${name}: nothing is noted`);
    this.#reasonsGiven += found.filter(closesWithReason).length;
    for (const difference of found.filter((one) => !closesWithReason(one))) this.#found.push([name, difference.label, difference.node, difference.ours].join('\t'));
  }

  // After the last case.
  finish() {
    if (this.whole) this.#found.push(['all cases', 'close frames', 'empty', `${this.#reasonsGiven} with a code and a reason`].join('\t'));
    this.#seen.add(this.whole ? 'all cases' : '');
  }

  // Prints the table; whether all is as it is listed.
  tell() {
    const known = this.#found.filter((line) => this.#listed.has(line));
    for (const { id, verdict, reason } of this.#reasons) {
      const lines = known.filter((line) => this.#listed.get(line) === id);
      if (lines.length > 0) console.log(`\n${verdict}: ${reason} (${id}, ${lines.length})\n${lines.map(row).join('\n')}`);
    }
    const unlisted = this.#found.filter((line) => !this.#listed.has(line));
    const found = new Set(this.#found);
    const vanished = [...this.#listed.keys()].filter((line) => !found.has(line) && this.#seen.has(line.split('\t')[0]));
    const stray = [...this.#listed.values()].filter((reason) => !this.#reasons.some(({ id }) => id === reason));
    section('not listed', unlisted.map(row));
    section('listed, but no longer there', vanished.map(row));
    section('reasons that there are not', stray);
    section('broken cases', this.#broken);
    console.log(`\n${this.#seen.size - 1} cases, ${this.#notes} facts compared; ${known.length} differences as listed, `
      + `${unlisted.length} not listed, ${vanished.length} vanished, ${this.#broken.length} broken cases`);
    return this.#seen.size > 1 && unlisted.length + vanished.length + stray.length + this.#broken.length === 0;
  }

  // Writes the list anew, each difference with the first reason that fits it; what has none is left out, and so fails.
  accept() {
    const lines = this.#found.map((line) => {
      const reason = this.#reasons.find(({ match }) => match.some((pattern) => new RegExp(pattern).test(line.replaceAll('\t', ' | '))));
      return reason && `${reason.id}\t${line}`;
    });
    writeFileSync(LIST, `${lines.filter(Boolean).sort().join('\n')}\n`);
  }
}

function row(line) {
  const [name, label, node, ours] = line.split('\t');
  return `  ${name} | ${label}\n      official: ${node}\n      here:     ${ours}`;
}

function section(title, lines) {
  if (lines.length > 0) console.log(`\n${title}:\n${lines.join('\n')}`);
}
