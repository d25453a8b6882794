"""python-socketio's server, with the same events as server.mjs. It prints its port."""

import asyncio
import socket

import socketio
from aiohttp import web

# CONNECT is answered after the handler has run, so that its events come before the answer.
server = socketio.AsyncServer(async_mode="aiohttp", ping_interval=1, ping_timeout=5, always_connect=False)
app = web.Application()
server.attach(app)
note = ""


class Events(socketio.AsyncNamespace):
    async def on_connect(self, sid, environ, auth):
        if self.namespace == "/admin" and (auth or {}).get("token") != "secret":
            raise socketio.exceptions.ConnectionRefusedError("not authorized", {"code": 401})
        # Before the answer to CONNECT: what this server's users write.
        await self.emit("hello", ("world", 1, True, {"a": [None]}), to=sid)

    async def on_echo(self, sid, *args):
        return args

    async def on_note(self, sid, text):
        global note
        note = text

    async def on_noted(self, sid):
        return note

    async def on_back(self, sid, *args):
        await self.emit("back", args, to=sid)

    async def on_ask(self, sid, *args):
        async def answered(*answer):
            await self.emit("answer", answer, to=sid)

        await self.emit("asked", args, to=sid, callback=answered)

    async def on_count(self, sid, most):
        for nth in range(most):
            await self.emit("nth", nth, to=sid)

    async def on_kick(self, sid):
        await self.disconnect(sid)

    async def on_cut(self, sid):
        await server.eio.disconnect(server.manager.eio_sid_from_sid(sid, self.namespace))

    async def on_transport(self, sid):
        await self.emit("transport", server.transport(sid, self.namespace), to=sid)


async def main():
    for namespace in ("/", "/admin"):
        server.register_namespace(Events(namespace))
    runner = web.AppRunner(app)
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", 0))
    await web.SockSite(runner, listener).start()
    print(listener.getsockname()[1], flush=True)
    await asyncio.Event().wait()


asyncio.run(main())
