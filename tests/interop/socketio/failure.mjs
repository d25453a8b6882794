// A failed scenario, so that a reader need not run it again to see what was wrong.
const LONGEST_MESSAGE = 4000;
const LONGEST_LINE = 300;
const LAST_LINES = 12;

export function describeFailure(error, scene, server) {
  const lines = [shorten(error.message, LONGEST_MESSAGE), origin(error)];
  scene.cast.forEach((member, index) => {
    lines.push(`client ${index + 1}, wire (C client, S server):`, ...tail(member.wire));
    if (member.unread.length > 0) lines.push('  not looked at:', ...tail(member.unread.map((entry) => JSON.stringify(entry))));
  });
  lines.push('server log:', ...tail(server.log));
  return lines.join('\n').replace(/^/gm, '      ');
}

function tail(entries) {
  return entries.slice(-LAST_LINES).map((entry) => `  ${shorten(String(entry), LONGEST_LINE)}`);
}

function shorten(text, length) {
  return text.length <= length ? text : `${text.slice(0, length)}… (${text.length} characters)`;
}

// The line of the scenario, not of the library that noticed.
function origin({ stack = '' }) {
  const found = /scenarios\/[\w.-]+:\d+/.exec(stack);
  return found ? `at ${found[0]}` : stack.split('\n').filter((line) => /^\s+at /.test(line)).slice(0, 3).join('\n');
}
