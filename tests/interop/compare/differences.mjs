// Where the two servers differ, and what `deliberate.json` says of it.
import { readFileSync } from 'node:fs';

const NOTHING = '(nothing)';

// Both directions: what only one of them says is a difference too.
export function differences(node, ours) {
  const labels = new Set([...node.keys(), ...ours.keys()]);
  return [...labels]
    .map((label) => ({ label, node: node.get(label) ?? NOTHING, ours: ours.get(label) ?? NOTHING }))
    .filter((found) => found.node !== found.ours);
}

export class Verdict {
  #reasons = JSON.parse(readFileSync(new URL('deliberate.json', import.meta.url)));
  #seen = new Set();
  #unlisted = [];
  #broken = [];
  #cases = 0;
  #notes = 0;
  #listed = 0;

  // A partial run cannot tell what has vanished.
  constructor(whole) {
    this.whole = whole;
  }

  add(name, [node, ours], found) {
    if (this.#seen.has(name)) this.#broken.push(`${name}: the title is there twice`);
    this.#seen.add(name);
    this.#cases += 1;
    this.#notes += node.notes.size;
    // What the official server does is the measure; if the case fails there, the case is wrong.
    if (node.failure) this.#broken.push(`${name}: ${node.failure.stack}`);
    if (node.notes.size === 0) this.#broken.push(`${name}: nothing is noted`);
    for (const difference of found) {
      const reasons = this.#reasons.filter((reason) => reason.cases.includes(name) && explains(reason, difference));
      if (reasons.length === 0) this.#unlisted.push({ name, ...difference });
      if (reasons.length > 1) this.#broken.push(`${name}: ${difference.label} is listed twice: ${reasons[0].reason}`);
      for (const reason of reasons) {
        this.#listed += 1;
        (reason.found ??= new Set()).add(name);
      }
    }
  }

  // Prints the table; whether all is as it is listed.
  tell(flags) {
    const vanished = [];
    for (const reason of this.#reasons) {
      const found = reason.found ?? new Set();
      for (const name of reason.cases) {
        if (!found.has(name) && (this.whole || this.#seen.has(name))) vanished.push(`${name}: ${reason.label}: ${reason.reason}`);
      }
      if (found.size === 0) continue;
      console.log(`\n${reason.verdict}: ${reason.reason}\n    ${reason.label}   official: ${reason.node}   here: ${reason.ours}`);
      if (!flags.includes('--brief')) for (const name of found) console.log(`      ${name}`);
    }
    section('not listed', this.#unlisted.map(({ name, label, node, ours }) => `${name}\n    ${label}\n      official: ${node}\n      here:     ${ours}`));
    section('listed, but no longer there', vanished);
    section('broken cases', this.#broken);
    console.log(`\n${this.#cases} cases, ${this.#notes} facts compared; ${this.#listed} differences listed, `
      + `${this.#unlisted.length} not listed, ${vanished.length} vanished, ${this.#broken.length} broken cases`);
    return this.#cases > 0 && this.#unlisted.length + vanished.length + this.#broken.length === 0;
  }
}

function section(title, lines) {
  if (lines.length > 0) console.log(`\n${title}:\n  ${lines.join('\n  ')}`);
}

// `*` stands for anything, in what was found too.
function explains(reason, found) {
  return ['label', 'node', 'ours'].every((field) => {
    const parts = reason[field].split('*').map((part) => part.replace(/[.*+?^${}()|[\]\\]/g, '\\$&'));
    return new RegExp(`^${parts.join('.*')}$`, 's').test(found[field]);
  });
}
