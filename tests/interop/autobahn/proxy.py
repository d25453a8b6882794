"""A loopback TCP proxy that shows a judge every byte of every connection.

Sockets rather than asyncio streams: a stream drops what it has not read yet when a write fails, and
just then the server's last frame is on its way.
"""

import asyncio
import socket

from judge import CLOSE_WITHIN, Judge

CHUNK = 256 * 1024


class Proxy:
    def __init__(self, upstream, close_within=CLOSE_WITHIN):
        self.judges = []
        self._upstream = upstream
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
        judge = Judge(close_within=self._close_within)
        self.judges.append(judge)
        server = socket.socket()
        for sock in (client, server):
            sock.setblocking(False)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, server:
            try:
                await loop.sock_connect(server, self._upstream)
            except OSError as error:
                judge.find("refused", f"no connection to the server: {error}")
                return
            down = asyncio.create_task(self._down(server, client, judge))
            await pump(client, server, judge.client)
            if judge.server_owes_end:
                # The suite ends TCP as soon as it has the server's close frame, and so would hide a
                # server that never does: the server hears of it only when its own time is up.
                await asyncio.wait({down}, timeout=self._close_within)
            judge.client_end()
            half_close(server)
            _, pending = await asyncio.wait({down}, timeout=self._close_within)
            if pending:
                judge.server_stuck()
            down.cancel()
            await asyncio.gather(down, return_exceptions=bool(pending))

    async def _down(self, server, client, judge):
        reset = await pump(server, client, judge.server)
        judge.server_end(reset)
        half_close(client)


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
