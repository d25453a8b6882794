//! What can happen.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;

/// A step. Numbers of clients and sockets are taken modulo how many there were so far, so that those which are gone are
/// named too.
#[derive(Clone, Debug)]
pub enum Transition {
    /// A session opens, on a WebSocket or on long polling.
    Open {
        v3: bool,
        polling: bool,
    },
    /// A client on long polling changes to WebSocket.
    Upgrade(usize),
    /// A client asks for a namespace.
    Connect {
        client: usize,
        namespace: &'static str,
    },
    Accept(usize),
    Refuse(usize),
    Resume {
        socket: usize,
        token: Secret,
    },
    Identify {
        socket: usize,
        user: &'static str,
    },
    Join {
        socket: usize,
        room: &'static str,
    },
    Enter {
        socket: usize,
        room: &'static str,
    },
    Leave {
        socket: usize,
        room: &'static str,
    },
    SetMeta {
        socket: usize,
        room: &'static str,
        meta: u8,
    },
    Emit {
        to: To,
        except: Option<usize>,
        except_room: Option<&'static str>,
        volatile: bool,
        large: bool,
    },
    Ask {
        socket: usize,
        timeout: u64,
    },
    /// A client answers the question of this number that its socket was asked, again if it did before.
    Answer {
        socket: usize,
        question: usize,
    },
    Say {
        client: usize,
        namespace: &'static str,
        ack: bool,
    },
    /// A client leaves a namespace.
    Depart {
        client: usize,
        namespace: &'static str,
    },
    Kill {
        client: usize,
        how: Kill,
    },
    Disconnect(usize),
    Close(usize),
    /// A client stops reading, or goes on.
    Pause {
        client: usize,
        paused: bool,
    },
    /// A client stops answering heartbeats.
    Mute(usize),
    Advance(u64),
    Shutdown,
}

#[derive(Clone, Debug)]
pub enum Secret {
    /// The one that this socket has.
    Of(usize),
    /// The one that it had before.
    Used(usize),
    Forged,
}

#[derive(Clone, Debug)]
pub enum To {
    Socket(usize),
    Rooms(Vec<&'static str>, &'static str),
    Namespace(&'static str),
    User(&'static str, Option<&'static str>),
    All,
}

#[derive(Clone, Copy, Debug)]
pub enum Kill {
    Eof,
    Abort,
    CloseFrame,
    EngineClose,
    Nonsense,
}

const ROOMS: [&str; 4] = ["red", "green", "blue", "grey"];
const USERS: [&str; 3] = ["ann", "bob", "cy"];

fn rooms() -> impl Strategy<Value = &'static str> {
    select(&ROOMS[..])
}

fn users() -> impl Strategy<Value = &'static str> {
    select(&USERS[..])
}

/// One that mostly exists.
fn namespaces() -> impl Strategy<Value = &'static str> {
    prop_oneof![20 => Just("/"), 8 => Just("/chat"), 1 => Just("/none")]
}

fn targets() -> impl Strategy<Value = To> {
    prop_oneof![
        2 => (0usize..40).prop_map(To::Socket),
        4 => (vec(rooms(), 1..3), namespaces()).prop_map(|(rooms, namespace)| To::Rooms(rooms, namespace)),
        2 => namespaces().prop_map(To::Namespace),
        2 => (users(), prop::option::of(namespaces())).prop_map(|(user, namespace)| To::User(user, namespace)),
        1 => Just(To::All),
    ]
}

fn emits() -> impl Strategy<Value = Transition> {
    let except = prop::option::weighted(0.3, 0usize..40);
    let except_room = prop::option::weighted(0.2, rooms());
    let how = (any::<bool>(), prop::bool::weighted(0.4));
    (targets(), except, except_room, how).prop_map(|(to, except, except_room, (volatile, large))| Transition::Emit {
        to,
        except,
        except_room,
        volatile,
        large,
    })
}

fn transitions() -> impl Strategy<Value = Transition> {
    use Transition as T;
    let (client, socket) = (0usize..40, 0usize..40);
    let namespace = namespaces();
    let kill = prop_oneof![
        4 => Just(Kill::Eof), 2 => Just(Kill::Abort), 2 => Just(Kill::CloseFrame), 1 => Just(Kill::EngineClose),
        1 => Just(Kill::Nonsense),
    ];
    let secret = prop_oneof![
        8 => (0usize..40).prop_map(Secret::Of), 1 => (0usize..40).prop_map(Secret::Used), 1 => Just(Secret::Forged),
    ];
    prop_oneof![
        5 => (prop::bool::weighted(0.2), prop::bool::weighted(0.4)).prop_map(|(v3, polling)| T::Open { v3, polling }),
        3 => client.clone().prop_map(T::Upgrade),
        6 => (client.clone(), namespace).prop_map(|(client, namespace)| T::Connect { client, namespace }),
        14 => socket.clone().prop_map(T::Accept),
        1 => socket.clone().prop_map(T::Refuse),
        8 => (socket.clone(), secret).prop_map(|(socket, token)| T::Resume { socket, token }),
        8 => (socket.clone(), users()).prop_map(|(socket, user)| T::Identify { socket, user }),
        8 => (socket.clone(), rooms()).prop_map(|(socket, room)| T::Join { socket, room }),
        14 => (socket.clone(), rooms()).prop_map(|(socket, room)| T::Enter { socket, room }),
        5 => (socket.clone(), rooms()).prop_map(|(socket, room)| T::Leave { socket, room }),
        6 => (socket.clone(), rooms(), 0u8..3).prop_map(|(socket, room, meta)| T::SetMeta { socket, room, meta }),
        20 => emits(),
        6 => (socket.clone(), select(vec![30u64, 2000, 20_000]))
            .prop_map(|(socket, timeout)| T::Ask { socket, timeout }),
        6 => (socket.clone(), 0usize..8).prop_map(|(socket, question)| T::Answer { socket, question }),
        4 => (client.clone(), prop_oneof![9 => Just("/"), 1 => Just("/chat")], any::<bool>())
            .prop_map(|(client, namespace, ack)| T::Say { client, namespace, ack }),
        1 => (client.clone(), namespaces()).prop_map(|(client, namespace)| T::Depart { client, namespace }),
        4 => (client.clone(), kill).prop_map(|(client, how)| T::Kill { client, how }),
        1 => socket.clone().prop_map(T::Disconnect),
        1 => socket.prop_map(T::Close),
        6 => (client.clone(), any::<bool>()).prop_map(|(client, paused)| T::Pause { client, paused }),
        1 => client.prop_map(T::Mute),
        14 => select(vec![1u64, 20, 49, 50, 51, 51, 100, 1000, 3000, 7000]).prop_map(T::Advance),
    ]
}

/// Some clients that are in, and what happens then.
pub fn scripts() -> impl Strategy<Value = Vec<Transition>> {
    let open = (prop::bool::weighted(0.2), prop::bool::weighted(0.4));
    let clients = vec((open, users(), prop::option::weighted(0.8, rooms())), 1..5);
    let first = clients.prop_map(|clients| {
        let mut steps = Vec::new();
        for (socket, ((v3, polling), user, room)) in clients.into_iter().enumerate() {
            steps.push(Transition::Open { v3, polling });
            if !v3 {
                steps.push(Transition::Connect { client: socket, namespace: "/" });
            }
            steps.extend([Transition::Accept(socket), Transition::Identify { socket, user }]);
            steps.extend(room.map(|room| Transition::Enter { socket, room }));
        }
        steps
    });
    // A client that comes back: killed, gone for a while, and in again with the token of its socket.
    let back = (0usize..40, 0usize..40, select(vec![1u64, 60, 7000]), prop::bool::weighted(0.4));
    let back = back.prop_map(|(client, socket, away, polling)| {
        vec![
            Transition::Kill { client, how: Kill::Eof },
            Transition::Advance(away),
            Transition::Open { v3: false, polling },
            Transition::Connect { client: NEWEST, namespace: "/" },
            Transition::Resume { socket: NEWEST, token: Secret::Of(socket) },
            Transition::Advance(60),
        ]
    });
    // One that does not read while much is sent.
    let slow = (0usize..40, 1usize..9).prop_map(|(client, count)| {
        let emit = Transition::Emit { to: To::All, except: None, except_room: None, volatile: false, large: true };
        let mut steps = vec![Transition::Pause { client, paused: true }];
        steps.extend(std::iter::repeat_n(emit, count));
        steps
    });
    let rest = vec(prop_oneof![30 => transitions().prop_map(|step| vec![step]), 2 => back, 1 => slow], 0..60);
    (first, rest).prop_map(|(first, rest)| first.into_iter().chain(rest.into_iter().flatten()).collect())
}

/// The client or socket that came last.
pub const NEWEST: usize = usize::MAX;

/// The index that a number means among `count`.
pub fn resolve(number: usize, count: usize) -> Option<usize> {
    if number == NEWEST { count.checked_sub(1) } else { number.checked_rem(count) }
}
