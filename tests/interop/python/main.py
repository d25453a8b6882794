"""Every scenario with every client of one version: threads and asyncio, by default, on polling alone, on WebSocket alone.

`main.py MAJOR SERVER [WORD]`: one line for each, and the count.
"""

import asyncio
import logging
import sys
import traceback

from peer import Kind, Peer
from scenarios import ALL, ONLY_FIVE
from server import Server


class Scene:
    """One scenario's clients, which all leave when it is over."""

    def __init__(self, kind, server):
        self.kind = kind
        self.server = server
        self.peers = []

    def peer(self, **options):
        self.peers.append(Peer(self.kind, **options))
        return self.peers[-1]

    async def join(self, auth=None, **options):
        return await self.peer(**options).join(self.server.url, auth)

    async def end(self):
        # One that hangs in its own disconnect is freed by the end of the server.
        await asyncio.gather(*(asyncio.wait_for(peer.leave(), 2) for peer in self.peers), return_exceptions=True)


async def play(kind, program, word, report):
    chosen = [scenario for scenario in ALL if word in f"{kind.name}  {scenario.__doc__}"
              and (kind.major == 5 or scenario not in ONLY_FIVE)]
    if not chosen:
        return
    server = Server(program)
    await server.start()
    for scenario in chosen:
        scene = Scene(kind, server)
        failure = None
        try:
            await scenario(scene)
            for peer in scene.peers:
                assert not peer.unread, f"something arrived that the scenario did not ask for: {str(peer.unread)[:300]}"
            assert not server.faults, server.faults
        except Exception:
            failure = "".join(traceback.format_exc().splitlines(True)[-8:]) + "\n".join(["server log:", *server.log[-8:]])
            server.faults.clear()
        await scene.end()
        report.append((f"{kind.name}  {scenario.__doc__}", failure))
    await server.kill()


async def main():
    major, program, word = int(sys.argv[1]), sys.argv[2], (sys.argv[3:] + [""])[0]
    passed = failed = 0
    for style in ("threads", "asyncio"):
        # The modes side by side, each with a server of its own.
        reports = {mode: [] for mode in Kind.MODES}
        await asyncio.gather(*(play(Kind(major, style, mode), program, word, report) for mode, report in reports.items()))
        for title, failure in (line for report in reports.values() for line in report):
            print("ok   " if failure is None else "FAIL ", title)
            if failure is None:
                passed += 1
            else:
                failed += 1
                print("      " + failure.replace("\n", "\n      "))
    print(f"python-socketio {major}.x: {passed} passed, {failed} failed")
    if passed + failed == 0 and not word:
        return 2
    return 1 if failed else 0


# The clients of version 4 leave sessions of aiohttp to the collector, which complains.
logging.getLogger("asyncio").setLevel(logging.CRITICAL)
sys.exit(asyncio.run(main()))
