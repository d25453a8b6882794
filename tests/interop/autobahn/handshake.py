"""The opening handshake: the request (RFC 6455 section 4.1) and its answer (section 4.2.2)."""

import base64
import hashlib
import re

import deflate

GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"


class Head:
    """Collects an HTTP head; `feed` returns the bytes that follow it, or None before its end."""

    def __init__(self):
        self.raw = b""
        self.complete = False

    def feed(self, data):
        self.raw += data
        end = self.raw.find(b"\r\n\r\n")
        if end < 0:
            return None
        rest, self.raw = self.raw[end + 4 :], self.raw[: end + 2]
        self.complete = True
        self.start, *lines = self.raw.decode("latin-1").split("\r\n")[:-1]
        self.lines = lines
        return rest

    def all(self, name):
        pairs = (line.partition(":") for line in self.lines)
        return [value.strip() for key, _, value in pairs if key.lower() == name]

    def tokens(self, name):
        return [token.strip().lower() for value in self.all(name) for token in value.split(",")]


def head_faults(head):
    return [
        f"header line {line!r}"
        for line in head.lines
        if not re.fullmatch(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+:[^\r\n\0]*", line)
    ]


def request_faults(request):
    """Everything wrong with a client's request."""
    wrong = head_faults(request)
    if not re.fullmatch(r"GET /[!-~]* HTTP/1\.1", request.start):
        wrong.append(f"request line {request.start!r}")
    if "websocket" not in request.tokens("upgrade"):
        wrong.append(f"Upgrade {request.all('upgrade')}")
    if "upgrade" not in request.tokens("connection"):
        wrong.append(f"Connection {request.all('connection')}")
    if request.all("sec-websocket-version") != ["13"]:
        wrong.append(f"Sec-WebSocket-Version {request.all('sec-websocket-version')}")
    if len(request.all("host")) != 1:
        wrong.append(f"Host {request.all('host')}")
    keys = request.all("sec-websocket-key")
    if len(keys) != 1 or not re.fullmatch(r"[A-Za-z0-9+/]{21}[AQgw]==", keys[0]):
        wrong.append(f"Sec-WebSocket-Key {keys}")
    for name in ("content-length", "transfer-encoding"):
        if request.all(name):
            wrong.append(f"{name} in the request")
    return wrong + deflate.offer_faults(request)


def faults(request, response):
    """Everything wrong with `response` as the answer to `request`."""
    if not re.fullmatch(r"HTTP/1\.1 101( [^\r\n]*)", response.start):
        return [f"status line {response.start!r}"]
    wrong = head_faults(response)
    if response.tokens("upgrade") != ["websocket"]:
        wrong.append(f"Upgrade {response.all('upgrade')}")
    if "upgrade" not in response.tokens("connection"):
        wrong.append(f"Connection {response.all('connection')}")
    key = request.all("sec-websocket-key")[0].encode()
    accept = base64.b64encode(hashlib.sha1(key + GUID).digest()).decode()
    if response.all("sec-websocket-accept") != [accept]:
        wrong.append(f"Sec-WebSocket-Accept {response.all('sec-websocket-accept')}, not {accept}")
    offered = request.tokens("sec-websocket-protocol")
    wrong += [
        f"subprotocol {given} was not offered"
        for given in response.tokens("sec-websocket-protocol")
        if given not in offered
    ]
    for name in ("content-length", "transfer-encoding"):
        if response.all(name):
            wrong.append(f"{name} in a 101 response")
    return wrong
