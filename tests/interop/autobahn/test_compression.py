"""The checker where compression was agreed on: good servers are passed, bad ones are caught."""

import unittest
import unittest.mock
import zlib

import deflate
import stream
import verdict
from handshake import Head
from test_checker import BINARY, BYE, C_END, PING, PONG, REQUEST, RESPONSE, S_END, TEXT, c, code, judge, rules, s

CLOSE = 8
RSV1 = stream.COMPRESSED
TEXTS = [b"to be or not to be, that is the question", "wäre, wäre, wäre".encode(), b"to be or not to be"]


def compressor(bits=15):
    """Compresses message after message, in one context."""
    state = zlib.compressobj(9, zlib.DEFLATED, -bits)

    def compress(payload):
        data = state.compress(payload) + state.flush(zlib.Z_SYNC_FLUSH)
        assert data.endswith(deflate.TAIL)
        return data[:-4]

    return compress


def with_extensions(head, value):
    return head.replace(b"\r\n\r\n", b"\r\nSec-WebSocket-Extensions: " + value.encode() + b"\r\n\r\n")


def opened(offer="permessage-deflate; client_max_window_bits", answer="permessage-deflate"):
    return [("client", with_extensions(REQUEST, offer)), ("server", with_extensions(RESPONSE, answer))]


def stored(*payloads):
    """Blocks that are not compressed, but take part in the context."""
    blocks = [b"\0" + len(p).to_bytes(2, "little") + (len(p) ^ 0xFFFF).to_bytes(2, "little") + p for p in payloads]
    return b"".join(blocks) + b"\0"


def back(distance_code, extra_bits, extra):
    """A block of fixed codes that is one reference of 3 bytes, `extra` beyond the distance of its code."""
    # BFINAL 0, BTYPE 01, length code 257 (0000001), distance code in 5 bits, its extra bits, end of block 0000000.
    reverse = lambda value, size: format(value, f"0{size}b")
    bits = "0" + "10" + "0000001" + reverse(distance_code, 5)
    bits += "".join(reversed(reverse(extra, extra_bits))) + "0000000"
    bits += "000"  # the header of the empty stored block whose rest is the tail that is cut off
    bits += "0" * (-len(bits) % 8)
    return bytes(int(bits[at : at + 8][::-1], 2) for at in range(0, len(bits), 8))


FILL = bytes(range(256)) * 3
# Distance code 17 is 385 to 512, code 18 is 513 to 768.
AT_512, AT_513 = back(17, 7, 127), back(18, 8, 0)
SMALL = opened(
    "permessage-deflate; server_max_window_bits=9", "permessage-deflate; server_max_window_bits=9"
)
ALONE = opened("permessage-deflate; server_no_context_takeover", "permessage-deflate; server_no_context_takeover")


def echoes(opening, payloads, back_by, opcode=TEXT):
    there = compressor()
    pairs = [(c(opcode, there(p), rsv=RSV1), s(opcode, back_by(p), rsv=RSV1)) for p in payloads]
    return opening + [step for pair in pairs for step in pair] + BYE


one, two = compressor(), compressor()
GOOD = {
    "one context for all messages": echoes(opened(), TEXTS, compressor()),
    "each message alone": echoes(ALONE, TEXTS, lambda payload: compressor()(payload)),
    "plain although it may be compressed": opened() + [c(TEXT, one(b"ab"), rsv=RSV1), s(TEXT, b"ab")] + BYE,
    "compressed although the client's was not": opened() + [c(TEXT, b"ab"), s(TEXT, two(b"ab"), rsv=RSV1)] + BYE,
    "an empty message": opened() + [c(TEXT, b""), s(TEXT, b"\0", rsv=RSV1)] + BYE,
    "a tail that was not cut off": opened() + [c(TEXT, b"ab"), s(TEXT, stored(b"ab") + deflate.TAIL, rsv=RSV1)] + BYE,
    "fragments, and a pong between": opened()
    + [
        c(PING, b"p"),
        c(BINARY, FILL),
        s(BINARY, stored(FILL)[:7], rsv=RSV1, fin=False),
        s(PONG, b"p"),
        s(0, b"", fin=False),
        s(0, stored(FILL)[7:]),
    ]
    + BYE,
    "as far back as the window": SMALL
    + [c(BINARY, FILL + FILL[-512:][:3]), s(BINARY, stored(FILL)[:-1] + AT_512, rsv=RSV1)]
    + BYE,
    "into the message before": opened()
    + [c(BINARY, FILL), c(BINARY, FILL[-513:][:3]), s(BINARY, stored(FILL), rsv=RSV1), s(BINARY, AT_513, rsv=RSV1)]
    + BYE,
}

BAD = {
    "on a continuation": ("rsv", opened() + [s(TEXT, b"", fin=False), s(0, b"", rsv=RSV1), *BYE]),
    "on a pong": ("rsv", opened() + [c(PING), s(PONG, rsv=RSV1), *BYE]),
    "on a close": ("rsv", opened() + [c(CLOSE, code(1000)), s(CLOSE, code(1000), rsv=RSV1), S_END, C_END]),
    "the second reserved bit beside it": ("rsv", opened() + [s(TEXT, b"\0", rsv=RSV1 | 2), *BYE]),
    "offered, not agreed on": ("rsv", [opened()[0], ("server", RESPONSE), s(TEXT, b"\0", rsv=RSV1), *BYE]),
    "no deflated data": ("deflate", opened() + [s(BINARY, b"\xff\xff", rsv=RSV1), *BYE]),
    "a final block": ("deflate", opened() + [s(BINARY, zlib.compress(b"x", wbits=-15), rsv=RSV1), *BYE]),
    "beyond the window": (
        "deflate",
        SMALL + [c(BINARY, FILL + FILL[-513:][:3]), s(BINARY, stored(FILL)[:-1] + AT_513, rsv=RSV1), *BYE],
    ),
    "into the message before, though each stands alone": (
        "deflate",
        ALONE
        + [c(BINARY, FILL), c(BINARY, FILL[-512:][:3]), s(BINARY, stored(FILL), rsv=RSV1)]
        + [s(BINARY, AT_512, rsv=RSV1), *BYE],
    ),
    "another text": ("echo", opened() + [c(TEXT, b"ab"), s(TEXT, stored(b"ac"), rsv=RSV1), *BYE]),
    "cut short": ("echo", opened() + [c(TEXT, b"ab"), s(TEXT, compressor()(b"ab")[:1], rsv=RSV1), *BYE]),
    "text not UTF-8": ("utf8", opened() + [c(BINARY, b"\xff"), s(TEXT, stored(b"\xff"), rsv=RSV1), *BYE]),
    "text ends inside a character": ("utf8", opened() + [s(TEXT, stored(b"\xc3"), rsv=RSV1), *BYE]),
    "inflates without end": (
        "inflated-length",
        opened() + [s(BINARY, compressor()(bytes(stream.PLAIN_MAX + 1)), rsv=RSV1), *BYE],
    ),
}

# What a client does wrong, and the close code the server owes it.
WRONG_CLIENT = {
    "on a continuation": ([c(TEXT, b"", fin=False), c(0, b"", rsv=RSV1)], 1002),
    "on a ping": ([c(PING, rsv=RSV1)], 1002),
    "no deflated data": ([c(TEXT, b"\xff\xff", rsv=RSV1)], 1007),
    "text not UTF-8": ([c(TEXT, stored(b"\xff"), rsv=RSV1)], 1007),
    "within the limit, but for what it inflates to": ([c(BINARY, compressor()(bytes(2000)), rsv=RSV1)], 1009),
}

OFFER = "permessage-deflate; client_max_window_bits=12; server_max_window_bits=10; server_no_context_takeover"
FITS = "permessage-deflate; server_max_window_bits=10; server_no_context_takeover"
ANSWERS = {
    FITS: True,
    FITS.replace("10", '"9"'): True,
    FITS + "; client_max_window_bits=12": True,
    FITS + ";client_max_window_bits =8;client_no_context_takeover": True,
    FITS + "; client_max_window_bits=13": False,
    FITS + "; client_max_window_bits": False,
    FITS.replace("10", "11"): False,
    FITS.replace("10", "08"): False,
    FITS.replace("=10", ""): False,
    FITS.replace("; server_no_context_takeover", ""): False,
    FITS.replace("takeover", "takeover=1"): False,
    FITS + "; server_no_context_takeover": False,
    FITS + "; x": False,
    FITS + ", " + FITS: False,
    "permessage-deflate": False,
    "permessage-bzip2": False,
    FITS + ";": False,
}


class Compression(unittest.TestCase):
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
            for given in (1002, 1007, 1009):
                with self.subTest(name, given=given):
                    found = rules(opened() + steps + [s(CLOSE, code(given)), S_END, C_END])
                    # What is over the server's limit may be refused for that, or for what it is.
                    self.assertEqual(found, [] if given == due else ["close-answer" if due != 1009 else "close-unprovoked"])

    def test_what_inflates_without_end_is_owed_1009(self):
        bomb = c(BINARY, compressor()(bytes(stream.PLAIN_MAX + 1)), rsv=RSV1)
        for given in (1009, 1007):
            found = [rule for rule, _ in judge(opened() + [bomb, s(CLOSE, code(given)), S_END, C_END]).findings]
            self.assertEqual(found, [] if given == 1009 else ["close-answer"])

    def test_answers(self):
        for answer, fits in ANSWERS.items():
            with self.subTest(answer):
                self.assertEqual(rules(opened(OFFER, answer) + BYE), [] if fits else ["handshake"])
        self.assertEqual(rules([("client", REQUEST), opened()[1], *BYE]), ["handshake"])
        self.assertEqual(rules(opened("x, permessage-deflate; y, permessage-deflate") + BYE), [])
        self.assertEqual(rules(opened(OFFER + ", permessage-deflate") + BYE), [])
        self.assertEqual(
            rules(opened("permessage-deflate", "permessage-deflate; client_max_window_bits=9") + BYE), ["handshake"]
        )

    def test_terms(self):
        judged = judge(opened(OFFER, FITS + "; client_max_window_bits=8; client_no_context_takeover") + BYE)
        self.assertEqual(judged.agreed, deflate.Agreed(10, True, 8, True))
        self.assertEqual(judge(opened() + BYE).agreed, deflate.Agreed())
        judged = judge(GOOD["one context for all messages"])
        self.assertEqual((judged.sent.compressed, judged.received.compressed), (3, 3))

    def test_what_a_case_about_compression_must_show(self):
        plain, compressed = judge(opened() + BYE), judge(GOOD["one context for all messages"])
        with unittest.mock.patch.object(verdict, "MESSAGES", 3):
            self.assertEqual(verdict.compression_deviations("12.1.1", compressed), [])
            self.assertEqual(len(verdict.compression_deviations("12.1.1", plain)), 2)
            self.assertEqual(len(verdict.compression_deviations("1.1.1", compressed)), 1)
            self.assertEqual(len(verdict.compression_deviations("12.1.1", judge([("client", REQUEST), ("server", RESPONSE)]))), 1)
        self.assertEqual(len(verdict.compression_deviations("12.1.1", compressed)), 2)

    def test_a_small_window_is_loose_by_little_in_a_long_connection(self):
        inflater = deflate.Inflater(9, False)
        inflater.begin()
        for _ in range(deflate.EXACT // len(FILL) + 1):
            self.assertEqual(b"".join(inflater.feed(stored(FILL))), FILL)
            self.assertEqual(b"".join(inflater.end()), b"")
        far = back(18, 8, 64)  # 577
        with self.assertRaises(zlib.error):
            b"".join(inflater.feed(far))

    def test_offers(self):
        def faults(value):
            head = Head()
            head.feed(with_extensions(REQUEST, value))
            return deflate.offer_faults(head)

        for value in (OFFER, "permessage-deflate; client_max_window_bits, permessage-deflate"):
            self.assertEqual(faults(value), [])
        for value in ("permessage-deflate; server_max_window_bits", "permessage-deflate; x", "a b", "permessage-deflate;"):
            self.assertEqual(len(faults(value)), 1, value)
