//! Whatever happens to whomever: who is told to have everything has had each event that was for it once and in order.

use proptest::collection::vec;
use proptest::prelude::*;
use roomwire::hub::{Recovery, SocketId, Target};

use super::{Client, recovering};
use crate::fuzz_hub::Told;
use crate::world::{World, millis};

const CLIENTS: usize = 3;
const ROOMS: [&str; 3] = ["red", "green", "blue"];

#[derive(Clone, Debug)]
enum Op {
    /// To the members of a room, but for another's and for one socket.
    Room {
        room: usize,
        except_room: Option<usize>,
        except: Option<usize>,
    },
    Both(usize, usize),
    Socket(usize),
    All,
    /// What is not kept, and ends in a string: nothing, another's offset, or one that is still to come.
    Volatile(usize, Option<usize>, u64),
    Join(usize, usize),
    Leave(usize, usize),
    /// A client reads all that has come, or loses its transport with it, or comes back.
    Listen(usize),
    Lose(usize),
    Return(usize),
    /// Much that is for nobody else but this room.
    Loud(usize),
    Pass(u64),
}

fn ops() -> impl Strategy<Value = Vec<Op>> {
    let (client, room) = (0..CLIENTS, 0..ROOMS.len());
    let few = |range: std::ops::Range<usize>| prop_oneof![3 => Just(None), 1 => range.prop_map(Some)];
    let op = prop_oneof![
        6 => (room.clone(), few(room.clone()), few(client.clone()))
            .prop_map(|(room, except_room, except)| Op::Room { room, except_room, except }),
        1 => (room.clone(), room.clone()).prop_map(|(one, other)| Op::Both(one, other)),
        1 => client.clone().prop_map(Op::Socket),
        1 => Just(Op::All),
        2 => (room.clone(), few(client.clone()), 0..30u64)
            .prop_map(|(room, whose, ahead)| Op::Volatile(room, whose, ahead)),
        4 => (client.clone(), room.clone()).prop_map(|(client, room)| Op::Join(client, room)),
        3 => (client.clone(), room.clone()).prop_map(|(client, room)| Op::Leave(client, room)),
        4 => client.clone().prop_map(Op::Listen),
        3 => client.clone().prop_map(Op::Lose),
        4 => client.prop_map(Op::Return),
        1 => room.prop_map(Op::Loud),
        1 => (1..40_000u64).prop_map(Op::Pass),
    ];
    vec(op, 0..120)
}

/// A client, and what was for it since it was last told to have everything.
struct Known {
    client: Client,
    rooms: [bool; ROOMS.len()],
    owed: Vec<String>,
    away: bool,
}

struct Run {
    world: World,
    known: Vec<Known>,
    /// It is always there, and in all rooms if they are to stay.
    anchor: SocketId,
    said: u32,
    missed: usize,
}

impl Run {
    fn new(recovery: Recovery, rooms_stay: bool) -> Self {
        let mut world = World::new(recovering(recovery));
        let anchor = Client::new(&mut world, "/").socket;
        for room in ROOMS.iter().filter(|_| rooms_stay) {
            world.hub.join(world.now, anchor, room).unwrap();
        }
        let known = |_| Known {
            client: Client::new(&mut world, "/"),
            rooms: [false; ROOMS.len()],
            owed: Vec::new(),
            away: false,
        };
        let known = (0..CLIENTS).map(known).collect();
        Self { world, known, anchor, said: 0, missed: 0 }
    }

    fn emit(&mut self, target: Target<'_>, is_for: impl Fn(usize, &Known) -> bool) {
        self.said += 1;
        self.world.hub.emit(self.world.now, target, "say", (self.said,)).unwrap();
        for (at, known) in self.known.iter_mut().enumerate() {
            if is_for(at, known) {
                known.owed.push(format!("\"say\" {}", self.said));
            }
        }
        self.read_anchor();
    }

    fn whisper(&mut self, room: usize, whose: Option<usize>, ahead: u64) {
        let offset = whose.and_then(|whose| self.known[whose].client.offset.clone()).map(|offset| {
            let (epoch, number) = offset.split_at(6);
            format!("{epoch}{}", (number.parse::<u64>().unwrap() + ahead).saturating_sub(10))
        });
        let text = offset.unwrap_or_default();
        self.world.hub.emit(self.world.now, Target::room(ROOMS[room]).volatile(), "whisper", (&*text,)).unwrap();
        for known in self.known.iter_mut().filter(|known| known.rooms[room] && !known.away) {
            known.owed.push(format!("\"whisper\" \"{text}\""));
        }
        self.read_anchor();
    }

    fn read_anchor(&mut self) {
        let conn = self.world.hub.connection(self.anchor).unwrap();
        let heartbeat = self.world.hears(conn).iter().any(|packet| packet == "2");
        if heartbeat {
            self.world.says(conn, "3");
        }
    }

    fn listen(&mut self, at: usize) {
        let known = &mut self.known[at];
        assert_eq!(known.client.listen(&mut self.world), None);
        // What it has heard is the beginning of what it was to hear.
        let heard = std::mem::take(&mut known.client.heard);
        assert_eq!(heard[..], known.owed[..heard.len()]);
        known.owed.drain(..heard.len());
        assert!(known.owed.is_empty(), "not heard: {:?}", known.owed);
    }

    fn step(&mut self, op: &Op) {
        let now = self.world.now;
        match *op {
            Op::Room { room, except_room, except } => {
                let mut target = Target::room(ROOMS[room]);
                if let Some(room) = except_room {
                    target = target.except_room(ROOMS[room]);
                }
                if let Some(client) = except {
                    target = target.except(self.known[client].client.socket);
                }
                self.emit(target, |at, known| {
                    known.rooms[room] && !except_room.is_some_and(|room| known.rooms[room]) && except != Some(at)
                });
            }
            Op::Both(one, other) => {
                let target = Target::room(ROOMS[one]).and_room(ROOMS[other]);
                self.emit(target, |_, known| known.rooms[one] || known.rooms[other]);
            }
            Op::Socket(client) => self.emit(Target::socket(self.known[client].client.socket), |at, _| at == client),
            Op::All => self.emit(Target::all(), |_, _| true),
            Op::Volatile(room, whose, ahead) => self.whisper(room, whose, ahead),
            Op::Loud(room) => {
                for _ in 0..10 {
                    self.emit(Target::room(ROOMS[room]), |_, known| known.rooms[room]);
                }
            }
            Op::Join(client, room) => {
                self.world.hub.join(now, self.known[client].client.socket, ROOMS[room]).unwrap();
                self.known[client].rooms[room] = true;
            }
            Op::Leave(client, room) => {
                self.world.hub.leave(now, self.known[client].client.socket, ROOMS[room]).unwrap();
                self.known[client].rooms[room] = false;
            }
            Op::Listen(client) => {
                if !self.known[client].away {
                    self.listen(client);
                }
            }
            Op::Lose(client) => {
                let known = &mut self.known[client];
                if !std::mem::replace(&mut known.away, true) {
                    known.client.lose(&mut self.world);
                }
            }
            Op::Return(client) => self.come_back(client),
            Op::Pass(span) => {
                // Nobody is silent for so long that it is taken for dead.
                for at in 0..CLIENTS {
                    if self.known[at].away {
                        self.come_back(at);
                    }
                    self.listen(at);
                }
                let conns: Vec<_> = self.known.iter().map(|known| known.client.conn).collect();
                let anchor = self.world.hub.connection(self.anchor).unwrap();
                self.world.live(&[&conns[..], &[anchor]].concat(), millis(span));
            }
        }
    }

    fn come_back(&mut self, at: usize) {
        let known = &mut self.known[at];
        known.away = false;
        known.owed.retain(|owed| !owed.starts_with("\"whisper"));
        match known.client.return_to(&mut self.world).last() {
            Some(Told::Recovered(_)) => {
                assert_eq!(known.client.listen(&mut self.world), Some(true));
                assert_eq!(std::mem::take(&mut known.client.heard), std::mem::take(&mut known.owed));
            }
            Some(Told::Connected(_, true)) => {
                assert_eq!((known.client.listen(&mut self.world), known.client.heard.len()), (Some(false), 0));
                known.owed.clear();
                self.missed += 1;
            }
            told => panic!("{told:?}"),
        }
    }
}

proptest! {
    #[test]
    fn everything_or_the_word_that_something_is_lost(ops in ops(), tight in any::<bool>(), rooms_stay in any::<bool>()) {
        let tight = tight.then_some(Recovery { bytes_max: 6000, room_bytes_max: 3000, ..Recovery::default() });
        let mut run = Run::new(tight.unwrap_or_default(), rooms_stay);
        ops.iter().for_each(|op| run.step(op));
        for client in 0..CLIENTS {
            run.come_back(client);
        }
        prop_assert!(tight.is_some() || !rooms_stay || run.missed == 0, "there was room for everything");
        prop_assert!(run.world.hub.counts().history_bytes <= tight.unwrap_or_default().bytes_max);
    }
}
