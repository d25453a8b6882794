"""Judges every byte a server sends on one connection, knowing what the client sent before it.

The client's bytes must be shown before they are passed on, so that nothing the server sends can come
earlier here than its cause.
"""

import time

import handshake
from stream import Close, Fault, Message, Ping, Pong, Stream, is_undefined

CLOSE_WITHIN = 5.0  # seconds for the server to close TCP; far more than needed, the machine may be slow
BIGGEST = 16 * 1024 * 1024  # the largest message a server may not refuse with 1009


class Judge:
    def __init__(self, clock=time.monotonic, close_within=CLOSE_WITHIN, biggest=BIGGEST):
        self.findings = []  # (rule, text)
        self.path = None
        self.received = Stream(from_client=True)  # received by the server
        self.sent = Stream(from_client=False)  # sent by the server
        self.received_bytes = self.sent_bytes = 0
        self.close_delay = 0.0  # seconds from the closing handshake to the end of TCP
        self._clock, self._close_within, self._biggest = clock, close_within, biggest
        self._request, self._response = handshake.Head(), handshake.Head()
        self._fault = None  # the client's first fault
        self._client_close = None
        self._messages, self._echoed = [], 0
        self._pings, self._last_pong = [], None
        self._closing_since = None  # from here the server owes the end of TCP
        self._client_ended = self._server_ended = False

    def find(self, rule, text):
        self.findings.append((rule, text))

    def client(self, data):
        """The client sent `data`."""
        self.received_bytes += len(data)
        if not self._request.complete:
            data = self._request.feed(data)
            if data is None:
                return
            self.path = self._request.start.split(" ")[1]
        for event in self.received.feed(data):
            if not (self._client_close or self._fault):
                self._client_event(event)
        self._note_closing()

    def _client_event(self, event):
        match event:
            case Fault():
                self._fault = event
            case Message():
                self._messages.append(event)
            case Ping():
                self._pings.append(event.payload)
            case Close():
                self._client_close = event

    def server(self, data):
        """The server sent `data`."""
        self.sent_bytes += len(data)
        if not self._response.complete:
            data = self._response.feed(data)
            if data is None:
                return
            if not self._request.complete:
                self.find("handshake", "an answer before the request was complete")
                return
            for fault in handshake.faults(self._request, self._response):
                self.find("handshake", fault)
        for event in self.sent.feed(data):
            self._server_event(event)
        self._note_closing()

    def _server_event(self, event):
        match event:
            case Fault():
                self.find(event.rule, event.text)
            case Message():
                self._check_echo(event)
            case Ping():
                self.find("echo", "a ping nobody asked for")
            case Pong():
                self._check_pong(event.payload)
            case Close():
                self._check_close(event)

    def _check_echo(self, message):
        at, self._echoed = self._echoed, self._echoed + 1
        if at >= len(self._messages):
            self.find("echo", f"message {at + 1} of {message.length} bytes answers nothing")
        elif self._messages[at] != message:
            self.find("echo", f"message {at + 1} is not the client's: {message} for {self._messages[at]}")

    def _check_pong(self, payload):
        if payload not in self._pings:
            self.find("pong", f"a pong of {len(payload)} bytes, {payload[:20].hex()}…, answers no open ping")
            return
        # Answering a later ping answers those before it.
        self._pings = self._pings[self._pings.index(payload) + 1 :]
        self._last_pong = payload

    def _check_close(self, close):
        fault, asked = self._fault, self._client_close
        if fault:
            if close.code != fault.code:
                self.find(
                    "close-answer", f"close code {close.code}, not {fault.code}, although the client sent {fault.text}"
                )
        elif asked:
            fitting = {asked.code, 1000, None} | ({1002} if asked.code and is_undefined(asked.code) else set())
            if close.code not in fitting:
                self.find("close-answer", f"close code {close.code} in answer to an orderly close with {asked.code}")
            if self._pings and self._pings[-1] != self._last_pong:
                self.find("pong", f"{len(self._pings)} pings before the close were never answered")
            if self._echoed < len(self._messages):
                self.find("echo", f"{len(self._messages) - self._echoed} messages before the close were never echoed")
        elif not (close.code == 1009 and self.received.biggest > self._biggest):
            self.find("close-unprovoked", f"close code {close.code}, though the client did nothing wrong")

    def _note_closing(self):
        done = self.sent.close_seen and (self.received.close_seen or self._fault)
        if done and self._closing_since is None:
            self._closing_since = self._clock()

    @property
    def server_owes_end(self):
        """The closing handshake is over: it is for the server to end TCP, and before the client does."""
        return self._closing_since is not None and not self._server_ended

    def client_end(self):
        """The server is told that the client's half of the TCP connection has ended."""
        self._client_ended = True

    def server_end(self, reset=False):
        """The server's half of the TCP connection ended: in order, or by a reset."""
        self._server_ended = True
        if not self._response.complete:
            self.find("handshake", f"ended after {self._response.raw!r}")
            return
        if reset and not self._client_ended:
            # A reset may destroy what was sent just before it, the close frame included.
            self.find("reset", "the server reset TCP instead of closing it")
        if self._fault and not self.sent.close_seen:
            self.find("close-missing", f"no close frame, although the client sent {self._fault.text}")
        elif self._client_close and not self.sent.close_seen:
            self.find("close-missing", "no close frame in answer to the client's")
        elif not self.sent.close_seen and not self._client_ended:
            self.find("close-missing", "the server ended TCP without a close frame")
        if self._closing_since is not None:
            self.close_delay = self._clock() - self._closing_since
            if self.close_delay > self._close_within:
                self.find("tcp-close", f"the server ended TCP {self.close_delay:.1f} s after the closing handshake")

    def server_stuck(self):
        """The client has long ended, and the server still holds TCP open."""
        self.find("tcp-close", f"the server did not end TCP within {self._close_within:.1f} s of the client")
