// Drives the example client, by its lines, against servers of others. `node main.mjs [WORD]` keeps what contains WORD.
import { spawn, spawnSync } from "node:child_process";
import { connect, createServer } from "node:net";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const here = (file) => fileURLToPath(new URL(file, import.meta.url));
const PATIENCE = 30_000;
// What server 4.x appends to its events for connection state recovery; no argument here looks like it.
const OFFSET = /,"[\w-]{7,}(\.[\w-]+)?"(?= \| |$)/;
// The line without it, and with characters as themselves where a server escapes them.
const plain = (line) => line.replace(OFFSET, "").replace(/\\u([0-9a-f]{4})/g, (_, hex) => String.fromCharCode(parseInt(hex, 16)));
const only = process.argv[2] ?? "";

// A program whose lines are read one by one; each wait is bounded.
class Program {
    constructor(command, args) {
        this.child = spawn(command, args, { stdio: ["pipe", "pipe", "inherit"] });
        this.lines = [];
        this.seen = [];
        this.wake = () => {};
        this.ended = new Promise((resolve) => this.child.on("exit", resolve));
        createInterface({ input: this.child.stdout }).on("line", (line) => {
            this.seen.push(line);
            this.lines.push(plain(line));
            this.wake();
        });
        // It may have ended before all of its input was read.
        this.child.stdin.on("error", () => {});
    }

    say(line) {
        this.child.stdin.write(`${line}\n`);
    }

    async line() {
        const late = Date.now() + PATIENCE;
        while (this.lines.length === 0) {
            const left = late - Date.now();
            if (left <= 0) throw new Error(`no line in time after ${JSON.stringify(this.seen.slice(-5))}`);
            await new Promise((resolve) => {
                const timer = setTimeout(resolve, left);
                this.wake = () => (clearTimeout(timer), resolve());
            });
        }
        return this.lines.shift();
    }

    // The next line but for notices that may come at any time.
    async expect(expected) {
        let line = await this.line();
        while (line !== expected && line === "# upgraded") line = await this.line();
        if (line !== expected) throw new Error(`${JSON.stringify(line)} in the place of ${JSON.stringify(expected)}`);
    }

    async until(expected) {
        while ((await this.line()) !== expected);
    }

    async finish(expected = 0) {
        this.child.stdin.end();
        const timer = setTimeout(() => this.child.kill("SIGKILL"), PATIENCE);
        const code = await this.ended;
        clearTimeout(timer);
        if (code !== expected) throw new Error(`ended with ${code}`);
    }
}

// What lies before a server: nothing passes before it is opened.
class Gate {
    static async before(url) {
        const gate = new Gate();
        const opened = new Promise((resolve) => { gate.open = resolve; });
        const listener = createServer(async (near) => {
            near.on("error", () => {});
            await opened;
            const far = connect(new URL(url).port, "127.0.0.1");
            far.on("error", () => near.destroy());
            near.pipe(far).pipe(near);
        });
        await new Promise((resolve) => listener.listen(0, "127.0.0.1", resolve));
        gate.url = `http://127.0.0.1:${listener.address().port}`;
        gate.close = () => listener.close();
        return gate;
    }
}

const HELP = '# an event a line: enter {"name":"ann","room":"lobby"} and then say "hello"; ?say "hello" asks for an answer';
const HELLO = 'hello "world",1,true,{"a":[null]}';

// What comes first. Some servers greet before they answer CONNECT.
async function greeted(client, namespace = "/") {
    const first = [await client.line(), await client.line(), await client.line()].filter((line) => line !== "# upgraded");
    while (first.length < 3) first.push(await client.line());
    const expected = ["# opened", `# connected ${namespace}`, HELLO];
    if (first[0] !== expected[0] || [...first].sort().join() !== [...expected].sort().join()) {
        throw new Error(`${JSON.stringify(first)} in the place of ${JSON.stringify(expected)}`);
    }
}

const scenarios = {
    async "events both ways, acknowledgements both ways"(client) {
        await greeted(client);
        client.say('back "€😀",{"k":[1.5,null]}');
        await client.expect('back "€😀",{"k":[1.5,null]}');
        client.say('?echo "x",7');
        await client.expect('# acknowledged "x",7');
        client.say('ask "sure"');
        await client.expect('asked "sure"');
        await client.expect('answer "sure"');
    },

    async "help is not far"(client) {
        await greeted(client);
        client.say("help");
        await client.expect(HELP);
    },

    async "attachments both ways"(client) {
        await greeted(client);
        const photo = '{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}} | 00ff10 04';
        client.say(`back ${photo}`);
        await client.expect(`back ${photo}`);
        client.say(`?echo ${photo}`);
        await client.expect(`# acknowledged ${photo}`);
        client.say(`ask ${photo}`);
        await client.expect(`asked ${photo}`);
        await client.expect(`answer ${photo}`);
    },

    // While the transport changes too.
    async "many events in their order"(client) {
        client.say("count 300");
        for (let nth = 0; nth < 300; nth++) client.say(`back ${nth}`);
        await greeted(client);
        const [theirs, ours] = [[], []];
        while (theirs.length + ours.length < 600) {
            const [name, nth] = (await client.line()).split(" ");
            if (name === "nth") theirs.push(Number(nth));
            if (name === "back") ours.push(Number(nth));
        }
        for (const list of [theirs, ours]) {
            list.forEach((found, nth) => {
                if (found !== nth) throw new Error(`${found} in the place of ${nth}`);
            });
        }
    },

    async "heartbeats hold the session, on the transport that was asked for"(client, { transport }) {
        await greeted(client);
        if (transport === "both" && !client.seen.includes("# upgraded")) await client.until("# upgraded");
        // Five intervals.
        await new Promise((resolve) => setTimeout(resolve, 2000));
        client.say("transport");
        await client.expect(`transport "${transport === "polling" ? "polling" : "websocket"}"`);
    },

    async "the server disconnects"(client) {
        await greeted(client);
        client.say("kick");
        await client.expect("# disconnected: disconnected by the server");
        await client.expect("# closed");
    },

    async "the transport ends, and the client comes back"(client, { server }) {
        await greeted(client);
        if (client.transport === "both" && !client.seen.includes("# upgraded")) await client.until("# upgraded");
        client.say("cut");
        let line = await client.line();
        while (!line.startsWith("# disconnected: transport")) line = await client.line();
        // What is said meanwhile waits.
        client.say('back "later"');
        while (line !== "# opened") line = await client.line();
        if (server === "server-4") {
            await client.expect('missed "while away"');
            await client.expect("# recovered /");
        }
        await client.until('back "later"');
    },
};

// Before the end of its input.
scenarios["the server disconnects"].code = 1;
// Nobody tells whether all of it had arrived.
scenarios["the transport ends, and the client comes back"].code = 1;

const namespaces = {
    async "a namespace with a token"(client) {
        await greeted(client, "/admin");
        client.say('?echo "in admin"');
        await client.expect('# acknowledged "in admin"');
    },
    async "a namespace without its token"(client, { server }) {
        await client.expect("# opened");
        const refusals = {
            "server-2": '# refused /admin:  {"code":401}',
            "server-4": '# refused /admin: not authorized {"code":401}',
            python: '# refused /admin: not authorized {"code":401}',
        };
        await client.expect(refusals[server]);
        await client.expect("# closed");
    },
};

const servers = {
    "server-2": [process.execPath, [here("server.mjs"), "server-2"]],
    "server-4": [process.execPath, [here("server.mjs"), "server-4"]],
    python: [process.env.ROOMWIRE_CLIENT_PYTHON, [here("server.py")]],
};

let failed = 0;
let passed = 0;

async function check(name, run, context, args, code = run.code ?? 0) {
    const title = `${context.server}, ${context.transport}: ${name}`;
    if (!title.includes(only)) return;
    const client = new Program(process.env.ROOMWIRE_CLIENT, args);
    client.transport = context.transport;
    try {
        await client.expect(HELP);
        await run(client, context);
        await client.finish(code);
        passed += 1;
        console.log(`ok   ${title}`);
    } catch (error) {
        failed += 1;
        client.child.kill("SIGKILL");
        console.log(`FAIL ${title}: ${error.message}\n     ${client.seen.slice(-12).join("\n     ")}`);
    }
}

const PATH = "URL of a server has a path or a query: a namespace is named when it is connected, a query is set on its own";
const USAGE = "usage: client [--polling | --websocket] [--protocol 4 | 5] [--namespace /NAME]... [--auth JSON] [--retries N] [URL]";
for (const [args, code, said] of [
    [["--help"], 0, USAGE],
    [["--nope"], 2, `unknown option --nope\n${USAGE}`],
    [["--auth"], 2, `--auth needs a value\n${USAGE}`],
    [["--auth", "[]"], 2, `authentication is not a JSON object\n${USAGE}`],
    [["--protocol", "6"], 2, `--protocol is 4 or 5\n${USAGE}`],
    [["--protocol", "5", "--retries", "x"], 2, `--retries is a number\n${USAGE}`],
    [["http://127.0.0.1:8888/chat"], 2, `${PATH}\n${USAGE}`],
    [["httpx://127.0.0.1"], 2, `scheme of the URL is not http, https, ws or wss\n${USAGE}`],
]) {
    const title = `options: ${args.join(" ")}`;
    if (!title.includes(only)) continue;
    const { status, stdout, stderr } = spawnSync(process.env.ROOMWIRE_CLIENT, args, { encoding: "utf8", timeout: PATIENCE });
    const good = status === code && (stdout + stderr).trimEnd() === said;
    if (good) passed += 1;
    else failed += 1;
    console.log(good ? `ok   ${title}` : `FAIL ${title}: ${status}, ${JSON.stringify(stdout + stderr)}`);
}

for (const [server, [command, args]] of Object.entries(servers)) {
    const program = new Program(command, args);
    const url = `http://127.0.0.1:${await program.line()}`;
    const protocol = server === "server-2" ? ["--protocol", "4"] : [];
    for (const transport of ["polling", "websocket", "both"]) {
        const context = { server, transport };
        const options = [url, ...protocol, ...(transport === "both" ? [] : [`--${transport}`])];
        for (const [name, run] of Object.entries(scenarios)) await check(name, run, context, options);
        const [good, bad] = Object.entries(namespaces);
        const token = server === "server-2" ? ["/admin?token=secret"] : ["/admin", "--auth", '{"token":"secret"}'];
        await check(good[0], good[1], context, [...options, "--namespace", ...token]);
        await check(bad[0], bad[1], context, [...options, "--namespace", "/admin"], 1);
        await check("events are sent until acknowledged", async (client) => {
            await greeted(client);
            client.say('?echo 1');
            client.say('?echo 2');
            await client.expect("# acknowledged 1");
            await client.expect("# acknowledged 2");
        }, context, [...options, "--retries", "3"]);
        // The input is over before there is a session.
        for (const retries of [[], ["--retries", "2"]]) {
            const name = ["what was piped is sent", ...retries].join(" ");
            await check(name, async (client) => {
                client.child.stdin.end(`note "${transport} ${name}"\n`);
                await client.ended;
                const other = new Program(process.env.ROOMWIRE_CLIENT, options);
                other.child.stdin.end("?noted\n");
                await other.until(`# acknowledged "${transport} ${name}"`);
                await other.finish();
            }, context, [...options, ...retries]);
        }
    }
    if (server === "server-4") {
        await check("a namespace that is not there", async (client) => {
            await client.until("# refused /nope: Invalid namespace");
        }, { server, transport: "both" }, [url, "--namespace", "/nope"], 1);
    }
    const refused = ["--namespace", "/admin", ...(server === "server-2" ? ["--protocol", "4"] : [])];
    const gate = await Gate.before(url);
    await check("what cannot be sent is told", async (client) => {
        client.say("echo 1");
        client.say("help");
        await client.expect(HELP);
        // It has read what is to be sent before it can hear that it is refused.
        gate.open();
        await client.until("# given up: 1 not sent or not acknowledged");
    }, { server, transport: "both" }, [gate.url, ...refused], 1);
    gate.close();
    program.child.kill();
    await program.ended;
}
console.log(`${passed} passed, ${failed} failed`);
if (passed === 0 || failed > 0) process.exit(1);
