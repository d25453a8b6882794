"""python-socketio with serializer='msgpack': client.py URL TRANSPORT...; it ends with 0 if all was as it should be."""

import faulthandler
import sys
import threading

import socketio

LIMIT_SECONDS = 10
VALUES = [
    None, True, False, 0, -1, 127, 128, 2**16, 2**32, 2**64 - 1, -(2**63), 0.1, 1.0, -2.5e300, "", "x" * 31, "x" * 65536, "€ 😀",
    [], list(range(20)), {}, {"a": [{"b": None}]}, {str(n): n for n in range(20)}, b"", b"\x00\xff", b"x" * 65536,
    {"deep": [b"1", {"deeper": b"2"}]},
]


def main(url, transports):
    client = socketio.Client(serializer="msgpack", reconnection=False)
    heard, arrived = [], threading.Condition()

    def hear(name, *args):
        with arrived:
            heard.append((name, *args))
            arrived.notify_all()

    def expect(name):
        with arrived:
            assert arrived.wait_for(lambda: any(event[0] == name for event in heard), LIMIT_SECONDS), name
            at = next(at for at, event in enumerate(heard) if event[0] == name)
            return heard.pop(at)[1:]

    client.on("*", hear)
    client.on("question", lambda *args: (*args, "answer"))
    client.on("connect_error", lambda data: hear("refused", data), namespace="/admin")
    client.on("connect", lambda: hear("admin"), namespace="/admin")

    client.connect(url, transports=transports, namespaces=["/"])
    assert "sid" in expect("welcome")[0]
    for value in VALUES:
        answer = client.call("echo", (value,), timeout=LIMIT_SECONDS)
        assert answer == value and type(answer) is type(value), (value, answer)
        client.emit("echo", (value,))
        assert expect("echo") == (value,), value
    # What has no form in JSON has the nearest one.
    assert client.call("echo", {1: float("nan"), None: 2, 2.5: 3}, timeout=LIMIT_SECONDS) == {"1": None, "null": 2, "2.5": 3}
    assert client.call("ask", b"why", timeout=LIMIT_SECONDS) == {"ok": True}
    assert expect("answered") == (b"why", "answer")
    assert client.transport() == transports[-1], client.transport()
    client.disconnect()

    other = socketio.Client(serializer="msgpack", reconnection=False)
    refusals = []
    other.on("connect_error", refusals.append, namespace="/admin")
    try:
        other.connect(url, transports=transports, namespaces=["/admin"], auth={"token": "wrong"})
        raise AssertionError("not refused")
    except socketio.exceptions.ConnectionError:
        assert refusals == [{"message": "not authorized", "data": {"code": 401}}], refusals
    admin = socketio.Client(serializer="msgpack", reconnection=False)
    admin.connect(url, transports=transports, namespaces=["/admin"], auth={"token": "secret"})
    assert admin.call("stats", namespace="/admin", timeout=LIMIT_SECONDS)["connections"] >= 1
    admin.disconnect()


# Where it hangs. A client that is refused while its POST is not answered sends no close packet, and waits for the answer to its
# GET: for a heartbeat of the server, which has 25 s between them.
faulthandler.dump_traceback_later(60, exit=True)
main(sys.argv[1], sys.argv[2:])
