#!/usr/bin/env python3
"""The example server behind nginx, at the address that was asked for: to whoever starts it, it is the server."""

import ctypes
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys
import time

CONFIGURATION = """
daemon off;
master_process off;
pid {folder}/pid;
error_log stderr error;
events {{ worker_connections 512; }}
http {{
    access_log off;
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    # Streams to the server are kept, and carry the requests of whichever client comes next.
    upstream server {{ server 127.0.0.1:{upstream}; keepalive 32; }}
    map $http_upgrade $connection_upgrade {{ default upgrade; '' ''; }}
    server {{
        listen 127.0.0.1:{port};
        client_max_body_size 2m;
        location / {{
            proxy_pass http://server;
            proxy_http_version 1.1;
            proxy_set_header Host $http_host;
            proxy_set_header Upgrade $http_upgrade;
            proxy_set_header Connection $connection_upgrade;
        }}
    }}
}}
"""
LIMIT_SECONDS = 10


def end_with_parent():
    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)


def start(*command, **options):
    # Whoever started this one may kill it, and these must not outlive it.
    return subprocess.Popen(command, preexec_fn=end_with_parent, **options)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as door:
        return door.getsockname()[1]


def await_door(port):
    until = time.monotonic() + LIMIT_SECONDS
    while True:
        try:
            return socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.01)


def main():
    arguments = sys.argv[1:]
    at = arguments.index("--listen") + 1
    port = int(arguments[at].rpartition(":")[2]) or free_port()
    arguments[at] = "127.0.0.1:0"
    server = start(os.environ["ROOMWIRE_BEHIND"], *arguments, stdout=subprocess.PIPE)
    upstream = re.fullmatch(rb"listening on http://127\.0\.0\.1:(\d+)/?\n", server.stdout.readline())[1].decode()

    folder = pathlib.Path(os.environ["ROOMWIRE_NGINX_FOLDER"], str(port))
    folder.mkdir(exist_ok=True)
    configuration = folder / "nginx.conf"
    configuration.write_text(CONFIGURATION.format(folder=folder, upstream=upstream, port=port))
    nginx = start("nginx", "-p", folder, "-c", configuration)
    await_door(port)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda number, _: server.send_signal(number))
    print(f"listening on http://127.0.0.1:{port}", flush=True)
    code = server.wait()
    nginx.kill()
    nginx.wait()
    sys.exit(code)


main()
