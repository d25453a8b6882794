"""python-engineio's clients, in both styles and three modes: `client.py URL [WORD]`, one line for each scenario."""

import asyncio
import importlib.metadata
import queue
import sys
import traceback

import engineio

LIMIT_SECONDS = 10
VERSION = importlib.metadata.version("python-engineio")
# By default a client begins on polling and changes to WebSocket.
MODES = {"default": None, "polling": ["polling"], "websocket": ["websocket"]}
# No character beyond the first plane: those of revision 3 count it as one in the length of a packet, where JavaScript counts two.
MESSAGES = ["hello", "40", "\u20ac\u00e9", "a long one" * 10_000, bytes(range(256)), *map(str, range(100))]
# Longer than three intervals of the server's heartbeat.
QUIET_SECONDS = 3.5


class Threads:
    """A client whose calls wait, made to be awaited."""

    def __init__(self):
        self.client = engineio.Client()
        self.heard = queue.Queue()
        self.client.on("message", self.heard.put)

    async def call(self, name, *arguments, **options):
        waiting = asyncio.to_thread(getattr(self.client, name), *arguments, **options)
        return await asyncio.wait_for(waiting, LIMIT_SECONDS)

    async def hear(self):
        return await asyncio.to_thread(self.heard.get, timeout=LIMIT_SECONDS)


class Asyncio:
    def __init__(self):
        self.client = engineio.AsyncClient()
        self.heard = asyncio.Queue()
        self.client.on("message", self.heard.put_nowait)

    async def call(self, name, *arguments, **options):
        return await asyncio.wait_for(getattr(self.client, name)(*arguments, **options), LIMIT_SECONDS)

    async def hear(self):
        return await asyncio.wait_for(self.heard.get(), LIMIT_SECONDS)


async def echo(client):
    """messages come back, in order"""
    for message in MESSAGES:
        await client.call("send", message)
    for message in MESSAGES:
        heard = await client.hear()
        assert heard == message, f"{str(heard)[:50]!r} and not {str(message)[:50]!r}"


async def heartbeat(client):
    """the heartbeat goes on"""
    await asyncio.sleep(QUIET_SECONDS)
    await client.call("send", "still here")
    assert await client.hear() == "still here"


async def play(style, mode, scenario, url):
    client = style()
    await client.call("connect", url, transports=MODES[mode], engineio_path="engine.io")
    try:
        await scenario(client)
        assert client.client.transport() == (mode if MODES[mode] else "websocket")
    finally:
        await client.call("disconnect")


async def report(line, playing):
    try:
        await playing
        print(f"ok    {line}")
    except Exception:
        # One line, however much there is to say.
        print(f"FAIL  {line}: {' | '.join(traceback.format_exc().splitlines()[-4:])}")


async def main(url, word=""):
    plan = [
        (f"python-engineio {VERSION}, {style.__name__.lower()}, {mode}: {scenario.__doc__}", style, mode, scenario)
        for style in (Threads, Asyncio) for mode in MODES for scenario in (echo, heartbeat)
    ]
    await asyncio.gather(*(
        report(line, play(style, mode, scenario, url)) for line, style, mode, scenario in plan if word in line
    ))


asyncio.run(main(*sys.argv[1:]))
