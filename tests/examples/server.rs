//! The chat server's threads.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use crate::program::{Program, connect};

/// How often each thread of a process went to sleep.
#[cfg(target_os = "linux")]
fn sleeps(process: u32) -> Vec<(String, u64)> {
    let mut sleeps = Vec::new();
    for thread in std::fs::read_dir(format!("/proc/{process}/task")).unwrap() {
        let thread = thread.unwrap();
        let status = std::fs::read_to_string(thread.path().join("status")).unwrap();
        let count = status.lines().find_map(|line| line.strip_prefix("voluntary_ctxt_switches:"));
        let id = thread.file_name().into_string().unwrap();
        sleeps.push((id, count.and_then(|count| count.trim().parse().ok()).unwrap()));
    }
    sleeps
}

/// The same once nothing moves any more.
#[cfg(target_os = "linux")]
fn at_rest(process: u32) -> Vec<(String, u64)> {
    let mut before = sleeps(process);
    for _ in 0..100 {
        std::thread::sleep(Duration::from_millis(300));
        let after = sleeps(process);
        if after == before {
            return after;
        }
        before = after;
    }
    panic!("it never rests: {before:?}");
}

/// Asks on a stream of lines, and hears the answer.
fn ping(stream: &mut BufReader<TcpStream>) {
    stream.get_mut().write_all(b"ping\n").unwrap();
    let mut line = String::new();
    stream.read_line(&mut line).unwrap();
    assert_eq!(line, "pong\n");
}

/// A peer that asks and asks and does not read the answers, until it is not read from any more.
#[cfg(target_os = "linux")]
fn stall(address: SocketAddr) -> TcpStream {
    let mut stream = connect(address);
    stream.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    while stream.write_all(&b"ping\n".repeat(10_000)).is_ok() {}
    stream
}

fn start() -> (Program, SocketAddr) {
    let mut server = Program::start("server", &["--listen", "127.0.0.1:0", "--lines", "127.0.0.1:0"]);
    server.address("listening on http://");
    let lines = server.address("lines on ");
    (server, lines)
}

/// What one connection says wakes neither the threads of others, those that wait for room included, nor who keeps the time.
#[test]
#[cfg(target_os = "linux")]
fn each_thread_is_woken_alone() {
    const ROUNDS: u64 = 500;
    let (server, lines) = start();
    let mut idle = BufReader::new(connect(lines));
    ping(&mut idle);
    let stalled = stall(lines);
    let mut busy = BufReader::new(connect(lines));
    ping(&mut busy);
    let before = at_rest(server.process.id());
    for _ in 0..ROUNDS {
        ping(&mut busy);
    }
    let after = sleeps(server.process.id());
    let woken = after.iter().filter(|(id, count)| {
        let before = before.iter().find(|(known, _)| known == id).map_or(0, |(_, before)| *before);
        count - before > ROUNDS / 2
    });
    assert!((1..=2).contains(&woken.count()), "{before:?} {after:?}");
    drop(stalled);
    ping(&mut idle);
}

/// Who was not read from for a while is when there is room again.
#[test]
fn who_reads_late_is_answered_to_the_last() {
    const PIECE: usize = 1000;
    let (_server, lines) = start();
    let mut asking = connect(lines);
    let reading = asking.try_clone().unwrap();
    asking.set_write_timeout(Some(Duration::from_millis(500))).unwrap();
    // Until neither side takes anything; of the last piece a part may have gone.
    let piece = b"ping\n".repeat(PIECE);
    let (mut asked, mut rest) = (0, &piece[..]);
    while let Ok(count) = asking.write(rest) {
        rest = &rest[count..];
        if rest.is_empty() {
            asked += PIECE;
            rest = &piece;
        }
    }
    asking.set_write_timeout(None).unwrap();
    let rest = rest.to_vec();
    let ending = std::thread::spawn(move || {
        asking.write_all(&rest).unwrap();
        crate::program::shut(&asking);
    });
    let answers = BufReader::new(reading).lines().map(Result::unwrap).filter(|line| line == "pong").count();
    ending.join().unwrap();
    assert_eq!(answers, asked + PIECE);
}

/// Interrupted, it says goodbye to those who are there, and ends.
#[test]
#[cfg(unix)]
fn it_stops_in_order() {
    for signal in ["-INT", "-TERM"] {
        let (server, lines) = start();
        let mut idle = BufReader::new(connect(lines));
        ping(&mut idle);
        let kill = std::process::Command::new("kill").args([signal, &server.process.id().to_string()]).status();
        assert!(kill.unwrap().success());
        let mut rest = String::new();
        idle.read_line(&mut rest).unwrap();
        assert_eq!(rest, "");
        assert_eq!(server.end().1, Some(0), "{signal}");
    }
}
