//! What is counted: each path by name, and what grows with its input.

mod deflate;
mod engineio;
mod http;
mod hub;
mod socketio;
mod ws;

use std::hint::black_box;

use roomwire::Instant;
use roomwire::ws::{Header, Opcode, apply_mask};

use crate::section::count;

/// A hot path: `run` does it `times` times within one [`count`](crate::section::count), all that it needs being made
/// ready before.
pub struct Path {
    pub name: &'static str,
    pub times: usize,
    pub run: fn(usize),
}

/// Work that must be linear: `run` does it for an input of so many units, and of twice as many at the price of at most
/// [`LINEAR_MAX`]. The name begins with the id of the hostile input that it stands for, if there is one.
pub struct Linear {
    pub name: &'static str,
    pub units: usize,
    pub run: fn(usize),
}

/// How many times the instructions twice the input may take.
pub const LINEAR_MAX: f64 = 2.2;

/// Work that must not be much more when its input comes byte by byte: `run` gets it in pieces of so many bytes, [`HEADS`] times.
/// What a caller does to hand them over is not the library's: `alone` does that and nothing else. The name begins with the id
/// of the hostile input that it stands for.
pub struct Bytewise {
    pub name: &'static str,
    pub run: fn(usize),
    pub alone: Alone,
}

/// By name.
pub type Alone = (&'static str, fn(usize));

/// How many times the instructions of one piece single bytes may take.
pub const BYTEWISE_MAX: f64 = 2.0;

const HEADS: usize = 100;

fn hand_over(input: &[u8], piece: usize) {
    count(|| {
        for _ in 0..HEADS {
            for mut part in input.chunks(piece) {
                black_box(&mut part);
            }
        }
    });
}

pub fn hot() -> impl Iterator<Item = &'static Path> {
    [http::HOT, ws::HOT, deflate::HOT, engineio::HOT, socketio::HOT, hub::HOT].into_iter().flatten()
}

pub fn linear() -> impl Iterator<Item = &'static Linear> {
    [http::LINEAR, ws::LINEAR, deflate::LINEAR, engineio::LINEAR, socketio::LINEAR, hub::LINEAR].into_iter().flatten()
}

pub fn bytewise() -> impl Iterator<Item = &'static Bytewise> {
    [http::BYTEWISE, ws::BYTEWISE].into_iter().flatten()
}

/// The names of all that is checked.
pub fn names() -> Vec<&'static str> {
    let (hot, linear, bytewise) =
        (hot().map(|path| path.name), linear().map(|path| path.name), bytewise().map(|path| path.name));
    hot.chain(linear).chain(bytewise).collect()
}

/// The function of that name, of any kind.
pub fn find(name: &str) -> Option<fn(usize)> {
    let hot = hot().map(|path| (path.name, path.run));
    let linear = linear().map(|path| (path.name, path.run));
    let bytewise = bytewise().map(|path| (path.name, path.run));
    let alone = self::bytewise().map(|path| path.alone);
    hot.chain(linear).chain(bytewise).chain(alone).find_map(|(of, run)| (of == name).then_some(run))
}

/// Virtual time: every call is a microsecond after the one before.
#[derive(Default)]
struct Clock(u64);

impl Clock {
    fn tick(&mut self) -> Instant {
        self.0 += 1000;
        Instant::from_nanos(self.0)
    }
}

/// A frame of a client's.
fn masked(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let key = [0x37, 0xFA, 0x21, 0x3D];
    let (header, size) = Header { fin, opcode, mask: Some(key), payload_len: payload.len() as u64 }.encode();
    let mut frame = [&header[..size], payload].concat();
    apply_mask(&mut frame[size..], key);
    frame
}

/// Bytes without a pattern, the same in every run.
fn noise(size: usize) -> Vec<u8> {
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    let byte = |_| {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as u8
    };
    (0..size).map(byte).collect()
}

/// Letters, with a character of two bytes here and there.
fn text(size: usize) -> String {
    let mut text = "Ein Fuß im Türspalt, sagt man, ist mehr wert als ein Brief. ".repeat(size / 60 + 1);
    while !text.is_char_boundary(size) {
        text.insert(0, '.');
    }
    text.truncate(size);
    text
}

/// A message as applications send them, of 125 bytes, no two alike.
fn json(nth: usize) -> String {
    let text = format!(
        r#"{{"type":"price","symbol":"ROOM","nth":{nth:06},"bid":{}.{:02},"ask":{}.{:02},"venue":"north","open":true,"note":""}}"#,
        100 + nth % 7,
        nth * 37 % 100,
        101 + nth % 5,
        nth * 53 % 100,
    );
    let padding = 125 - text.len();
    text.replace(r#""note":"""#, &format!(r#""note":"{}""#, "x".repeat(padding)))
}
