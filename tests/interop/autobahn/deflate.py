"""permessage-deflate (RFC 7692): what a handshake agrees on, and compressed messages made plain again."""

import re
import zlib
from dataclasses import dataclass

NAME = "permessage-deflate"
TAIL = b"\x00\x00\xff\xff"  # what a sender cuts off the end of each message (section 7.2.1)
EXACT = 256 * 1024  # plain bytes of a connection in which a small window is held to the byte
TOKEN = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
PARAM = re.compile(rf'\s*;\s*({TOKEN})(?:\s*=\s*(?:({TOKEN})|"({TOKEN})"))?')
BITS = {str(bits): bits for bits in range(8, 16)}


@dataclass(frozen=True, slots=True)
class Agreed:
    """For each end the bits of its window, and whether its messages stand each alone."""

    server_bits: int = 15
    server_alone: bool = False
    client_bits: int = 15
    client_alone: bool = False


def parse(values):
    """The extensions of the header's values: (name, parameters) each; a ValueError if one breaks the grammar."""
    extensions = []
    for value in values:
        rest = value.strip()
        while rest:
            name = re.match(TOKEN, rest)
            if not name:
                raise ValueError(f"extensions {value!r}")
            rest, params = rest[name.end() :], []
            while param := PARAM.match(rest):
                params.append((param[1], param[2] or param[3]))
                rest = rest[param.end() :]
            extensions.append((name[0], params))
            rest = rest.strip()
            if rest and not rest.startswith(","):
                raise ValueError(f"extensions {value!r}")
            rest = rest[1:].strip()
    return extensions


def wrong_params(params, is_answer):
    """What is wrong with the parameters of one offer or answer (section 7.1)."""
    names = [name for name, _ in params]
    wrong = [f"{name} twice" for name in set(names) if names.count(name) > 1]
    for name, value in params:
        match name:
            case "server_no_context_takeover" | "client_no_context_takeover":
                fits = value is None
            case "server_max_window_bits":
                fits = value in BITS
            case "client_max_window_bits":
                fits = value in BITS or (value is None and not is_answer)
            case _:
                fits = False
        if not fits:
            wrong.append(f"{name}={value}")
    return wrong


def keeps_to(answer, offer):
    """Whether `answer` is one that the client of `offer` must be able to take."""
    for name in ("server_no_context_takeover", "server_max_window_bits"):
        if name in offer and name not in answer:
            return False
    if BITS[answer.get("server_max_window_bits", "8")] > BITS[offer.get("server_max_window_bits", "15")]:
        return False
    if "client_max_window_bits" in answer:
        if "client_max_window_bits" not in offer:
            return False
        return BITS[answer["client_max_window_bits"]] <= BITS[offer["client_max_window_bits"] or "15"]
    return True


def offer_faults(request):
    """Everything wrong with the extensions that a client offers."""
    try:
        offers = parse(request.all("sec-websocket-extensions"))
    except ValueError as error:
        return [str(error)]
    return [f"{name} offered with {wrong}" for name, params in offers for wrong in wrong_params(params, False)]


def agreement(request, response):
    """(what was agreed on or None, everything wrong with how the server chose)."""
    try:
        offers = parse(request.all("sec-websocket-extensions"))
        chosen = parse(response.all("sec-websocket-extensions"))
    except ValueError as error:
        return None, [str(error)]
    offers = [dict(params) for name, params in offers if name == NAME and not wrong_params(params, False)]
    if not chosen:
        return None, []
    (name, params), *more = chosen
    if more or name != NAME:
        return None, [f"extensions {chosen}"]
    if wrong := wrong_params(params, True):
        return None, [f"{name} chosen with {', '.join(wrong)}"]
    answer = dict(params)
    if not any(keeps_to(answer, offer) for offer in offers):
        return None, [f"{NAME} {answer} answers none of the offers {offers}"]
    return Agreed(
        BITS[answer.get("server_max_window_bits", "15")],
        "server_no_context_takeover" in answer,
        BITS[answer.get("client_max_window_bits", "15")],
        "client_no_context_takeover" in answer,
    ), []


class Inflater:
    """Makes the messages of one end plain, in pieces of bounded size; zlib.error where they are not what was agreed on."""

    def __init__(self, bits, alone):
        self._bits, self._alone = bits, alone
        self._zlib = None
        self._plain = 0

    def begin(self):
        if self._alone or self._zlib is None:
            self._zlib = zlib.decompressobj(-self._bits)

    def feed(self, data):
        if self._bits == 15:  # further back than this nothing can refer
            yield from self._pieces(data, 1 << 20)
            return
        # zlib lets data refer to all that it wrote in one call, whatever the window is. So its window is exact only
        # when it is called for each byte, which is done for so long; then it is loose by 64 bytes.
        for at in range(0, len(data), 256):
            plain = bytearray()
            try:
                for piece in self._pieces(data[at : at + 256], 1 if self._plain < EXACT else 64):
                    plain += piece
            finally:
                if plain:
                    yield bytes(plain)

    def end(self):
        return self.feed(TAIL)

    def _pieces(self, data, most):
        while True:
            piece = self._zlib.decompress(data, most)
            data = self._zlib.unconsumed_tail
            self._plain += len(piece)
            if piece:
                yield piece
            if self._zlib.eof:
                # The RFC allows it to a sender; the ends of these runs have no reason for it.
                raise zlib.error("a final block")
            if not data and len(piece) < most:
                return
