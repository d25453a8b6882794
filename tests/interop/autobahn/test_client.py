"""The checker where the client is judged and the suite is the server."""

import unittest
from pathlib import Path

import test_checker
import test_compression
import verdict
from judge import CLIENT
from test_checker import BIG, BINARY, CLOSE, LONG, PING, PONG, REQUEST, RESPONSE, TEXT, code, frame, rules, s, wait

OPEN = [("client", REQUEST), ("server", RESPONSE)]
S_END, C_END, C_RESET, STUCK = ("suite_end",), ("subject_end",), ("subject_end", True), ("stuck",)
keys = iter(range(1, 1000))


def c(*args, **options):
    """The client sends a frame, with a key of its own."""
    return test_checker.c(*args, **{"mask": next(keys).to_bytes(4, "big"), **options})


C_CLOSE, S_CLOSE = c(CLOSE, code(1000)), s(CLOSE, code(1000))
BYE = [S_CLOSE, C_CLOSE, S_END, C_END]


def request(old, new):
    assert old in REQUEST
    return [("client", REQUEST.replace(old, new)), ("server", RESPONSE), *BYE]


GOOD = {
    "nothing but a close": OPEN + BYE,
    "echoes and a pong": OPEN + [s(TEXT, b"a"), c(TEXT, b"a"), s(PING, b"p"), c(PONG, b"p"), *BYE],
    "a server that takes its time to end TCP": OPEN + [S_CLOSE, C_CLOSE, wait(60), S_END, wait(4), C_END],
    "a client that ends TCP itself": OPEN + [S_CLOSE, C_CLOSE, C_END, S_END],
    "what the server may not do": OPEN + [("server", frame(TEXT, b"x", mask=b"1234")), c(CLOSE, code(1002)), S_END, C_END],
    "a question": [("client", REQUEST.replace(b"/case/1.2.3", b"/getCaseCount")), OPEN[1], s(TEXT, b"517"), *BYE],
    "an undefined code refused": OPEN + [s(CLOSE, code(5000)), c(CLOSE, code(1002)), S_END, C_END],
    "compressed": test_compression.opened() + [s(TEXT, b"ab"), c(TEXT, test_compression.stored(b"ab"), rsv=4), *BYE],
}
for before in ("\r\nOrigin: http://h", "\r\nSec-WebSocket-Protocol: a, b"):
    GOOD[before.strip()] = request(b"\r\nHost: h", b"\r\nHost: h" + before.encode())

BAD = {
    "unmasked": ("mask", OPEN + [s(TEXT, b"x"), ("client", frame(TEXT, b"x")), *BYE]),
    "one key for two frames": ("mask-key", OPEN + [s(TEXT, b"x"), c(TEXT, b"x", mask=b"1234"), s(PING), c(PONG, mask=b"1234"), *BYE]),
    "echo altered": ("echo", OPEN + [s(TEXT, b"a"), c(TEXT, b"b"), *BYE]),
    "echo lost": ("echo", OPEN + [s(TEXT, b"a"), *BYE]),
    "pong of 126 bytes": ("control-length", OPEN + [s(PING, LONG[:125]), c(PONG, LONG), *BYE]),
    "1009 for a message within the limit": (
        "close-unprovoked",
        OPEN + [s(BINARY, b"x" * BIG), c(CLOSE, code(1009)), S_END, C_END],
    ),
    "the wrong code": ("close-answer", OPEN + [s(3), c(CLOSE, code(1007)), S_END, C_END]),
    "no answer to a fault": ("close-missing", OPEN + [s(3), S_END, C_END]),
    "an undefined code": ("close-code", OPEN + [S_CLOSE, c(CLOSE, code(5000)), S_END, C_END]),
    "TCP closed late": ("tcp-close", OPEN + [S_CLOSE, C_CLOSE, S_END, wait(5.1), C_END]),
    "TCP left open": ("tcp-close", OPEN + [S_CLOSE, C_CLOSE, S_END, STUCK]),
    "TCP reset": ("reset", OPEN + [S_CLOSE, C_CLOSE, C_RESET, S_END]),
    "ended before the request": ("handshake", [("client", REQUEST[:20]), C_END]),
    "POST": ("handshake", request(b"GET", b"POST")),
    "HTTP/1.0": ("handshake", request(b"HTTP/1.1", b"HTTP/1.0")),
    "no host": ("handshake", request(b"Host: h\r\n", b"")),
    "two hosts": ("handshake", request(b"Host: h\r\n", b"Host: h\r\nHost: h\r\n")),
    "no upgrade": ("handshake", request(b"Upgrade: websocket\r\n", b"")),
    "no connection": ("handshake", request(b"Connection: Upgrade\r\n", b"")),
    "version 8": ("handshake", request(b"Version: 13", b"Version: 8")),
    "a body": ("handshake", request(b"Host: h", b"Content-Length: 1\r\nHost: h")),
    "broken header line": ("handshake", request(b"Host: h", b"Host: h\r\nx : y")),
    "a broken offer": ("handshake", request(b"Host: h", b"Host: h\r\nSec-WebSocket-Extensions: permessage-deflate; x")),
}


class Client(unittest.TestCase):
    def test_good_clients_pass(self):
        for name, steps in GOOD.items():
            with self.subTest(name):
                self.assertEqual(rules(steps, CLIENT), [])

    def test_bad_clients_are_caught(self):
        for name, (rule, steps) in BAD.items():
            with self.subTest(name):
                self.assertEqual(set(rules(steps, CLIENT)), {rule})

    def test_keys(self):
        for key in (b"", b"AAAA", b"dGhlIHNhbXBsZSBub25jZR==", b"dGhlIHNhbXBsZSBub25jZQ"):
            with self.subTest(key):
                # The answer is made from the key, and so is wrong too.
                found = rules(request(b"dGhlIHNhbXBsZSBub25jZQ==", key), CLIENT)
                self.assertEqual(found, ["handshake", "handshake"])

    def test_a_key_that_came_before(self):
        judged = [test_checker.judge(OPEN + BYE, subject=CLIENT) for _ in range(2)]
        lines = verdict.wire_deviations(["1.1.1", "1.1.2"], {"1.1.1": judged[:1], "1.1.2": judged[1:]}, {}, 0)
        self.assertEqual(len(lines), 1)
        judged[0].key = "another"
        lines = verdict.wire_deviations(["1.1.1", "1.1.2"], {"1.1.1": judged[:1], "1.1.2": judged[1:]}, {}, 0)
        self.assertEqual(lines, [])

    def test_every_rule_of_the_checker_is_tested(self):
        names = {rule for bad in (BAD, test_checker.BAD, test_compression.BAD) for rule, _ in bad.values()}
        written = set()
        for path in ("judge.py", "stream.py"):
            source = Path(__file__).with_name(path).read_text()
            for call in ('Fault("', 'find("'):
                written |= {part.split('"')[0] for part in source.split(call)[1:]}
        self.assertEqual(names, written)
