"""Cuts a byte stream into WebSocket frames (RFC 6455 section 5.2) and judges nothing."""

from dataclasses import dataclass

FIRST, SECOND, LENGTH, MASK, DATA, END = "first byte", "second byte", "length", "mask", "data", "end"


@dataclass(slots=True)
class Header:
    fin: bool
    rsv: int
    opcode: int
    masked: bool = False
    length: int = 0  # until the length is read, the seven bits of the second byte
    minimal: bool = True  # the length is written in as few bytes as it can be
    mask: bytes = b""


def unmask(piece, mask, offset):
    """Unmasks a piece that starts `offset` bytes into its payload."""
    turn = offset % 4
    key = (mask[turn:] + mask[:turn]) * (len(piece) // 4 + 1)
    # One big integer instead of a loop over bytes: the run moves hundreds of megabytes.
    plain = int.from_bytes(piece, "little") ^ int.from_bytes(key[: len(piece)], "little")
    return plain.to_bytes(len(piece), "little")


class FrameReader:
    """Feed it pieces of a stream; it yields (FIRST, header), (SECOND, header), (LENGTH, header),
    (MASK, header), (DATA, bytes)…, (END, header) for each frame.

    In steps, because an endpoint may refuse a frame on the first byte that makes it wrong: whoever
    judges its answer must know of that byte before the header is complete.
    """

    def __init__(self):
        self._header = None
        self._stage, self._need = FIRST, 1
        self._rest = b""  # too few bytes for the stage
        self._done = 0  # payload bytes of the frame handed out so far

    def feed(self, data):
        data, at = self._rest + data, 0
        self._rest = b""
        while True:
            stage = self._stage
            if stage == DATA:
                header = self._header
                piece = data[at : at + header.length - self._done]
                if piece:
                    at += len(piece)
                    offset, self._done = self._done, self._done + len(piece)
                    yield DATA, unmask(piece, header.mask, offset) if header.masked else piece
                if self._done < header.length:
                    return
                self._stage, self._need = FIRST, 1
                yield END, header
                continue
            piece = data[at : at + self._need]
            if len(piece) < self._need:
                self._rest = piece
                return
            at += len(piece)
            self._advance(piece)
            yield stage, self._header

    def _advance(self, piece):
        header = self._header
        if self._stage == FIRST:
            byte = piece[0]
            self._header = Header(bool(byte & 0x80), byte >> 4 & 7, byte & 15)
            self._stage, self._need = SECOND, 1
        elif self._stage == SECOND:
            header.masked, header.length = bool(piece[0] & 0x80), piece[0] & 0x7F
            self._stage, self._need = LENGTH, {126: 2, 127: 8}.get(header.length, 0)
        elif self._stage == LENGTH:
            if piece:
                header.length = int.from_bytes(piece, "big")
                header.minimal = header.length >= (126 if len(piece) == 2 else 65536)
            self._stage, self._need = MASK, 4 if header.masked else 0
        else:
            header.mask = piece
            self._stage, self._done = DATA, 0
