"""One client, threaded or asyncio, whose events are read one by one."""

import asyncio

import socketio

from server import LIMIT_SECONDS

# The protocol 4 client has no handler for all events.
EVENTS = ["welcome", "echo", "pong", "said", "whispered", "typing", "news", "file", "answered", "unanswered"]
PRESENCE = ["presence", "presence_diff"]


class Kind:
    """A client's version, its style and how it uses its transports."""

    MODES = {"default": None, "polling": ["polling"], "websocket": ["websocket"]}

    def __init__(self, major, style, mode):
        self.major = major
        self.threaded = style == "threads"
        self.mode = mode
        self.transports = self.MODES[mode]
        self.name = f"python-socketio {major}.x, {style}, {mode}"

    @property
    def upgraded(self):
        return "polling" if self.mode == "polling" else "websocket"


def read_in_order(engine):
    """The threaded client starts a thread for each message, which then overtake each other, attachments too."""
    trigger = engine._trigger_event

    def in_order(event, *args, run_async=False, **options):
        return trigger(event, *args, run_async=run_async and event != "message", **options)

    engine._trigger_event = in_order


class Peer:
    def __init__(self, kind, namespaces=("/",), **options):
        self.kind = kind
        self.namespaces = list(namespaces)
        self.answer = None
        self._loop = asyncio.get_running_loop()
        self._queues = {name: asyncio.Queue() for name in ["life", "presence", *self.namespaces]}
        client = socketio.Client if kind.threaded else socketio.AsyncClient
        # Else both would catch signals that are this program's.
        self.client = client(**{"reconnection": False, "reconnection_delay": 0.1, "reconnection_delay_max": 0.4,
                                "randomization_factor": 0, **({"handle_sigint": False} if kind.major == 5 else {}), **options})
        if kind.threaded:
            read_in_order(self.client.eio)
        for namespace in self.namespaces:
            self._listen(namespace)

    def _listen(self, namespace):
        def receive(queue, *item):
            self._loop.call_soon_threadsafe(self._queues[queue].put_nowait, item)

        def question(*args):
            receive(namespace, "question", *args)
            return self.answer

        on = lambda event, handler: self.client.on(event, handler, namespace=namespace)
        for event in EVENTS:
            on(event, lambda *args, event=event: receive(namespace, event, *args))
        for event in PRESENCE:
            on(event, lambda *args, event=event: receive("presence", event, *args))
        on("question", question)
        on("connect", lambda: receive("life", "connect", namespace))
        on("disconnect", lambda *reason: receive("life", "disconnect", namespace))
        on("connect_error", lambda *data: receive("life", "refused", namespace, *data))

    async def _run(self, method, *args, **options):
        made = asyncio.to_thread(method, *args, **options) if self.kind.threaded else method(*args, **options)
        return await asyncio.wait_for(made, LIMIT_SECONDS)

    # --- life ---

    async def connect(self, url, auth=None):
        options = {"auth": auth, "wait_timeout": LIMIT_SECONDS - 1} if self.kind.major == 5 else {}
        await self._run(self.client.connect, url, transports=self.kind.transports, namespaces=self.namespaces, **options)

    async def join(self, url, auth=None):
        await self.connect(url, auth)
        await self.connected("/")
        self.welcome = (await self.expect_name("welcome"))[0]
        return self

    async def connected(self, namespace):
        assert await self._next("life", "connect") == ("connect", namespace)

    async def disconnected(self, namespace="/"):
        found = await self._next("life", "disconnect")
        assert found == ("disconnect", namespace), found

    async def refused(self):
        return await self._next("life", "a refusal")

    async def disconnect(self):
        await self._run(self.client.disconnect)

    async def leave(self):
        try:
            await self.disconnect()
        except Exception:
            pass

    def transport(self):
        """The threaded and the asyncio client of version 4 have it as a method too."""
        return self.client.transport()

    # --- events ---

    async def emit(self, event, *args, namespace="/"):
        await self._run(self.client.emit, event, args or None, namespace=namespace)

    async def call(self, event, *args, namespace="/"):
        return await self._run(self.client.call, event, args or None, namespace=namespace, timeout=LIMIT_SECONDS - 1)

    async def expect(self, *expected, namespace="/"):
        found = await self._next(namespace, expected)
        assert found == expected, f"expected {str(expected)[:300]}, got {str(found)[:300]}"

    async def expect_name(self, name, namespace="/"):
        found = await self._next(namespace, name)
        assert found[0] == name, f"expected {name}, got {str(found)[:300]}"
        return found[1:]

    async def presence(self):
        name, data = await self._next("presence", "presence")
        return name, data

    @property
    def unread(self):
        rest = []
        for name, queue in self._queues.items():
            while name != "presence" and not queue.empty():
                rest.append(queue.get_nowait())
        return [item for item in rest if item[0] != "disconnect"]

    async def _next(self, queue, awaited):
        try:
            return await asyncio.wait_for(self._queues[queue].get(), LIMIT_SECONDS)
        except asyncio.TimeoutError:
            raise AssertionError(f"waited {LIMIT_SECONDS} s in vain for {str(awaited)[:200]}") from None
