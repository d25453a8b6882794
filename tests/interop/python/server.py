"""The example server as a child process."""

import asyncio
import re
import signal

ADMIN_TOKEN = "secret"
LIMIT_SECONDS = 10


class Server:
    """It keeps its port over a restart."""

    def __init__(self, program):
        self.program = program
        self.port = 0
        self.log = []
        self.faults = []

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}"

    async def start(self):
        self.ending = False
        self.process = await asyncio.create_subprocess_exec(
            self.program, "--listen", f"127.0.0.1:{self.port}", "--admin", ADMIN_TOKEN, "--grace", "2",
            stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE)
        self.watching = asyncio.create_task(self._watch(self.process))
        line = await asyncio.wait_for(self.process.stdout.readline(), LIMIT_SECONDS)
        self.port = int(re.fullmatch(rb"listening on http://127\.0\.0\.1:(\d+)/?\n", line)[1])

    async def kill(self):
        self.ending = True
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGKILL)
        await asyncio.wait_for(self.watching, LIMIT_SECONDS)

    async def restart(self):
        await self.kill()
        await self.start()

    async def _watch(self, process):
        async for line in process.stderr:
            self.log.append(line.decode().rstrip())
            if b"panicked" in line:
                self.faults.append(self.log[-1])
        code = await process.wait()
        if not self.ending:
            self.faults.append(f"ended with code {code}")
