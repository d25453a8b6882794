"""Stands before an echo server that the conformance suite cannot reach by itself, because it speaks TLS or has its
echo at one path, and passes bytes on in both directions.

front.py SERVER [--tls] [--path PATH] --listen 127.0.0.1:0
"""

import argparse
import asyncio
import os
import signal
import ssl
import subprocess
import sys
import tempfile

SUITE_PATH = b"GET /case/"


async def pump(reader, writer, rewrite=lambda data: data):
    """Passes on what comes until it ends, and then the end."""
    try:
        while data := await reader.read(1 << 16):
            writer.write(rewrite(data))
            await writer.drain()
        if writer.can_write_eof():
            writer.write_eof()
        else:
            writer.close()
    except (ConnectionError, ssl.SSLError, RuntimeError):
        writer.close()


def rewriter(path):
    """The first bytes of a connection are the request, with a path of the suite's: its case goes into the query."""
    target = iter([b"GET " + path.encode() + b"?"])
    return lambda data: data.replace(SUITE_PATH, next(target, SUITE_PATH), 1) if data.startswith(SUITE_PATH) else data


async def serve(options, port, context):
    async def connected(reader, writer):
        inner_reader, inner_writer = await asyncio.open_connection("localhost", port, ssl=context)
        there = asyncio.create_task(pump(reader, inner_writer, rewriter(options.path) if options.path else lambda d: d))
        # The server's end is the end of both.
        await pump(inner_reader, writer)
        writer.close()
        inner_writer.close()
        there.cancel()

    host, wanted = options.listen.rsplit(":", 1)
    server = await asyncio.start_server(connected, host, int(wanted))
    print("listening on {}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


def main():
    options = argparse.ArgumentParser()
    options.add_argument("server")
    options.add_argument("--tls", action="store_true")
    options.add_argument("--path")
    options.add_argument("--listen", default="127.0.0.1:0")
    options = options.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    with tempfile.TemporaryDirectory() as folder:
        certificate = os.path.join(folder, "certificate.pem")
        command = [options.server, "--listen", "127.0.0.1:0"]
        process = subprocess.Popen(
            command + (["--certificate", certificate] if options.tls else []), stdout=subprocess.PIPE, text=True
        )
        try:
            port = int(process.stdout.readline().rsplit(":", 1)[1])
            context = ssl.create_default_context(cafile=certificate) if options.tls else None
            asyncio.run(serve(options, port, context))
        finally:
            process.terminate()
            process.wait(10)


if __name__ == "__main__":
    main()
