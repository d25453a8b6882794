/**
 * The chat page: a door (name and room), and the room behind it.
 *
 * The server is asked through `wire` and answers with events; this file keeps what the page must
 * remember between them and draws it. What other people wrote reaches the document as text only.
 */
import { Roomwire } from "./roomwire.js";

const LOG_LIMIT = 500; // lines
const REENTER_FOR = 60_000; // ms to keep asking for our name, while the server still holds it as away
const REENTER_EVERY = 1_500;
const WELCOME_WITHIN = 10_000;
const TYPING_EVERY = 2_000; // we say so at most this often …
const TYPING_SHOWN = 4_000; // … and believe it of others for this long
const GROUP_WITHIN = 5 * 60_000; // one heading over messages of one person
const HUES = 8; // colours for names, in the style sheet

const $ = (id) => document.getElementById(id);

// --- What is remembered ------------------------------------------------------------------------

/** A small object under one key. A browser that forbids storage costs the memory, not the page. */
function store(storage, key) {
  let value = {};
  try {
    value = JSON.parse(storage().getItem(key)) ?? {};
  } catch {}
  return {
    get: () => value,
    set(next) {
      value = next;
      try {
        storage().setItem(key, JSON.stringify(next));
      } catch {}
    },
  };
}

// Of this tab, over reloads: the session's `token` and, once inside, `name` and `room`.
const session = store(() => sessionStorage, "roomwire.session");
// Of this browser: what was last typed at the door.
const habit = store(() => localStorage, "roomwire.door");

// --- The connection ----------------------------------------------------------------------------

let me = null; // { name, room } while inside
let onWelcome = () => {};

const wire = new Roomwire({
  url: location.href,
  auth: () => ({ token: session.get().token }),
  prepare: settle,
  onState: showState,
});

wire.on("welcome", (welcome) => onWelcome(welcome));

/** After each connect: back into the room we were in, before anything that was queued goes out. */
async function settle(request) {
  const welcome = await new Promise((resolve, reject) => {
    onWelcome = resolve;
    setTimeout(() => reject(new Error("the server gave no welcome")), WELCOME_WITHIN);
  });
  session.set({ ...session.get(), token: welcome.token }); // each token is good for one return
  if (welcome.user && welcome.room) return arrive(welcome.user, welcome.room, true);

  const { name, room } = session.get();
  if (!room) return; // still at the door
  // The session is gone (the server was restarted, or we came too late): enter as at the first time.
  // Our own lost session may hold the name for a while yet.
  const giveUpAt = Date.now() + REENTER_FOR;
  for (;;) {
    const answer = await request("enter", { name, room });
    if (answer.ok) return arrive(answer.user, answer.room, true);
    if (answer.error !== "name is taken" || Date.now() > giveUpAt) return toDoor(answer.error);
    $("status-wait").textContent = $("returning-why").textContent = "waiting until your name is free again";
    await new Promise((resolve) => setTimeout(resolve, REENTER_EVERY));
  }
}

let countdown;

function showState(state, { reason, retryAt }) {
  clearInterval(countdown);
  const words = { connecting: "Connecting…", online: "Online", offline: "Offline", closed: "Disconnected" };
  $("status").dataset.state = $("app").dataset.wire = state;
  $("status").title = reason ?? "";
  $("status-text").textContent = words[state];
  $("status-wait").textContent = "";
  if (state === "connecting") crowd.version = null; // diffs mean nothing until the next snapshot
  if (state === "offline") {
    const tell = () => {
      const seconds = Math.max(1, Math.ceil((retryAt - Date.now()) / 1000));
      $("status-wait").textContent = `reconnecting in ${seconds} s`;
    };
    tell();
    countdown = setInterval(tell, 1000);
    nobodyTypes();
    catchingUp = false;
  }
  if (state === "closed") {
    session.set({}); // it is over, or another tab's
    toDoor(reason);
  }
}

// --- The door ----------------------------------------------------------------------------------

$("door").addEventListener("submit", async (event) => {
  event.preventDefault();
  const wanted = { name: $("name").value.trim(), room: $("room").value.trim() };
  $("door-error").textContent = "";
  $("name").removeAttribute("aria-invalid");
  $("enter").disabled = true;
  try {
    wire.open(); // has no effect unless the server had closed it
    const answer = await wire.request("enter", wanted);
    if (!answer.ok) throw new Error(answer.error);
    habit.set(wanted);
    arrive(answer.user, answer.room, false);
  } catch (error) {
    toDoor(error.message);
    $("name").setAttribute("aria-invalid", "true");
  } finally {
    $("enter").disabled = false;
  }
});

/** We are in the room: for the first time, or `again` after a reload or a lost connection. */
function arrive(name, room, again) {
  me = { name, room };
  session.set({ ...session.get(), name, room });
  view("inside");
  const since = $("log").childElementCount > 0 ? "meanwhile" : "before";
  const gap = wire.recovered ? "" : `; what was said ${since} is not here`;
  const [change, text] = again ? ["returned", `You are back in ${room}${gap}`] : ["arrived", `You joined ${room}`];
  line({ kind: "notice", change, user: name, own: true, text });
  address(addressee);
}

function toDoor(reason) {
  me = null;
  session.set({ token: session.get().token });
  crowd.clear();
  nobodyTypes();
  address(null);
  $("log").replaceChildren();
  $("door-error").textContent = reason ? sentence(reason) : "";
  view("door");
}

/** A clean leave: the others see it at once, and this tab's session is over. */
function leave() {
  if (wire.state === "online") wire.emit("leave");
  wire.close();
  session.set({});
  toDoor("");
  wire.open(); // ready for the next room
}
$("leave").addEventListener("click", leave);
$("give-up").addEventListener("click", leave);

function view(name) {
  if ($("app").dataset.view === name) return;
  $("app").dataset.view = name;
  for (const part of ["door", "returning", "inside"]) $(part).hidden = part !== name;
  $("leave").hidden = $("count").hidden = name !== "inside";
  $("title").textContent = me ? me.room : "Roomwire";
  unread = 0;
  retitle();
  // On a phone, focus would throw the keyboard over half of the page.
  if (matchMedia("(pointer: fine)").matches) ({ door: $("name"), inside: $("text") })[name]?.focus();
}

// --- Who is here -------------------------------------------------------------------------------

/** The members of our room: a snapshot at a version, and the diffs that came since. */
const crowd = {
  version: null,
  states: new Map(), // user -> "live" or "away"
  count: 0, // how many, where they are too many to be listed
  clear() {
    this.version = null;
    this.count = 0;
    this.states.clear();
    drawPeople();
  },
};

// A long list comes in parts; it is whole when the last is there.
wire.on("presence", ({ version, members = [], count = 0, part = 0, parts = 1 }) => {
  if (part === 0) crowd.states = new Map();
  crowd.count = count; // of a crowd too large to be listed
  for (const { user, state } of members) crowd.states.set(user, state);
  crowd.version = part === parts - 1 ? version : null;
  drawPeople();
});

wire.on("presence_diff", ({ version, changes = [], count = 0, part = 0 }) => {
  const next = part === 0 ? version : version + 1; // the further parts of a diff have the version of the first
  if (crowd.version === null || next <= crowd.version) return; // a snapshot has it, or will
  if (next > crowd.version + 1) return wire.reconnect("missed who came and went"); // brings a snapshot
  crowd.version = version;
  crowd.count = count;
  for (const { user, change, state } of changes) {
    if (change === "left") crowd.states.delete(user);
    else crowd.states.set(user, state);
    if (change === "left" || change === "away") stopsTyping(user);
    const words = { arrived: "joined", away: "disconnected", returned: "reconnected", left: "left" }[change];
    if (words && user !== me?.name) line({ kind: "notice", change, user, text: `${user} ${words}` });
  }
  drawPeople();
});

function drawPeople() {
  const own = me?.name;
  const names = [...crowd.states.keys()].sort((a, b) => (b === own) - (a === own) || a.localeCompare(b));
  // A list that is drawn anew must not take the focus away from who is walking through it.
  const focused = document.activeElement?.closest?.("#people li")?.dataset.user;
  $("people").replaceChildren(...names.map((user) => person(user, crowd.states.get(user), user === own)));
  if (focused) [...$("people").children].find((li) => li.dataset.user === focused)?.querySelector("button")?.focus();
  const count = crowd.count || names.length;
  $("count").textContent = count === 1 ? "1 person" : `${count} people`;
}

function person(user, state, own) {
  const button = make("button", "person", face(user), make("span", "name", user));
  if (own) button.append(make("span", "aside", "you"));
  if (state === "away") button.append(make("span", "aside", "away"));
  button.type = "button";
  button.disabled = own;
  if (!own) button.title = `Write to ${user} in private`;
  button.addEventListener("click", () => {
    address(user);
    $("text").focus();
  });
  const item = make("li", "", button);
  Object.assign(item.dataset, { user, state });
  if (own) item.dataset.own = "";
  return item;
}

// --- What is said ------------------------------------------------------------------------------

let catchingUp = false; // what comes is what we have missed, and that is said

function meanwhile() {
  if (wire.accepted || catchingUp) return;
  catchingUp = true;
  line({ kind: "notice", text: "While you were away:" });
}

wire.on("said", ({ from, text }) => {
  meanwhile();
  stopsTyping(from);
  line({ kind: "said", user: from, own: from === me?.name, text });
});

wire.on("whispered", ({ from, text }) => {
  meanwhile();
  line({ kind: "whispered", user: from, label: "to you, in private", text });
});

let addressee = null; // who gets what is written, instead of everybody

function address(user) {
  addressee = user;
  $("to").hidden = !user;
  $("to-name").textContent = user ?? "";
  $("composer").toggleAttribute("data-private", Boolean(user));
  $("text").placeholder = user ? "Private message" : "Message to everyone";
  if (user) saysTyping(false);
}
$("to-clear").addEventListener("click", () => {
  address(null);
  $("text").focus();
});

$("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  const written = $("text").value.trim();
  if (!written) return;
  const whisper = addressee ? { to: addressee, text: written } : asWhisper(written);
  if (whisper && !whisper.text) return line({ kind: "error", text: "Write it like this: /w name message" });
  $("text").value = "";
  typingSaid = false; // the message itself ends it
  deliver(written, whisper);
});

/** Reads `/w name text`. Names may hold blanks, so somebody who is here goes before the first word. */
function asWhisper(written) {
  const rest = /^\/w(?:\s+(.*))?$/s.exec(written)?.[1] ?? (/^\/w\s*$/.test(written) ? "" : null);
  if (rest === null) return null;
  const here = [...crowd.states.keys()].filter((user) => rest.startsWith(user) && /^(\s|$)/.test(rest.slice(user.length)));
  const to = here.sort((a, b) => b.length - a.length)[0] ?? /^\S*/.exec(rest)[0];
  return { to, text: rest.slice(to.length).trim() };
}

async function deliver(written, whisper) {
  const waiting = wire.state === "online" ? null : line({ kind: "pending", text: written, label: "waiting for the connection" });
  try {
    const answer = await (whisper ? wire.request("whisper", whisper) : wire.request("say", written));
    if (!answer.ok) throw new Error(answer.error);
    if (!whisper || !me) return; // what is said comes back to us as an event
    const { to, text } = whisper;
    line({ kind: "whispered", user: me.name, own: true, label: `to ${to}, in private`, to, text });
  } catch (error) {
    if (!me) return; // we left meanwhile
    line({ kind: "error", text: `${error.sent ? "Perhaps not sent" : "Not sent"}, ${error.message}: ${written}` });
  } finally {
    waiting?.remove();
  }
}

$("text").addEventListener("keydown", (event) => {
  if (event.isComposing) return; // Enter belongs to the input method
  if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    $("composer").requestSubmit();
  } else if (event.key === "Escape") {
    address(null);
  }
});

// --- Who is typing -----------------------------------------------------------------------------

let typingSaid = false;
let typingSaidAt = -Infinity;

$("text").addEventListener("input", () => {
  const { value } = $("text");
  saysTyping(value.trim() !== "" && !addressee && !value.startsWith("/w"));
});

function saysTyping(typing) {
  if (wire.state !== "online") return; // stale news is no news: never queued
  if (typing && performance.now() - typingSaidAt < TYPING_EVERY) return;
  if (!typing && !typingSaid) return;
  if (typing) typingSaidAt = performance.now();
  typingSaid = typing;
  wire.emit("typing", typing);
}

const typists = new Map(); // user -> timer that ends it, should nobody else

wire.on("typing", ({ from, typing }) => {
  stopsTyping(from);
  if (typing) typists.set(from, setTimeout(() => stopsTyping(from), TYPING_SHOWN));
  drawTyping();
});

function stopsTyping(user) {
  clearTimeout(typists.get(user));
  if (typists.delete(user)) drawTyping();
}

function nobodyTypes() {
  for (const user of [...typists.keys()]) stopsTyping(user);
}

function drawTyping() {
  const names = [...typists.keys()];
  $("typing").textContent =
    names.length === 0 ? "" :
    names.length === 1 ? `${names[0]} is typing…` :
    names.length === 2 ? `${names[0]} and ${names[1]} are typing…` :
    "Several people are typing…";
}

// --- The log -----------------------------------------------------------------------------------

let unread = 0;

/** Adds one line. `kind`: notice, said, whispered, pending or error. */
function line({ kind, text, user = "", own = false, label = "", change, to }) {
  const now = new Date();
  const time = make("time", "", now.toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" }));
  time.dateTime = now.toISOString();
  const speech = kind === "said" || kind === "whispered";
  const item = make("li");
  if (speech) {
    const head = make("p", "head", make("b", "name", own ? "You" : user));
    if (label) head.append(make("span", "aside", label));
    head.append(time);
    item.append(face(user), head);
  }
  const words = make("p", "text", text);
  words.dir = "auto";
  item.append(words);
  if (kind === "pending") item.append(make("p", "aside", label));
  Object.assign(item.dataset, { kind, user, at: now.getTime(), hue: hue(user) });
  if (change) item.dataset.change = change;
  if (to) item.dataset.to = to;
  if (own) item.dataset.own = "";
  const before = $("log").lastElementChild?.dataset;
  if (kind === "said" && before?.kind === "said" && before.user === user && now - before.at < GROUP_WITHIN) item.dataset.follows = "";

  $("log").append(item);
  while ($("log").childElementCount > LOG_LIMIT) $("log").firstElementChild.remove();
  if (pinned || own) toEnd();
  else if (speech) $("newer").hidden = false;
  if (speech && !own && document.hidden) unread++;
  retitle();
  return item;
}

let pinned = true; // the reader is at the end, and wants to stay there

function toEnd() {
  $("scroll").scrollTop = $("scroll").scrollHeight;
  $("newer").hidden = true;
}
$("newer").addEventListener("click", toEnd);
$("scroll").addEventListener("scroll", () => {
  const { scrollHeight, scrollTop, clientHeight } = $("scroll");
  pinned = scrollHeight - scrollTop - clientHeight < 60;
  if (pinned) $("newer").hidden = true;
});
new ResizeObserver(() => pinned && toEnd()).observe($("scroll"));

function retitle() {
  document.title = `${unread ? `(${unread}) ` : ""}${me ? `${me.room} · ` : ""}Roomwire`;
}
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) unread = 0;
  retitle();
});

// --- Small things ------------------------------------------------------------------------------

/** An element with a class and contents; a string becomes text, whatever it looks like. */
function make(tag, className = "", ...contents) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...contents);
  return element;
}

function face(user) {
  const initial = make("span", "face", [...user][0]?.toUpperCase() ?? "");
  initial.dataset.hue = hue(user);
  initial.setAttribute("aria-hidden", "true");
  return initial;
}

function hue(user) {
  let sum = 0;
  for (const character of user) sum = (sum * 31 + character.codePointAt(0)) % 8191;
  return sum % HUES;
}

function sentence(words) {
  return `${words[0].toUpperCase()}${words.slice(1)}.`;
}

// A keyboard on the screen takes its room from the page, in browsers that only tell us so here.
visualViewport?.addEventListener("resize", () => {
  if (visualViewport.scale !== 1) return; // zoomed by hand: that is the reader's own view
  document.documentElement.style.setProperty("--height", `${visualViewport.height}px`);
});

$("name").value = habit.get().name ?? "";
$("room").value = habit.get().room ?? "lobby";
if (session.get().room) {
  $("returning-room").textContent = session.get().room;
  view("returning");
}
wire.open();
