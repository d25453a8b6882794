"""What every client has to go through, in each of its modes."""

import asyncio

import socketio

from server import ADMIN_TOKEN

OK = {"ok": True}
VALUES = [
    "", "€ 😀 \"\\", "line\u2028end", "\0\b\t\n", '42["echo"]', True, False, 0, -1, 2**53, 0.1, -1.5e-7,
    [], [[1, [2]]], {}, {"": ""}, {"ключ €😀": {"deep": [None, True, -0.5]}},
]


async def connect(scene):
    """connects, and ends on the transport that it should"""
    peer = await scene.join()
    assert peer.transport() == scene.kind.upgraded, peer.transport()
    assert peer.welcome["resumed"] is False and len(peer.welcome["sid"]) >= 8
    if scene.kind.major == 5:
        assert peer.client.get_sid() == peer.welcome["sid"]


async def events(scene):
    """events of every JSON kind come back"""
    peer = await scene.join()
    for value in VALUES:
        await peer.emit("echo", value)
        await peer.expect("echo", value)
    await peer.emit("echo")
    await peer.expect("echo")
    await peer.emit("echo", *VALUES)
    await peer.expect("echo", *VALUES)


async def long_event(scene):
    """an event of 200 kB"""
    peer = await scene.join()
    text = "€😀ü\"" * 20_000
    await peer.emit("echo", text)
    await peer.expect("echo", text)


async def burst(scene):
    """300 events in order"""
    peer = await scene.join()
    for number in range(300):
        await peer.emit("echo", number)
    for number in range(300):
        await peer.expect("echo", number)


async def publish_burst(scene):
    """300 events from another, in order"""
    peer, other = await scene.join(), await scene.join()
    assert await peer.call("subscribe", "numbers") == OK
    for number in range(300):
        await other.emit("publish", "numbers", "news", number)
    for number in range(300):
        await peer.expect("news", number)


async def acks(scene):
    """acks from the server"""
    peer = await scene.join()
    for value in VALUES:
        assert await peer.call("echo", value) == value
    assert tuple(await peer.call("echo", 1, "two", [3])) == (1, "two", [3])
    assert await peer.call("no such event", 1) == {"ok": False, "error": "unknown event"}


async def questions(scene):
    """acks to the server"""
    peer = await scene.join()
    for answer, heard in [("yes", ("yes",)), (("a", {"n": 1}), ("a", {"n": 1})), (7, (7,))]:
        peer.answer = answer
        await peer.emit("ask", "there?", [1])
        await peer.expect("question", "there?", [1])
        await peer.expect("answered", *heard)


async def attachments(scene):
    """attachments, in events and in acks"""
    peer = await scene.join()
    for value in [b"\1\2\3", bytes(range(256)), {"file": b"\x1e\xff", "name": "€"}, [b"1", [b"2", {"deep": b"3"}]]]:
        await peer.emit("echo", value)
        await peer.expect("echo", value)
        assert await peer.call("echo", value) == value
    await peer.emit("echo", b"1", "and text", b"2")
    await peer.expect("echo", b"1", "and text", b"2")
    await peer.emit("echo", "text again")
    await peer.expect("echo", "text again")
    peer.answer = b"answer"
    await peer.emit("ask", b"?")
    await peer.expect("question", b"?")
    await peer.expect("answered", b"answer")


async def long_attachment(scene):
    """an attachment of 200 kB"""
    peer = await scene.join()
    data = bytes(index * 7 % 256 for index in range(200_000))
    await peer.emit("echo", data)
    await peer.expect("echo", data)


async def attachments_in_order(scene):
    """text and attachments in order"""
    peer = await scene.join()
    for number in range(60):
        await peer.emit("echo", *((number, bytes([number])) if number % 3 == 0 else (number,)))
    for number in range(60):
        await peer.expect("echo", *((number, bytes([number])) if number % 3 == 0 else (number,)))


async def rooms(scene):
    """who is in a room hears what is said there"""
    ann, bob, eve = [await scene.join() for _ in range(3)]
    for peer, name, room in [(ann, "ann", "r"), (bob, "bob", "r"), (eve, "eve", "elsewhere")]:
        assert await peer.call("enter", {"name": name, "room": room}) == {"ok": True, "user": name, "room": room}
    assert await ann.call("say", "hello €") == OK
    for peer in (ann, bob):
        await peer.expect("said", {"from": "ann", "room": "r", "text": "hello €"})
    assert await bob.call("whisper", {"to": "eve", "text": "psst"}) == {"ok": True, "devices": 1}
    # What eve hears first is the whisper.
    await eve.expect("whispered", {"from": "bob", "to": "eve", "text": "psst"})
    assert await bob.call("leave") == OK
    assert await ann.call("say", "alone") == OK
    await ann.expect("said", {"from": "ann", "room": "r", "text": "alone"})


async def topics(scene):
    """what is published reaches the other subscribers"""
    a, b = await scene.join(), await scene.join()
    for peer in (a, b):
        assert await peer.call("subscribe", "t") == OK
    assert await a.call("publish", "t", "news", 1, "€") == {"ok": True, "receivers": 1}
    await b.expect("news", 1, "€")
    assert await b.call("unsubscribe", "t") == OK
    assert await a.call("publish", "t", "news", 2) == {"ok": True, "receivers": 0}


async def disconnect(scene):
    """a client that disconnects has left, and may come again"""
    watcher, peer = await scene.join(), await scene.join()
    assert (await watcher.call("enter", {"name": "watcher", "room": "leaving"}))["ok"]
    name, snapshot = await watcher.presence()
    assert (name, [member["user"] for member in snapshot["members"]]) == ("presence", ["watcher"])
    assert (await peer.call("enter", {"name": "leaver", "room": "leaving"}))["ok"]
    assert await next_change(watcher) == ("leaver", "arrived")
    await peer.disconnect()
    if scene.kind.major == 5:
        await peer.disconnected()
    # These clients drop what they have queued when they disconnect, mostly the DISCONNECT too: all that the server gets is a
    # close frame, as from a page that is reloaded.
    change = await next_change(watcher)
    if change == ("leaver", "away"):
        change = await next_change(watcher)
    assert change == ("leaver", "left"), change
    again = await scene.join()
    assert again.welcome["sid"] != peer.welcome["sid"]


async def next_change(peer):
    name, data = await peer.presence()
    assert name == "presence_diff" and len(data["changes"]) == 1, (name, data)
    return data["changes"][0]["user"], data["changes"][0]["change"]


async def bye(scene):
    """the server disconnects a client"""
    peer = await scene.join()
    await peer.emit("bye")
    await peer.disconnected()


async def goodbye(scene):
    """the server disconnects a client and closes the transport"""
    peer = await scene.join()
    await peer.emit("goodbye")
    await peer.disconnected()


async def refusal(scene, peer, auth):
    """What a client of version 5 is told that is not let in."""
    connecting = asyncio.create_task(peer.connect(scene.server.url, auth))
    _, namespace, data = await peer.refused()
    if scene.kind.mode == "polling":
        # If the refusal is read before the answer to the POST that it is for, this client forgets to send its close packet
        # and then waits for its own GET, until the next ping.
        connecting.cancel()
    else:
        try:
            await connecting
        except socketio.exceptions.ConnectionError:
            return namespace, data
        raise AssertionError("let in")
    return namespace, data


async def admin(scene):
    """a namespace that asks for a token"""
    if scene.kind.major == 4:
        # A client of protocol 4 can say its token in the name alone, and does not know the answer then.
        peer = scene.peer(namespaces=["/", "/admin"])
        await peer.connect(scene.server.url)
        await peer.expect_name("welcome")
        lives = [await peer.refused() for _ in range(2)]
        assert ("refused", "/admin", {"code": 401}) in lives, lives
        assert await peer.call("echo", "not my fault") == "not my fault"
        return
    peer = scene.peer(namespaces=["/admin"])
    await peer.connect(scene.server.url, auth={"token": ADMIN_TOKEN})
    await peer.connected("/admin")
    assert await peer.call("echo", "€", namespace="/admin") == "€"
    await peer.emit("echo", b"1", namespace="/admin")
    await peer.expect("echo", b"1", namespace="/admin")
    assert sorted(await peer.call("stats", namespace="/admin")) == ["connections", "rooms", "sockets", "users"]

    stranger = scene.peer(namespaces=["/admin"])
    assert await refusal(scene, stranger, {"token": "wrong"}) == ("/admin", {"message": "not authorized", "data": {"code": 401}})


async def two_namespaces(scene):
    """two namespaces over one transport"""
    peer = scene.peer(namespaces=["/", "/admin"])
    await peer.connect(scene.server.url, auth={"token": ADMIN_TOKEN})
    assert sorted([await peer._next("life", "connect") for _ in range(2)]) == [("connect", "/"), ("connect", "/admin")]
    await peer.expect_name("welcome")
    await peer.emit("echo", "main")
    await peer.emit("echo", "admin", namespace="/admin")
    await peer.expect("echo", "main")
    await peer.expect("echo", "admin", namespace="/admin")


async def unknown_namespace(scene):
    """a namespace that there is not"""
    if scene.kind.major == 4:
        peer = scene.peer(namespaces=["/", "/nope"])
        await peer.connect(scene.server.url)
        await peer.expect_name("welcome")
        lives = [await peer.refused() for _ in range(2)]
        assert ("refused", "/nope", "Invalid namespace") in lives, lives
        return
    peer = scene.peer(namespaces=["/nope"])
    assert await refusal(scene, peer, None) == ("/nope", {"message": "Invalid namespace"})


async def takeover(scene):
    """a session moves to a new connection by its token"""
    peer = await scene.join()
    assert (await peer.call("enter", {"name": "mover", "room": "moving"}))["ok"]
    successor = await scene.join(auth={"token": peer.welcome["token"]})
    assert successor.welcome["resumed"] is True and successor.welcome["sid"] == peer.welcome["sid"], successor.welcome
    assert successor.welcome["user"] == "mover" and successor.welcome["room"] == "moving"
    await peer.disconnected()
    assert await successor.call("say", "moved") == OK
    await successor.expect("said", {"from": "mover", "room": "moving", "text": "moved"})


async def reconnect(scene):
    """reconnects by itself to a restarted server"""
    peer = await scene.join(reconnection=True)
    await scene.server.restart()
    await peer.disconnected()
    while (life := await peer._next("life", "connect"))[0] != "connect":
        assert life[0] in ("refused", "disconnect"), life
    await peer.expect_name("welcome")
    assert await peer.call("echo", "back") == "back"


async def at_once(scene):
    """20 clients at once"""
    peers = await asyncio.gather(*(scene.join() for _ in range(20)))
    answers = await asyncio.gather(*(peer.call("echo", number) for number, peer in enumerate(peers)))
    assert answers == list(range(20))


# A client of protocol 4 has no way to hand in a token.
ONLY_FIVE = {two_namespaces, takeover}

# The last one restarts the server.
ALL = [
    connect, events, long_event, burst, publish_burst, acks, questions, attachments, long_attachment, attachments_in_order,
    rooms, topics, disconnect, bye, goodbye, admin, two_namespaces, unknown_namespace, takeover, at_once, reconnect,
]
