// Debian's Chromium, without a word to anybody but the server under test.
import { createRequire } from 'node:module';

const require = createRequire(`${process.env.ROOMWIRE_BROWSER_MODULES}/`);
const { chromium } = require('playwright-core');

export const WAIT = 20_000; // ms, for each single wait

export class Browser {
  static async start(server) {
    const browser = new Browser();
    browser.server = server;
    // `launch` makes a profile folder of its own and removes it at the end.
    browser.chromium = await chromium.launch({
      executablePath: '/usr/bin/chromium',
      args: [
        '--no-sandbox', // it runs as root in a throw-away machine, and visits our own page only
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
        '--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1',
      ],
    });
    return browser;
  }

  // A visitor of its own: cookies and storage are shared with nobody.
  async context(options = {}) {
    const context = await this.chromium.newContext({ baseURL: this.server.url, ...options });
    context.setDefaultTimeout(WAIT);
    return context;
  }

  async end() {
    await this.chromium.close();
  }
}
