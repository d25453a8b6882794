"""UTF-8 judged byte by byte, so that an error is known at the first byte that cannot be right."""

import codecs


class Utf8:
    def __init__(self):
        self._decoder = codecs.getincrementaldecoder("utf-8")()

    def feed(self, data):
        """False as soon as no continuation could make the bytes so far valid."""
        try:
            self._decoder.decode(data)
        except UnicodeDecodeError:
            return False
        # Python holds back the first two bytes of an encoded surrogate (ED A0 … ED BF) until the
        # third has come, though nothing can make them right.
        held = self._decoder.getstate()[0]
        return not (len(held) >= 2 and held[0] == 0xED and held[1] >= 0xA0)

    def complete(self):
        """Whether the text may end here."""
        return not self._decoder.getstate()[0]
