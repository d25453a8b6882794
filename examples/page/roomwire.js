/**
 * Roomwire: a small Socket.IO client over the browser's own WebSocket.
 *
 *     const wire = new Roomwire({ url: location.origin, auth: () => ({ token }) });
 *     wire.on("said", ({ from, text }) => show(from, text));   // an event from the server
 *     wire.on("question", (text, reply) => reply("yes"));      // one that wants an answer
 *     wire.open();
 *     wire.emit("typing", true);                               // send and forget
 *     const answer = await wire.request("say", "hello");       // send and wait for the answer
 *
 * What travels is text, in two layers. The first character belongs to Engine.IO, which keeps the
 * connection alive: `0{…}` opens it, the server's `2` (ping) wants a `3` (pong), `4…` is a message.
 * A message is a Socket.IO packet: `40{auth}` connects, `42["name",…]` is an event, `427["name",…]`
 * an event that wants an answer under number 7, and `437[…]` that answer.
 *
 *     closed ──open()──▶ connecting ──▶ online          `connecting` lasts until the server has
 *        ▲                   ▲  │         │             accepted us and `prepare` has finished.
 *        │ close(), or       │  ▼ lost    │ lost        `offline` ends by itself: at `retryAt`,
 *        │ the server says   offline ◀────┘             or when the browser wakes up or gets
 *        └─ DISCONNECT or CONNECT_ERROR, from any,      its network back.
 *           or another tab came with our token
 *
 * A server with connection state recovery gives us a `pid`, and its events one string more behind their
 * arguments, for handlers too. With both we come back after a loss, and what we have missed comes first,
 * while we are still `connecting`.
 *
 * An event is sent at most once. What is emitted before the wire is online waits in a short queue.
 * A request that fails is rejected with an error whose `sent` tells whether it had gone out: if so,
 * nobody can know whether the server still saw it. Arguments are taken as they are at the call, as JSON:
 * `undefined` and `NaN` become `null`, as with the official clients; for what has no form at all (a
 * BigInt, a function, bytes: binary events are not spoken) there is a TypeError.
 */
export class Roomwire {
  #options = {
    url: undefined, // of the server; http(s) and ws(s) mean the same here
    auth: () => undefined, // asked before each connect: what to send as credentials
    prepare: async (request) => {}, // runs after each connect, before the queue goes out
    onState: (state, detail) => {}, // "connecting", "online", "offline" or "closed"
    onDrop: (name, args, reason) => {}, // something queued will never be sent
    queueLimit: 50,
    answerTimeout: 10_000, // all times in milliseconds
    connectTimeout: 10_000,
    firstDelay: 500,
    longestDelay: 15_000,
  };
  #state = "closed";
  #socket = null; // the WebSocket in use; what any other one still reports is ignored
  #accepted = false; // the server has answered our CONNECT
  #recovery; // { pid, offset }: by which the server knows our session, and what we have of it
  #recovered = false;
  #patience = 0; // how long the server may be silent, as it told us itself
  #handlers = new Map(); // event name -> functions
  #answers = new Map(); // number -> the request that waits under it
  #nextNumber = 0;
  #queue = []; // emitted while not online, oldest first
  #failures = 0; // connections lost since the last time we were online
  #retryTimer;
  #watchdog;

  constructor(options) {
    Object.assign(this.#options, options);
  }

  get state() {
    return this.#state;
  }

  /** Whether the server has let us in. What comes before that is what we had missed. */
  get accepted() {
    return this.#accepted;
  }

  /** Whether the last connect brought all that we had missed: the server keeps it, and still had it. */
  get recovered() {
    return this.#recovered;
  }

  /** Calls `handler(...args)` for each event of that name; if the server wants an answer, the last argument is `reply(...args)`. */
  on(name, handler) {
    this.#handlers.set(name, [...(this.#handlers.get(name) ?? []), handler]);
    return this;
  }

  /** Sends an event, or queues it until the wire is online. */
  emit(name, ...args) {
    this.#submit(event(name, args));
  }

  /** Sends an event and resolves with the first argument of the server's answer. */
  request(name, ...args) {
    return new Promise((resolve, reject) => this.#submit(event(name, args, resolve, reject)));
  }

  open() {
    if (this.#state !== "closed") return;
    addEventListener("online", this.#wake);
    document.addEventListener("visibilitychange", this.#wake);
    this.#failures = 0;
    this.#dial();
  }

  /** Says goodbye to the server and stays closed until the next `open`. */
  close() {
    this.#finish("closed here");
  }

  /** Gives up the present connection and makes a new one, after the usual short delay. */
  reconnect(reason) {
    if (this.#socket) this.#lose(reason);
  }

  #wake = ({ type }) => {
    const seen = type === "online" || !document.hidden;
    if (seen && this.#state === "offline") this.#dial();
  };

  // --- The life of a connection ---------------------------------------------------------------

  #dial() {
    clearTimeout(this.#retryTimer);
    const address = new URL("/socket.io/?EIO=4&transport=websocket", this.#options.url);
    address.protocol = address.protocol.replace("http", "ws");
    const socket = new WebSocket(address);
    this.#socket = socket;
    socket.onmessage = ({ data }) => this.#socket === socket && this.#receive(data);
    socket.onclose = ({ reason }) => {
      if (this.#socket !== socket) return;
      // A copy of this tab has our session now. Whoever took it back would be the next to lose it.
      if (reason === "taken over") this.#dismiss("this goes on in another tab");
      else this.#lose("the connection ended");
    };
    this.#watch(this.#options.connectTimeout, "the server does not answer");
    this.#become("connecting");
  }

  async #accept() {
    const socket = this.#socket;
    this.#accepted = true;
    // These requests pass by the queue: they are what makes it safe to send the rest.
    const request = (name, ...args) =>
      new Promise((resolve, reject) => {
        if (this.#socket === socket) this.#transmit(event(name, args, resolve, reject));
        else reject(failure("the connection was lost", false));
      });
    try {
      await this.#options.prepare(request);
    } catch (error) {
      if (this.#socket === socket) this.#lose(error.message);
    }
    if (this.#socket !== socket) return; // lost or closed in the meantime
    this.#failures = 0;
    for (const item of this.#queue.splice(0)) this.#transmit(item);
    this.#become("online");
  }

  #lose(reason) {
    this.#hangUp("the connection was lost");
    const { firstDelay, longestDelay } = this.#options;
    const ceiling = Math.min(longestDelay, firstDelay * 2 ** this.#failures++);
    // Jitter: a thousand clients that lost the same server must not come back in the same instant.
    const delay = ceiling * (0.5 + Math.random() / 2);
    this.#retryTimer = setTimeout(() => this.#dial(), delay);
    this.#become("offline", { reason, retryAt: Date.now() + delay });
  }

  #finish(reason) {
    if (this.#state === "closed") return;
    if (this.#accepted) this.#socket.send("41");
    this.#hangUp(reason);
    this.#recovery = undefined; // who left on purpose is somebody new
    clearTimeout(this.#retryTimer);
    removeEventListener("online", this.#wake);
    document.removeEventListener("visibilitychange", this.#wake);
    for (const item of this.#queue.splice(0)) this.#drop(item, reason);
    this.#become("closed", { reason });
  }

  /** The server is done with us: there is nothing to say goodbye to. */
  #dismiss(reason) {
    this.#accepted = false;
    this.#finish(reason);
  }

  #hangUp(reason) {
    const socket = this.#socket;
    this.#socket = null; // from here on its events are nobody's
    this.#accepted = false;
    clearTimeout(this.#watchdog);
    socket?.close();
    for (const waiting of this.#answers.values()) waiting.reject(failure(reason, true));
    this.#answers.clear();
  }

  /** Restarts the watchdog: without another sign of life in `time`, the connection counts as lost. */
  #watch(time, reason) {
    clearTimeout(this.#watchdog);
    this.#watchdog = setTimeout(() => this.#lose(reason), time);
  }

  #become(state, detail = {}) {
    this.#state = state;
    this.#options.onState(state, detail);
  }

  // --- What comes in --------------------------------------------------------------------------

  #receive(frame) {
    let kind, number, data;
    try {
      [kind, number, data] = decode(frame);
    } catch {
      return this.#lose("the server sent something unreadable");
    }
    switch (kind) {
      case "0": // Engine.IO is open: now connect
        this.#patience = data.pingInterval + data.pingTimeout;
        return this.#connect(this.#options.auth());
      case "1":
        return this.#lose("the server closed the connection");
      case "2": // ping
        this.#socket.send("3");
        return this.#watch(this.#patience, "the server went silent");
      case "40": // CONNECT
        this.#watch(this.#patience, "the server went silent");
        this.#recovered = data.pid !== undefined && data.pid === this.#recovery?.pid;
        if (!this.#recovered) this.#recovery = data.pid && { pid: data.pid };
        return this.#accept();
      case "41": // DISCONNECT
        return this.#dismiss("the server ended the connection");
      case "42": // EVENT
        return this.#dispatch(data, number);
      case "43": // ACK
        return this.#answers.get(number)?.resolve(data[0]);
      case "44": // CONNECT_ERROR
        return this.#finish(data?.message ?? "the server refused the connection");
    }
  }

  /** Asks for the namespace `/`, with our credentials if we have any. */
  #connect(auth) {
    const payload = this.#recovery ? { ...this.#recovery, ...auth } : auth;
    this.#socket.send("40" + (JSON.stringify(payload) ?? ""));
  }

  #dispatch([name, ...args], number) {
    const socket = this.#socket;
    if (number === "") {
      if (this.#recovery && typeof args.at(-1) === "string") this.#recovery.offset = args.at(-1);
    } else {
      args.push((...answer) => {
        const data = encode(answer);
        if (this.#socket === socket) socket.send(`43${number}${data}`);
      });
    }
    for (const handler of this.#handlers.get(name) ?? []) {
      try {
        handler(...args);
      } catch (error) {
        reportError(error); // a fault of the page's must not cost it the connection
      }
    }
  }

  // --- What goes out --------------------------------------------------------------------------

  #submit(item) {
    if (this.#state === "closed") return this.#drop(item, "the connection is closed");
    if (this.#state === "online") return this.#transmit(item);
    this.#queue.push(item);
    if (this.#queue.length > this.#options.queueLimit) {
      this.#drop(this.#queue.shift(), "too much was waiting");
    }
  }

  #transmit({ data, resolve, reject }) {
    let number = "";
    if (resolve) {
      number = String(this.#nextNumber++);
      const settle = (how) => (value) => {
        clearTimeout(timer);
        this.#answers.delete(number);
        how(value);
      };
      const waiting = { resolve: settle(resolve), reject: settle(reject) };
      const timer = setTimeout(
        () => waiting.reject(failure("no answer came in time", true)),
        this.#options.answerTimeout,
      );
      this.#answers.set(number, waiting);
    }
    this.#socket.send(`42${number}${data}`);
  }

  #drop({ name, args, reject }, reason) {
    reject?.(failure(reason, false));
    this.#options.onDrop(name, args, reason);
  }
}

function failure(reason, sent) {
  return Object.assign(new Error(reason), { sent });
}

/** What is to be sent, and who waits for an answer to it. */
function event(name, args, resolve, reject) {
  if (typeof name !== "string") throw new TypeError("the name of an event is a string");
  return { name, args, data: encode([name, ...args]), resolve, reject };
}

/** Arguments as JSON; throws a TypeError for those that have no form in it. */
function encode(args) {
  for (const arg of args) {
    if (typeof arg === "function") throw new TypeError("a function cannot be sent; for an answer there is request()");
    if (typeof arg === "symbol") throw new TypeError("a symbol cannot be sent");
  }
  return JSON.stringify(args, (_, value) => {
    if (value instanceof ArrayBuffer || ArrayBuffer.isView(value) || value instanceof Blob) {
      throw new TypeError("bytes cannot be sent: binary events are not spoken");
    }
    return value;
  });
}

/** Reads a frame into `[kind, number, data]`; throws if it is none that we can read. */
function decode(frame) {
  const [, kind, number, json] = /^(0|1|2|6|4[0-4])(\d*)(.*)$/s.exec(frame);
  const data = json && JSON.parse(json);
  if ((kind === "42" || kind === "43") && !Array.isArray(data)) throw new SyntaxError("not a list");
  return [kind, number, data];
}
