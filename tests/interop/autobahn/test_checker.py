"""The checker's own tests: a good server is passed, and each kind of bad one is caught."""

import asyncio
import socket
import struct
import threading
import time
import unittest

import verdict
from frames import unmask
from judge import SERVER, Judge
from proxy import Proxy
from utf8 import Utf8

KEY = b"dGhlIHNhbXBsZSBub25jZQ=="  # the RFC's own example
REQUEST = (
    b"GET /case/1.2.3 HTTP/1.1\r\nHost: h\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Key: "
    + KEY
    + b"\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
RESPONSE = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"
MASK = b"\x37\xfa\x21\x3d"
TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10


def frame(opcode, payload=b"", fin=True, rsv=0, mask=b"", form=None):
    size = len(payload)
    form = form or (7 if size < 126 else 16 if size < 65536 else 64)
    second = size if form == 7 else {16: 126, 64: 127}[form]
    long = b"" if form == 7 else struct.pack(">H" if form == 16 else ">Q", size)
    head = bytes([fin << 7 | rsv << 4 | opcode, bool(mask) << 7 | second]) + long + mask
    return head + (unmask(payload, mask, 0) if mask else payload)


def code(number, reason=b""):
    return struct.pack(">H", number) + reason


def c(*args, mask=MASK, **options):
    """The client sends a frame."""
    return "client", frame(*args, mask=mask, **options)


def s(*args, **options):
    """The server sends a frame."""
    return "server", frame(*args, **options)


OPEN = [("client", REQUEST), ("server", RESPONSE)]
C_END, S_END, S_RESET, STUCK = ("suite_end",), ("subject_end",), ("subject_end", True), ("stuck",)
C_CLOSE, S_CLOSE = c(CLOSE, code(1000)), s(CLOSE, code(1000))
BYE = [C_CLOSE, S_CLOSE, S_END, C_END]
LONG = b"x" * 126
BIG = 1000  # what these tests call too big


def wait(seconds):
    return ("wait", seconds)


def judge(steps, in_bytes=False, subject=SERVER):
    now = 0.0
    judged = Judge(subject, clock=lambda: now, close_within=5, biggest=BIG)
    for name, *args in steps:
        if name == "wait":
            now += args[0]
        elif name in ("client", "server") and in_bytes:
            for byte in args[0]:
                getattr(judged, name)(bytes([byte]))
        else:
            getattr(judged, name)(*args)
    return judged


def rules(steps, subject=SERVER):
    whole = [rule for rule, _ in judge(steps, False, subject).findings]
    apart = [rule for rule, _ in judge(steps, True, subject).findings]
    if whole != apart:
        raise AssertionError(f"whole: {whole}, byte by byte: {apart}")
    return whole


def response(**changes):
    head = RESPONSE
    for old, new in changes.values():
        assert old in head
        head = head.replace(old, new)
    return [("client", REQUEST), ("server", head), *BYE]


GOOD = {
    "nothing but a close": OPEN + BYE,
    "an empty close": OPEN + [c(CLOSE), s(CLOSE), S_END, C_END],
    "1000 for another code": OPEN + [c(CLOSE, code(3999)), S_CLOSE, S_END, C_END],
    "the same code with a reason": OPEN + [c(CLOSE, code(4000)), s(CLOSE, code(4000, "été".encode())), S_END, C_END],
    "echoes of every length form": OPEN
    + [step for size in (0, 125, 126, 65535, 65536) for step in (c(BINARY, b"x" * size), s(BINARY, b"x" * size))]
    + BYE,
    "a fragmented echo with a pong inside": OPEN
    + [
        c(TEXT, b"\xc3", fin=False),
        c(PING, b"p"),
        c(0, b"\xa9"),
        s(TEXT, b"", fin=False),
        s(PONG, b"p"),
        s(0, b"\xc3", fin=False),
        s(0, b"\xa9"),
    ]
    + BYE,
    "the last ping alone answered": OPEN + [c(PING, b"1"), c(PING, b"2"), s(PONG, b"2")] + BYE,
    "the later of two like pings answered": OPEN + [c(PING, b"1"), c(PING, b"1"), s(PONG, b"1")] + BYE,
    "a client's pong is not answered": OPEN + [c(PONG, b"1")] + BYE,
    "what follows the client's close is ignored": OPEN + [C_CLOSE, c(PING), c(TEXT, b"\xff"), S_CLOSE, S_END, C_END],
    "what follows the server's close is ignored": OPEN
    + [c(TEXT, rsv=1), s(CLOSE, code(1002)), c(TEXT, b"\xff"), S_END, C_END],
    "a client that just vanishes": OPEN + [c(PING, b"1"), c(TEXT, b"x", fin=False), C_END, S_END],
    "a reset after the client's end": OPEN + [C_END, S_RESET],
    "an undefined code echoed as 1000": OPEN + [c(CLOSE, code(5000)), S_CLOSE, S_END, C_END],
    "an undefined code refused": OPEN + [c(CLOSE, code(65535)), s(CLOSE, code(1002)), S_END, C_END],
    "a message over the limit refused": OPEN
    + [c(BINARY, b"x" * BIG, fin=False), c(0, b"x"), s(CLOSE, code(1009)), S_END, C_END],
    "a close after a long silence": OPEN + [wait(100)] + BYE,
    "TCP closed just in time": OPEN + [C_CLOSE, S_CLOSE, wait(4.9), S_END, C_END],
}

# What a client does wrong, and the close code the server owes it.
WRONG_CLIENT = {
    "reserved bit 1": ([c(TEXT, rsv=4)], 1002),
    "reserved bit 3 in a control frame": ([c(PING, rsv=1)], 1002),
    "reserved data opcode": ([c(3)], 1002),
    "reserved control opcode": ([c(15)], 1002),
    "unmasked": ([("client", frame(TEXT, b"x"))], 1002),
    "fragmented ping": ([c(PING, b"x", fin=False)], 1002),
    "long ping": ([c(PING, LONG)], 1002),
    "nothing to continue": ([c(0, b"x")], 1002),
    "text in an unfinished message": ([c(TEXT, b"x", fin=False), c(TEXT, b"x")], 1002),
    "length not minimal, 16 bits": ([c(TEXT, b"x" * 125, form=16)], 1002),
    "length not minimal, 64 bits": ([c(TEXT, LONG, form=64)], 1002),
    "length with its top bit": ([("client", b"\x82\xff\x80" + bytes(7) + MASK)], 1002),
    "bad text": ([c(TEXT, b"ok\xff")], 1007),
    "bad text, known before its end": ([c(TEXT, b"\xf4\x90", fin=False)], 1007),
    "a surrogate, known before its end": ([c(TEXT, b"\xed", fin=False), c(0, b"\xa0", fin=False)], 1007),
    "text ending inside a character": ([c(TEXT, b"\xe2\x82")], 1007),
    "close of one byte": ([c(CLOSE, b"\x03")], 1002),
    **{
        f"close code {bad}": ([c(CLOSE, code(bad))], 1002)
        for bad in (0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999)
    },
    "bad close reason": ([c(CLOSE, code(1000, b"\xed\xa0\x80"))], 1007),
    "only the first fault counts": ([c(TEXT, b"\xff"), c(3)], 1007),
}

BAD = {
    "masked": ("mask", OPEN + [c(BINARY, b"x"), ("server", frame(BINARY, b"x", mask=MASK)), *BYE]),
    "masked with zeroes": ("mask", OPEN + [c(BINARY, b"x"), ("server", frame(BINARY, b"x", mask=bytes(4))), *BYE]),
    "16 bits for 125": ("length", OPEN + [c(BINARY, b"x" * 125), s(BINARY, b"x" * 125, form=16), *BYE]),
    "64 bits for 126": ("length", OPEN + [c(BINARY, LONG), s(BINARY, LONG, form=64), *BYE]),
    "64 bits for 65535": ("length", OPEN + [c(BINARY, b"x" * 65535), s(BINARY, b"x" * 65535, form=64), *BYE]),
    **{f"reserved bit {bit}": ("rsv", OPEN + [c(BINARY, b"x"), s(BINARY, b"x", rsv=bit), *BYE]) for bit in (1, 2, 4)},
    **{f"opcode {opcode}": ("opcode", OPEN + [s(opcode), *BYE]) for opcode in (3, 4, 5, 6, 7, 11, 12, 13, 14, 15)},
    "pong of 126 bytes": ("control-length", OPEN + [c(PING, LONG[:125]), s(PONG, LONG), *BYE]),
    "pong without FIN": ("control-fragment", OPEN + [c(PING, b"x"), s(PONG, b"x", fin=False), *BYE]),
    "close without FIN": ("control-fragment", OPEN + [C_CLOSE, s(CLOSE, code(1000), fin=False), S_END, C_END]),
    "nothing to continue": ("continuation", OPEN + [c(TEXT, b"x"), s(0, b"x"), *BYE]),
    "a second start": ("continuation", OPEN + [c(TEXT, b"xy"), s(TEXT, b"x", fin=False), s(TEXT, b"y"), *BYE]),
    "text not UTF-8": ("utf8", OPEN + [c(BINARY, b"\xff"), s(TEXT, b"\xff"), *BYE]),
    "text overlong": ("utf8", OPEN + [s(TEXT, b"\xc0\x80"), *BYE]),
    "text ends inside a character": ("utf8", OPEN + [c(BINARY, b"\xc3"), s(TEXT, b"\xc3"), *BYE]),
    "text bad across fragments": ("utf8", OPEN + [s(TEXT, b"\xc3", fin=False), s(0, b"x"), *BYE]),
    "two closes": ("after-close", OPEN + [C_CLOSE, S_CLOSE, S_CLOSE, S_END, C_END]),
    "a pong after the close": ("after-close", OPEN + [c(PING), C_CLOSE, s(PONG), S_CLOSE, s(PONG), S_END, C_END]),
    "close of one byte": ("close-length", OPEN + [C_CLOSE, s(CLOSE, b"\x03"), S_END, C_END]),
    **{
        f"close code {bad}": ("close-code", OPEN + [C_CLOSE, s(CLOSE, code(bad)), S_END, C_END])
        for bad in (0, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000, 65535)
    },
    "close reason not UTF-8": ("close-reason", OPEN + [C_CLOSE, s(CLOSE, code(1000, b"\xff")), S_END, C_END]),
    "close reason cut": ("close-reason", OPEN + [C_CLOSE, s(CLOSE, code(1000, b"\xc3")), S_END, C_END]),
    "a failure for an orderly close": ("close-answer", OPEN + [C_CLOSE, s(CLOSE, code(1002)), S_END, C_END]),
    "close out of nothing": ("close-unprovoked", OPEN + [S_CLOSE, S_END, C_END]),
    "1009 for a message within the limit": (
        "close-unprovoked",
        OPEN + [c(BINARY, b"x" * BIG), s(CLOSE, code(1009)), S_END, C_END],
    ),
    "no answer to a close": ("close-missing", OPEN + [C_CLOSE, S_END, C_END]),
    "no answer to a close, ended by the client": ("close-missing", OPEN + [C_CLOSE, C_END, S_END]),
    "no answer to a fault, ended by the client": ("close-missing", OPEN + [c(3), C_END, S_END]),
    "TCP dropped for no reason": ("close-missing", OPEN + [S_END, C_END]),
    "pong nobody asked for": ("pong", OPEN + [s(PONG), *BYE]),
    "pong with another payload": ("pong", OPEN + [c(PING, b"a"), c(PING, b"b"), s(PONG, b"c"), s(PONG, b"b"), *BYE]),
    "pongs out of order": ("pong", OPEN + [c(PING, b"a"), c(PING, b"b"), s(PONG, b"b"), s(PONG, b"a"), *BYE]),
    "pong twice": ("pong", OPEN + [c(PING, b"a"), s(PONG, b"a"), s(PONG, b"a"), *BYE]),
    "pong before its ping": ("pong", OPEN + [s(PONG, b"a"), c(PING, b"a"), s(PONG, b"a"), *BYE]),
    "pong for a ping after the close": ("pong", OPEN + [C_CLOSE, c(PING, b"a"), s(PONG, b"a"), S_CLOSE, S_END, C_END]),
    "ping never answered": ("pong", OPEN + [c(PING, b"a"), *BYE]),
    "later ping not answered": ("pong", OPEN + [c(PING, b"a"), c(PING, b"b"), s(PONG, b"a"), *BYE]),
    "a ping of its own": ("echo", OPEN + [s(PING), *BYE]),
    "echo altered": ("echo", OPEN + [c(TEXT, b"a"), s(TEXT, b"b"), *BYE]),
    "echo of another type": ("echo", OPEN + [c(TEXT, b"a"), s(BINARY, b"a"), *BYE]),
    "echo twice": ("echo", OPEN + [c(TEXT, b"a"), s(TEXT, b"a"), s(TEXT, b"a"), *BYE]),
    "echo lost": ("echo", OPEN + [c(TEXT, b"a"), *BYE]),
    "TCP left open": ("tcp-close", OPEN + [C_CLOSE, S_CLOSE, C_END, STUCK]),
    "TCP closed late": ("tcp-close", OPEN + [C_CLOSE, S_CLOSE, wait(5.1), S_END, C_END]),
    "TCP closed late, the client still talking": (
        "tcp-close",
        OPEN + [C_CLOSE, S_CLOSE, wait(3), c(PING), wait(3), S_END, C_END],
    ),
    "TCP closed late after a failure": ("tcp-close", OPEN + [c(3), s(CLOSE, code(1002)), wait(5.1), S_END, C_END]),
    "TCP reset": ("reset", OPEN + [C_CLOSE, S_CLOSE, S_RESET, C_END]),
    "half a frame after the close": ("after-close", OPEN + [C_CLOSE, S_CLOSE, ("server", b"\x8a"), S_END, C_END]),
    "half a frame instead of a close": ("close-missing", OPEN + [c(TEXT, b"a"), ("server", b"\x81\x01"), S_END, C_END]),
    "not switched": ("handshake", response(a=(b"101 Switching Protocols", b"200 OK"))),
    "HTTP/1.0": ("handshake", response(a=(b"HTTP/1.1", b"HTTP/1.0"))),
    "wrong accept": ("handshake", response(a=(b"s3pPL", b"S3pPL"))),
    "no upgrade": ("handshake", response(a=(b"Upgrade: websocket\r\n", b""))),
    "no connection": ("handshake", response(a=(b"Connection: Upgrade\r\n", b""))),
    "extension not offered": (
        "handshake",
        response(a=(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: permessage-deflate\r\n\r\n")),
    ),
    "subprotocol not offered": ("handshake", response(a=(b"\r\n\r\n", b"\r\nSec-WebSocket-Protocol: chat\r\n\r\n"))),
    "content length": ("handshake", response(a=(b"\r\n\r\n", b"\r\nContent-Length: 0\r\n\r\n"))),
    "broken header line": ("handshake", response(a=(b"Connection:", b"Server : x\r\nConnection:"))),
    "an answer before the request": ("handshake", [("server", RESPONSE)]),
    "ended before the answer": ("handshake", [("client", REQUEST), ("server", RESPONSE[:20]), S_END]),
}


class Judging(unittest.TestCase):
    def test_good_servers_pass(self):
        for name, steps in GOOD.items():
            with self.subTest(name):
                self.assertEqual(rules(steps), [])

    def test_bad_servers_are_caught(self):
        for name, (rule, steps) in BAD.items():
            with self.subTest(name):
                self.assertEqual(set(rules(steps)), {rule})

    def test_a_wrong_client_is_owed_its_close_code(self):
        for name, (steps, due) in WRONG_CLIENT.items():
            for given in (1002, 1007, 1009, 1000, None):
                with self.subTest(name, given=given):
                    close = s(CLOSE, code(given) if given else b"")
                    found = rules(OPEN + steps + [close, S_END, C_END])
                    self.assertEqual(found, [] if given == due else ["close-answer"])
            with self.subTest(name, given="nothing"):
                self.assertEqual(rules(OPEN + steps + [S_END, C_END]), ["close-missing"])

    def test_a_fault_is_known_at_its_first_byte(self):
        for name, first in {
            "reserved bits": b"\xc1",
            "opcode": b"\x83",
            "fragmented control": b"\x09",
            "nothing to continue": b"\x80",
            "unmasked": b"\x81\x01",
            "long control": b"\x89\xfe",
            "length": b"\x82\xfe\x00\x7d",
        }.items():
            with self.subTest(name):
                self.assertEqual(rules(OPEN + [("client", first), s(CLOSE, code(1002)), S_END, C_END]), [])
                self.assertEqual(
                    rules(OPEN + [("client", first[:-1]), s(CLOSE, code(1002)), S_END, C_END]), ["close-unprovoked"]
                )

    def test_counts(self):
        judged = judge(OPEN + [c(TEXT, b"a"), s(TEXT, b"a"), *BYE])
        self.assertEqual((judged.path, judged.sent_bytes), ("/case/1.2.3", len(RESPONSE) + 3 + 4))
        self.assertEqual((dict(judged.sent.opcodes), dict(judged.received.opcodes)), ({1: 1, 8: 1}, {1: 1, 8: 1}))


class Utf8Bytes(unittest.TestCase):
    def test_against_the_standard_table(self):
        # First byte: how many bytes follow, and the range of the first of them (Unicode, table 3-7).
        table = {first: (0, 0, 0) for first in range(0x80)}
        table |= {first: (1, 0x80, 0xBF) for first in range(0xC2, 0xE0)}
        table |= {first: (2, 0x80, 0xBF) for first in range(0xE0, 0xF0)} | {
            0xE0: (2, 0xA0, 0xBF),
            0xED: (2, 0x80, 0x9F),
        }
        table |= {first: (3, 0x80, 0xBF) for first in range(0xF1, 0xF4)} | {
            0xF0: (3, 0x90, 0xBF),
            0xF4: (3, 0x80, 0x8F),
        }
        for first in range(256):
            text = Utf8()
            self.assertEqual(text.feed(bytes([first])), first in table, hex(first))
            more, low, high = table.get(first, (0, 0, 0))
            self.assertEqual(first not in table or text.complete(), more == 0 or first not in table)
            for second in range(256) if more else ():
                text = Utf8()
                text.feed(bytes([first]))
                self.assertEqual(text.feed(bytes([second])), low <= second <= high, (hex(first), hex(second)))
                if low <= second <= high:
                    self.assertEqual(text.complete(), more == 1)
                    for third in (0x7F, 0x80, 0xBF, 0xC0) if more > 1 else ():
                        text = Utf8()
                        text.feed(bytes([first, second]))
                        self.assertEqual(text.feed(bytes([third])), 0x80 <= third <= 0xBF)


def read_to_end(sock):
    while sock.recv(1000):
        pass


class Proxying(unittest.TestCase):
    """The proxy on real sockets, with a client that ends TCP as soon as it has what it waits for."""

    def played(self, server, says=C_CLOSE[1], hears=S_CLOSE[1], close_within=20):
        listener = socket.create_server(("127.0.0.1", 0))
        listener.settimeout(20)

        def serve():
            sock, _ = listener.accept()
            with sock:
                sock.settimeout(20)
                while not sock.recv(1000).endswith(b"\r\n\r\n"):
                    pass
                sock.sendall(RESPONSE)
                if says:
                    sock.recv(1000)
                    sock.sendall(hears)
                server(sock)

        async def talk():
            proxy = Proxy(SERVER, listener.getsockname(), close_within)
            serving = asyncio.create_task(proxy.serve())
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            writer.write(REQUEST)
            await reader.readuntil(b"\r\n\r\n")
            writer.write(says)
            await reader.readexactly(len(hears))
            writer.close()
            await writer.wait_closed()
            await proxy.settled(20)
            serving.cancel()
            return proxy.judges

        thread = threading.Thread(target=serve)
        thread.start()
        with listener:
            (judged,) = asyncio.run(asyncio.wait_for(talk(), 20))
        thread.join(20)
        self.assertEqual(judged.path, "/case/1.2.3")
        self.assertEqual(judged.sent_bytes, len(RESPONSE) + len(hears))
        return [rule for rule, _ in judged.findings]

    def test_a_server_that_closes(self):
        self.assertEqual(self.played(lambda sock: None), [])

    def test_a_server_that_leaves_the_end_to_a_vanished_client(self):
        self.assertEqual(self.played(read_to_end, says=b"", hears=b""), [])

    def test_a_server_that_leaves_the_end_to_the_client_after_the_handshake(self):
        self.assertEqual(self.played(read_to_end, close_within=0.5), ["tcp-close"])

    def test_a_server_that_never_ends(self):
        self.assertEqual(self.played(lambda sock: time.sleep(2), close_within=0.3), ["tcp-close"])

    def test_a_server_that_resets(self):
        linger = struct.pack("ii", 1, 0)
        self.assertEqual(
            self.played(lambda sock: sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)), ["reset"]
        )

    def test_no_server(self):
        async def talk():
            with socket.create_server(("127.0.0.1", 0)) as closed:
                proxy = Proxy(SERVER, closed.getsockname())
            serving = asyncio.create_task(proxy.serve())
            reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
            await reader.read()
            writer.close()
            await writer.wait_closed()
            await proxy.settled(20)
            serving.cancel()
            return [rule for rule, _ in proxy.judges[0].findings]

        self.assertEqual(asyncio.run(asyncio.wait_for(talk(), 20)), ["refused"])


class Verdict(unittest.TestCase):
    cases = [f"1.1.{n}" for n in range(514)] + sorted(verdict.INFORMATIONAL)

    def results(self, **changes):
        good = {case: ("OK", "OK", "") for case in self.cases} | {
            case: ("INFORMATIONAL", "INFORMATIONAL", "") for case in verdict.INFORMATIONAL
        }
        return good | changes

    def test_the_one_good_outcome(self):
        self.assertEqual(verdict.deviations(self.cases, self.cases, self.results()), [])

    def test_every_other_outcome_is_named(self):
        for outcome in (
            ("NON-STRICT", "OK"),
            ("FAILED", "OK"),
            ("OK", "WRONG CODE"),
            ("OK", "INFORMATIONAL"),
            ("INFORMATIONAL", "INFORMATIONAL"),
            ("TIMEOUT", "TIMEOUT"),
        ):
            (line,) = verdict.deviations(self.cases, self.cases, self.results(**{"1.1.7": (*outcome, "")}))
            self.assertIn("1.1.7", line)
        for outcome in (("OK", "OK"), ("INFORMATIONAL", "OK")):
            (line,) = verdict.deviations(self.cases, self.cases, self.results(**{"7.1.6": (*outcome, "")}))
            self.assertIn("7.1.6", line)

    def test_a_case_that_did_not_run_or_does_not_exist(self):
        results = self.results()
        del results["1.1.9"]
        (line,) = verdict.deviations(self.cases, self.cases, results)
        self.assertIn("1.1.9", line)
        fewer = [case for case in self.cases if case not in ("1.1.9", "7.1.6")]
        self.assertEqual(len(verdict.deviations(fewer, fewer, self.results())), 2)

    def test_only_what_was_chosen_must_run(self):
        self.assertEqual(verdict.deviations(self.cases, ["1.1.7"], self.results()), [])
        self.assertEqual(len(verdict.deviations(self.cases, [], self.results())), 1)

    def test_the_choice(self):
        suite = ["1.1.1", "9.8.6", "12.1.1", "12.1.2", "12.1.10", "13.7.11"]
        self.assertEqual(verdict.chosen(suite, False, []), ["1.1.1", "9.8.6", "12.1.1", "13.7.11"])
        self.assertEqual(verdict.chosen(suite, True, []), suite)
        self.assertIn("NOT run: 2 of 6 cases, of sections 12 and 13 all", verdict.left_out(suite, verdict.chosen(suite, False, [])))
        self.assertIn("NOT run: 5 of 6 cases, of sections 9, 12, 13", verdict.left_out(suite, ["1.1.1"]))
        self.assertEqual(verdict.left_out(suite, suite), "all 6 cases are run")
        self.assertEqual(verdict.chosen(suite, False, ["12.1.10", "9.*"]), ["9.8.6", "12.1.10"])

    def wire(self, steps, stats=({1: 1, 8: 1}, {1: 1, 8: 1})):
        return verdict.wire_deviations(["1.2.3"], {"1.2.3": [judge(steps)]}, {"1.2.3": stats}, 50)

    def test_the_wire(self):
        good = OPEN + [c(TEXT, b"a"), s(TEXT, b"a"), *BYE]
        self.assertEqual(self.wire(good), [])
        self.assertEqual(self.wire(good, ({1: 1, 8: 2}, {1: 1, 8: 1})), [])
        (line,) = self.wire(OPEN + [c(TEXT, b"a"), s(TEXT, b"b"), *BYE])
        self.assertIn("case 1.2.3: echo", line)

    def test_a_wire_the_suite_saw_otherwise(self):
        good = OPEN + [c(TEXT, b"a"), s(TEXT, b"a"), *BYE]
        self.assertEqual(len(self.wire(good, ({1: 1, 8: 1}, {1: 2, 8: 1}))), 1)
        self.assertEqual(len(self.wire(good, ({1: 1, 8: 1}, {1: 1, 8: 2}))), 1)
        self.assertEqual(len(self.wire(good, ({1: 2, 8: 1}, {1: 1, 8: 1}))), 1)
        self.assertEqual(len(verdict.wire_deviations(["1.2.3"], {}, {}, 0)), 1)
        self.assertEqual(len(verdict.wire_deviations([], {"9": [judge(good)]}, {}, 50)), 1)
        self.assertEqual(len(verdict.wire_deviations(["1.2.3"], {"1.2.3": [judge(good)] * 2}, {}, 50)), 1)
        self.assertEqual(len(verdict.wire_deviations(["1.2.3"], {"1.2.3": [judge(good)]}, {})), 1)


if __name__ == "__main__":
    unittest.main()
