"""Judges every byte that one end of a connection sends, knowing what the suite sent it before.

That end, the subject, is the server or the client; the suite is the other. The suite's bytes must be shown before they
are passed on, so that nothing the subject sends can come earlier here than its cause.
"""

import time

import deflate
import handshake
from stream import Close, Fault, Message, Ping, Pong, Stream, is_undefined

CLOSE_WITHIN = 5.0  # seconds for the subject to close TCP; far more than needed, the machine may be slow
BIGGEST = 16 * 1024 * 1024  # the largest message the subject may not refuse with 1009
SERVER, CLIENT = "server", "client"
# What a client asks of the suite beside the cases; it sends nothing back there.
QUESTIONS = ("/getCaseCount", "/updateReports")


class Judge:
    def __init__(self, subject=SERVER, clock=time.monotonic, close_within=CLOSE_WITHIN, biggest=BIGGEST):
        self.findings = []  # (rule, text)
        self.path = self.key = None
        self.agreed = None  # the terms of compression
        self.received = Stream(subject == SERVER, from_suite=True)  # received by the subject
        self.sent = Stream(subject == CLIENT, from_suite=False)  # sent by the subject
        self.received_bytes = self.sent_bytes = 0
        self.close_delay = 0.0  # seconds from the closing handshake to the end of TCP
        self._subject = subject
        self._clock, self._close_within, self._biggest = clock, close_within, biggest
        self._request, self._response = handshake.Head(), handshake.Head()
        self._fault = None  # the suite's first fault
        self._suite_close = None
        self._messages, self._echoed = [], 0
        self._pings, self._last_pong = [], None
        self._closing_since = None  # from here the subject owes the end of TCP
        self._suite_ended = self._subject_ended = False

    def find(self, rule, text):
        self.findings.append((rule, text))

    def client(self, data):
        """The client sent `data`."""
        self._count(CLIENT, data)
        if not self._request.complete:
            data = self._request.feed(data)
            if data is None:
                return
            self.path = self._request.start.split(" ")[1]
            self.key = "".join(self._request.all("sec-websocket-key"))
            if self._subject == CLIENT:
                for fault in handshake.request_faults(self._request):
                    self.find("handshake", fault)
        self._frames(CLIENT, data)

    def server(self, data):
        """The server sent `data`."""
        self._count(SERVER, data)
        if not self._response.complete:
            data = self._response.feed(data)
            if data is None:
                return
            if not self._request.complete:
                self.find("handshake", "an answer before the request was complete")
                return
            self._opened()
        self._frames(SERVER, data)

    def _count(self, end, data):
        if end == self._subject:
            self.sent_bytes += len(data)
        else:
            self.received_bytes += len(data)

    def _opened(self):
        self.agreed, faults = deflate.agreement(self._request, self._response)
        for fault in handshake.faults(self._request, self._response) + faults:
            self.find("handshake", fault)
        if agreed := self.agreed:
            server = deflate.Inflater(agreed.server_bits, agreed.server_alone)
            client = deflate.Inflater(agreed.client_bits, agreed.client_alone)
            ours, theirs = (server, client) if self._subject == SERVER else (client, server)
            self.sent.inflater, self.received.inflater = ours, theirs

    def _frames(self, end, data):
        if end == self._subject:
            for event in self.sent.feed(data):
                self._subject_event(event)
        else:
            for event in self.received.feed(data):
                if not (self._suite_close or self._fault):
                    self._suite_event(event)
        self._note_closing()

    def _suite_event(self, event):
        match event:
            case Fault():
                self._fault = event
            case Message():
                if not self.path.startswith(QUESTIONS):
                    self._messages.append(event)
            case Ping():
                self._pings.append(event.payload)
            case Close():
                self._suite_close = event

    def _subject_event(self, event):
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
            self.find("echo", f"message {at + 1} is not the {self._suite}'s: {message} for {self._messages[at]}")

    def _check_pong(self, payload):
        if payload not in self._pings:
            self.find("pong", f"a pong of {len(payload)} bytes, {payload[:20].hex()}…, answers no open ping")
            return
        # Answering a later ping answers those before it.
        self._pings = self._pings[self._pings.index(payload) + 1 :]
        self._last_pong = payload

    def _check_close(self, close):
        fault, asked = self._fault, self._suite_close
        if fault:
            if close.code != fault.code:
                self.find(
                    "close-answer", f"close code {close.code}, not {fault.code}, although the {self._suite} sent {fault.text}"
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
            self.find("close-unprovoked", f"close code {close.code}, though the {self._suite} did nothing wrong")

    def _note_closing(self):
        done = self.sent.close_seen and (self.received.close_seen or self._fault)
        if done and self._closing_since is None:
            self._closing_since = self._clock()

    @property
    def key_is_drawn(self):
        """Whether the key of the handshake is the subject's: the suite as a client has always the same."""
        return self._subject == CLIENT and self.key is not None

    @property
    def owes_end(self):
        """The closing handshake is over: it is for the server to end TCP, and before the client does."""
        return self._subject == SERVER and self._closing_since is not None and not self._subject_ended

    def suite_end(self):
        """The subject is told that the suite's half of the TCP connection has ended."""
        self._suite_ended = True
        if self._subject == CLIENT and self._closing_since is not None:
            self._closing_since = self._clock()  # a client may wait for this

    def subject_end(self, reset=False):
        """The subject's half of the TCP connection ended: in order, or by a reset."""
        self._subject_ended = True
        head = self._request if self._subject == CLIENT else self._response
        if not head.complete:
            self.find("handshake", f"ended after {head.raw!r}")
            return
        if reset and not self._suite_ended:
            # A reset may destroy what was sent just before it, the close frame included.
            self.find("reset", f"the {self._subject} reset TCP instead of closing it")
        if self._fault and not self.sent.close_seen:
            self.find("close-missing", f"no close frame, although the {self._suite} sent {self._fault.text}")
        elif self._suite_close and not self.sent.close_seen:
            self.find("close-missing", f"no close frame in answer to the {self._suite}'s")
        elif not self.sent.close_seen and not self._suite_ended:
            self.find("close-missing", f"the {self._subject} ended TCP without a close frame")
        if self._closing_since is not None:
            self.close_delay = self._clock() - self._closing_since
            if self.close_delay > self._close_within:
                self.find("tcp-close", f"the {self._subject} ended TCP {self.close_delay:.1f} s after that was due")

    def stuck(self):
        """The suite has long ended, and the subject still holds TCP open."""
        self.find("tcp-close", f"the {self._subject} did not end TCP within {self._close_within:.1f} s of the {self._suite}")

    @property
    def _suite(self):
        return CLIENT if self._subject == SERVER else SERVER
