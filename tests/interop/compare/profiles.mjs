// Which cases are played with which servers and settings.
import { packets } from './cases/packets.mjs';
import { polling, sizes } from './cases/polling.mjs';
import { requests } from './cases/requests.mjs';
import { upgrade } from './cases/upgrade.mjs';

// What 2.x and 4.x set otherwise is made the same.
const PINGS = { pingInterval: 25000, pingTimeout: 20000 };

const four = { revision: 4, options: { server: 4, allowEio3: false, ...PINGS } };
const threeOnFour = { revision: 3, options: { server: 4, allowEio3: true, ...PINGS } };
// A server 2.x sends headers for CORS with every response; they have a profile of their own.
const threeOnTwo = { revision: 3, options: { server: 2, cookie: false, ...PINGS }, unseen: /^access-control-/ };

const small = { maxPayload: 1000 };

export const profiles = [
  { name: 'EIO4', ...four, cases: [...requests, ...upgrade, ...polling(4), ...packets] },
  { name: 'EIO3 on 4.x', ...threeOnFour, cases: [...requests, ...upgrade, ...polling(3), ...packets] },
  { name: 'EIO3 on 2.x', ...threeOnTwo, cases: [...requests, ...upgrade, ...polling(3), ...packets] },
  { name: 'EIO4, small', ...four, options: { ...four.options, ...small }, cases: sizes },
  { name: 'EIO3 on 2.x, small', ...threeOnTwo, options: { ...threeOnTwo.options, ...small }, cases: sizes },
];
