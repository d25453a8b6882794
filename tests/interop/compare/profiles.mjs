// Which cases are played with which servers and settings.
import { cookies, oldBrowsers, pages } from './cases/browsers.mjs';
import { packets } from './cases/packets.mjs';
import { polling, sizes } from './cases/polling.mjs';
import { requests } from './cases/requests.mjs';
import { connects, heartbeats } from './cases/times.mjs';
import { upgrade } from './cases/upgrade.mjs';

// What 2.x and 4.x set otherwise is made the same.
const PINGS = { pingInterval: 25000, pingTimeout: 20000 };
const SMALL = { maxPayload: 1000 };
const SHORT = { pingInterval: 400, pingTimeout: 300, upgradeTimeout: 500 };
const IMPATIENT = { connectTimeout: 500 };
const ORIGIN = 'http://good.example';

function profile(name, official, cases, more = {}) {
  const { options = {}, unseen = official.unseen } = more;
  return { name: [official.name, name].filter(Boolean).join(', '), revision: official.revision, unseen, options: { ...official.options, ...options }, cases };
}

const four = { name: 'EIO4', revision: 4, options: { server: 4, allowEio3: false, ...PINGS } };
const threeOnFour = { name: 'EIO3 on 4.x', revision: 3, options: { server: 4, allowEio3: true, ...PINGS } };
// A server 2.x sends headers for CORS, and a cookie, with every response; they have profiles of their own. It forbids no
// cache to keep its responses.
const threeOnTwo = { name: 'EIO3 on 2.x', revision: 3, options: { server: 2, cookie: false, ...PINGS }, unseen: /^access-control-|^vary$|^cache-control$/ };
const own = /^cache-control$/;

export const profiles = [
  profile('', four, [...requests, ...upgrade, ...polling(4), ...packets]),
  profile('', threeOnFour, [...requests, ...upgrade, ...polling(3), ...oldBrowsers, ...packets]),
  profile('', threeOnTwo, [...requests, ...upgrade, ...polling(3), ...oldBrowsers, ...packets]),
  profile('small', four, sizes, { options: SMALL }),
  profile('small', threeOnTwo, sizes, { options: SMALL }),
  profile('short', four, heartbeats(4), { options: SHORT }),
  profile('short', threeOnFour, heartbeats(3), { options: SHORT }),
  profile('short', threeOnTwo, heartbeats(3), { options: SHORT }),
  profile('impatient', four, connects, { options: IMPATIENT }),
  profile('one origin', four, pages, { options: { cors: { origin: [ORIGIN], credentials: true }, origin: ORIGIN } }),
  profile('one origin', threeOnTwo, pages, { options: { origins: `${ORIGIN}:*`, origin: ORIGIN }, unseen: own }),
  profile('any origin', four, pages, { options: { cors: { origin: true, credentials: true } } }),
  profile('any origin', threeOnTwo, pages, { unseen: own }),
  profile('cookie', four, cookies, { options: { cookie: 'io' } }),
  profile('cookie', threeOnTwo, cookies, { options: { cookie: 'io' } }),
];
