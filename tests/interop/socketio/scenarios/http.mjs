import assert from 'node:assert/strict';
import { request } from 'node:http';
import { within } from '../within.mjs';

const UPGRADE = {
  Connection: 'Upgrade',
  Upgrade: 'websocket',
  'Sec-WebSocket-Version': '13',
  'Sec-WebSocket-Key': 'dGhlIHNhbXBsZSBub25jZQ==',
};

// The whole answer; a switch of protocols is an answer too.
function fetchFrom({ server }, path, headers = {}) {
  const answer = new Promise((resolve, reject) => {
    const asked = request({ host: '127.0.0.1', port: server.port, path, headers, agent: false });
    asked.on('response', (response) => {
      const { statusCode: status, headers: { 'content-type': type } } = response;
      const chunks = [];
      response.on('data', (chunk) => chunks.push(chunk));
      response.on('end', () => resolve({ status, type, body: Buffer.concat(chunks).toString() }));
      response.on('error', reject);
    });
    asked.on('upgrade', (response, socket) => {
      socket.destroy();
      resolve({ status: response.statusCode });
    });
    asked.on('error', reject);
    asked.end();
  });
  return within(answer, `the answer to ${path}`);
}

async function expectError(scene, path, code, message) {
  const { status, type, body } = await fetchFrom(scene, path);
  assert.equal(status, 400);
  assert.match(type, /^application\/json\b/);
  assert.equal(body, JSON.stringify({ code, message }));
}

export const scenarios = [
  ...[
    '/socket.io/?EIO=4&transport=tobi',
    '/socket.io/?EIO=4',
  ].map((path) => [`GET ${path} is refused`, (scene) => expectError(scene, path, 0, 'Transport unknown')]),

  ...[4, 3].map((revision) => [`GET /socket.io/?EIO=${revision}&transport=polling opens a session`, async (scene) => {
    const { status, type, body } = await fetchFrom(scene, `/socket.io/?EIO=${revision}&transport=polling`);
    assert.equal(status, 200);
    assert.match(type, /^text\/plain\b/);
    assert.match(body, /^(\d+:)?0\{"sid":"/);
  }]),

  ['a WebSocket with EIO=5 is refused', async (scene) => {
    const { status } = await fetchFrom(scene, '/socket.io/?EIO=5&transport=websocket', UPGRADE);
    assert.equal(status, 400);
  }],

  // Else the refusal above would prove nothing.
  ['the same request with EIO=4 is accepted', async (scene) => {
    const { status } = await fetchFrom(scene, '/socket.io/?EIO=4&transport=websocket', UPGRADE);
    assert.equal(status, 101);
  }],

  ['the page', async (scene) => {
    const { status, type, body } = await fetchFrom(scene, '/');
    assert.equal(status, 200);
    assert.match(type, /^text\/html\b/);
    assert.match(body, /^\s*<!doctype html>/i);
  }],

  ...[['chat.css', /^text\/css\b/], ['chat.js', /^text\/javascript\b/], ['roomwire.js', /^text\/javascript\b/]]
    .map(([name, expected]) => [`the page's ${name}`, async (scene) => {
      const { status, type, body } = await fetchFrom(scene, `/${name}`);
      assert.equal(status, 200);
      assert.match(type, expected);
      assert.ok(body.length > 0, 'empty');
    }]),

  ['anything else is 404', async (scene) => {
    for (const path of ['/nope', '/index.html/', '/../Cargo.toml']) {
      const { status } = await fetchFrom(scene, path);
      assert.equal(status, 404, path);
    }
  }],
];
