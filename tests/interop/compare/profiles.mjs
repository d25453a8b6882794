// Which cases are played with which servers and settings.
import { cookies, oldBrowsers, pages } from './cases/browsers.mjs';
import { packets } from './cases/packets.mjs';
import { polling, sizes } from './cases/polling.mjs';
import { recovery } from './cases/recovery.mjs';
import { requests } from './cases/requests.mjs';
import { connects, heartbeats } from './cases/times.mjs';
import { upgrade } from './cases/upgrade.mjs';

// What 2.x and 4.x set otherwise is made the same.
const PINGS = { pingInterval: 25000, pingTimeout: 20000 };
const SMALL = { maxPayload: 1000 };
const SHORT = { pingInterval: 600, pingTimeout: 600, upgradeTimeout: 500 };
const IMPATIENT = { connectTimeout: 500 };
const ORIGIN = 'http://good.example';

function profile(name, official, cases, more = {}) {
  const { options = {}, unseen = official.unseen, together = false } = more;
  return { name: [official.name, name].filter(Boolean).join(', '), revision: official.revision, unseen, together, options: { ...official.options, ...options }, cases };
}

// Headers for CORS, and the cookie, which 2.x sends with every response, have profiles of their own. Server 2.x forbids no
// cache to keep its responses.
const CORS = /^access-control-|^vary$/;
const CORS_AND_CACHE = /^access-control-|^vary$|^cache-control$/;
const CACHE = /^cache-control$/;
const NONE = /^$/;

const four = { name: 'EIO4', revision: 4, options: { server: 4, allowEio3: false, ...PINGS }, unseen: CORS };
const threeOnFour = { name: 'EIO3 on 4.x', revision: 3, options: { server: 4, allowEio3: true, ...PINGS }, unseen: CORS };
const threeOnTwo = { name: 'EIO3 on 2.x', revision: 3, options: { server: 2, cookie: false, ...PINGS }, unseen: CORS_AND_CACHE };

const overWebSocket = (cases) => cases.filter(([title]) => title.startsWith('WebSocket: '));

export const profiles = [
  profile('', four, [...requests, ...upgrade, ...polling(4), ...packets]),
  profile('', threeOnFour, [...requests, ...upgrade, ...polling(3), ...oldBrowsers, ...overWebSocket(packets)]),
  profile('', threeOnTwo, [...requests, ...upgrade, ...polling(3), ...oldBrowsers, ...packets]),
  profile('small', four, sizes, { options: SMALL }),
  profile('small', threeOnTwo, sizes, { options: SMALL }),
  profile('short', four, heartbeats(4), { options: SHORT, together: true }),
  profile('short', threeOnFour, heartbeats(3), { options: SHORT, together: true }),
  profile('short', threeOnTwo, heartbeats(3), { options: SHORT, together: true }),
  profile('recovery', four, recovery, { options: { recovery: true } }),
  profile('impatient', four, connects, { options: IMPATIENT, together: true }),
  profile('one origin', four, pages, { options: { cors: { origin: [ORIGIN], credentials: true }, origin: ORIGIN }, unseen: NONE }),
  profile('one origin', threeOnTwo, pages, { options: { origins: `${ORIGIN}:*`, origin: ORIGIN }, unseen: CACHE }),
  profile('any origin', four, pages, { options: { cors: { origin: true, credentials: true } }, unseen: NONE }),
  profile('any origin', threeOnTwo, pages, { unseen: CACHE }),
  profile('cookie', four, cookies, { options: { cookie: 'io' } }),
  profile('cookie', threeOnTwo, cookies, { options: { cookie: 'io' } }),
];
