"""A loopback TCP proxy that shows a judge every byte of every connection.

Sockets rather than asyncio streams: a stream drops what it has not read yet when a write fails, and
just then the last frame is on its way.
"""

import asyncio
import socket

from judge import CLOSE_WITHIN, SERVER, Judge

CHUNK = 256 * 1024


class Proxy:
    def __init__(self, subject=SERVER, upstream=None, close_within=CLOSE_WITHIN):
        self.judges = []
        self.upstream = upstream  # where the connections to come go
        self._subject = subject
        self._close_within = close_within
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._connections = set()
        self.port = self._listener.getsockname()[1]

    async def serve(self):
        loop = asyncio.get_running_loop()
        with self._listener:
            while True:
                client, _ = await loop.sock_accept(self._listener)
                self._connections.add(asyncio.create_task(self._connection(client)))

    async def settled(self, timeout):
        """Waits for every connection so far to be over; what failed in one fails here."""
        tasks, self._connections = self._connections, set()
        if tasks:
            await asyncio.wait_for(asyncio.gather(*tasks), timeout)

    async def _connection(self, client):
        loop = asyncio.get_running_loop()
        judge = Judge(self._subject, close_within=self._close_within)
        self.judges.append(judge)
        server = socket.socket()
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, server:
            try:
                await loop.sock_connect(server, self.upstream)
            except OSError as error:
                judge.find("refused", f"no connection to the server: {error}")
                return
            if self._subject == SERVER:
                await self._judged(client, server, judge.client, judge.server, judge)
            else:
                await self._judged(server, client, judge.server, judge.client, judge)

    async def _judged(self, suite, subject, from_suite, from_subject, judge):
        back = asyncio.create_task(self._back(subject, suite, from_subject, judge))
        await pump(suite, subject, from_suite)
        if judge.owes_end:
            # The suite ends TCP as soon as it has the server's close frame, and so would hide a
            # server that never does: the server hears of it only when its own time is up.
            await asyncio.wait({back}, timeout=self._close_within)
        judge.suite_end()
        half_close(subject)
        _, pending = await asyncio.wait({back}, timeout=self._close_within)
        if pending:
            judge.stuck()
        back.cancel()
        await asyncio.gather(back, return_exceptions=bool(pending))

    async def _back(self, subject, suite, from_subject, judge):
        reset = await pump(subject, suite, from_subject)
        judge.subject_end(reset)
        half_close(suite)


async def pump(source, sink, see):
    """Moves bytes until `source` ends; whether it did so by a reset. A dead sink does not stop the looking."""
    loop = asyncio.get_running_loop()
    open_sink = True
    while True:
        try:
            data = await loop.sock_recv(source, CHUNK)
        except ConnectionError:
            return True
        if not data:
            return False
        see(data)
        if open_sink:
            try:
                await loop.sock_sendall(sink, data)
            except OSError:
                open_sink = False


def half_close(sock):
    try:
        sock.shutdown(socket.SHUT_WR)
    except OSError:
        pass  # already gone
