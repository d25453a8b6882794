"""One direction of a WebSocket connection held against RFC 6455.

The same rules serve both directions. What breaks one is a `Fault`: from the server it is a finding,
from the client it is what the server must answer, with the close code the fault carries.
"""

import hashlib
import zlib
from collections import Counter
from dataclasses import dataclass

from frames import DATA, END, FIRST, LENGTH, MASK, SECOND, FrameReader
from utf8 import Utf8

CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG = 0, 1, 2, 8, 9, 10
PROTOCOL_ERROR, BAD_DATA, TOO_BIG = 1002, 1007, 1009
COMPRESSED = 4  # the first reserved bit (RFC 7692 section 6)
PLAIN_MAX = 64 * 1024 * 1024  # bytes of a compressed message made plain; four times what the suite sends


@dataclass(slots=True)
class Fault:
    rule: str
    text: str
    code: int = PROTOCOL_ERROR


@dataclass(slots=True)
class Message:
    opcode: int
    length: int
    digest: str  # the run's messages are too big to keep


@dataclass(slots=True)
class Ping:
    payload: bytes


@dataclass(slots=True)
class Pong:
    payload: bytes


@dataclass(slots=True)
class Close:
    code: int | None
    reason: bytes


def may_be_sent(code):
    return 1000 <= code <= 1003 or 1007 <= code <= 1014 or 3000 <= code <= 4999


def is_undefined(code):
    """Codes above every range that RFC 6455 and its registry define."""
    return code >= 5000


class Stream:
    def __init__(self, from_client, from_suite):
        self.from_client, self.from_suite = from_client, from_suite
        self.inflater = None  # set when the handshake has agreed on compression
        self.compressed = 0  # messages that came compressed
        self.opcodes = Counter()  # frames, counted when they begin
        self.close_seen = False  # a close frame of any kind, even after a fault
        self.biggest = 0  # bytes of one message: announced, or inflated
        self._frames = FrameReader()
        self._broken = False
        self._closed = False
        self._control = b""
        self._message = None  # opcode of the message under way
        self._inflating = False  # whether it is compressed
        self._mask = None  # of the frame before
        self._length = 0
        self._announced = 0
        self._digest = None
        self._utf8 = None

    def feed(self, data):
        """Yields Message, Ping, Pong, Close and at most one Fault; the stream is not judged beyond it."""
        for kind, value in self._frames.feed(data):
            if kind == FIRST:
                self.opcodes[value.opcode] += 1
            elif kind == END:
                self.close_seen |= value.opcode == CLOSE
            if self._broken:
                continue
            event = self._on(kind, value)
            self._broken = isinstance(event, Fault)
            if event is not None:
                yield event

    def _on(self, kind, value):
        if kind == FIRST:
            self._header = value
            return self._first(value)
        if kind == SECOND:
            return self._second(value)
        if kind == LENGTH:
            return self._start(value)
        if kind == MASK:
            return self._keyed(value) if value.masked and not self.from_suite else None
        control = self._header.opcode >= CLOSE
        if kind == DATA:
            return self._take_control(value) if control else self._take(value)
        return self._control_end(value) if control else self._end(value)

    def _first(self, head):
        if self._closed:
            return Fault("after-close", f"a frame with opcode {head.opcode} after the close frame")
        begins = head.opcode in (TEXT, BINARY)
        if head.rsv & ~(COMPRESSED if self.inflater and begins else 0):
            return Fault("rsv", f"reserved bits {head.rsv:03b} in a frame with opcode {head.opcode}")
        if head.opcode not in (CONTINUATION, TEXT, BINARY, CLOSE, PING, PONG):
            return Fault("opcode", f"reserved opcode {head.opcode}")
        if head.opcode >= CLOSE and not head.fin:
            return Fault("control-fragment", f"control frame {head.opcode} without FIN")
        if head.opcode == CONTINUATION and self._message is None:
            return Fault("continuation", "a continuation frame without a message to continue")
        if begins and self._message is not None:
            return Fault("continuation", f"opcode {head.opcode} inside an unfinished message")

    def _second(self, head):
        if head.masked != self.from_client:
            return Fault("mask", "an unmasked frame" if self.from_client else "a masked frame")
        if head.opcode >= CLOSE and head.length > 125:
            return Fault("control-length", f"control frame {head.opcode} of more than 125 bytes")

    def _start(self, head):
        if not head.minimal or head.length >> 63:
            return Fault("length", f"length {head.length} is not in its shortest form, or has its top bit set")
        if head.opcode >= CLOSE:
            self._control = b""
            return
        if head.opcode != CONTINUATION:
            self._message, self._length, self._announced = head.opcode, 0, 0
            self._digest = hashlib.sha1()
            self._utf8 = Utf8() if head.opcode == TEXT else None
            self._inflating = bool(head.rsv)
            if self._inflating:
                self.compressed += 1
                self.inflater.begin()
        if self._inflating:
            return
        self._announced += head.length
        self.biggest = max(self.biggest, self._announced)

    def _keyed(self, head):
        # Drawn anew for each frame (section 10.3); that two in a row are alike by chance is not to be expected.
        self._mask, before = head.mask, self._mask
        if head.mask == before:
            return Fault("mask-key", f"two frames in a row masked with {head.mask.hex()}")

    def _take_control(self, data):
        self._control += data

    def _take(self, data):
        return self._inflate(self.inflater.feed(data)) if self._inflating else self._plain(data)

    def _inflate(self, pieces):
        try:
            for piece in pieces:
                if fault := self._plain(piece):
                    return fault
                self.biggest = max(self.biggest, self._length)
                if self._length > PLAIN_MAX:
                    return Fault("inflated-length", f"a message that inflates to more than {PLAIN_MAX} bytes", TOO_BIG)
        except zlib.error as error:
            return Fault("deflate", f"after {self._length} bytes of a compressed message: {error}", BAD_DATA)

    def _plain(self, data):
        start = self._length
        self._length += len(data)
        self._digest.update(data)
        if self._utf8 and not self._utf8.feed(data):
            return Fault("utf8", f"text is not UTF-8 within bytes {start} to {self._length}", BAD_DATA)

    def _end(self, head):
        if not head.fin:
            return
        if self._inflating and (fault := self._inflate(self.inflater.end())):
            return fault
        opcode, self._message = self._message, None
        if self._utf8 and not self._utf8.complete():
            return Fault("utf8", f"text ends inside a character after {self._length} bytes", BAD_DATA)
        return Message(opcode, self._length, self._digest.hexdigest())

    def _control_end(self, head):
        payload = self._control
        if head.opcode != CLOSE:
            return (Ping if head.opcode == PING else Pong)(payload)
        if len(payload) == 1:
            return Fault("close-length", "a close frame of one byte")
        code, reason = int.from_bytes(payload[:2], "big") if payload else None, payload[2:]
        if code is not None and not may_be_sent(code):
            # Nobody has business with an undefined code; what is to be done with one that comes is open.
            if not (self.from_suite and is_undefined(code)):
                return Fault("close-code", f"close code {code}")
        text = Utf8()
        if not (text.feed(reason) and text.complete()):
            return Fault("close-reason", f"the close reason is not UTF-8: {reason.hex()}", BAD_DATA)
        self._closed = True
        return Close(code, reason)
