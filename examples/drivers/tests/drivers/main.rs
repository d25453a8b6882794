//! Starts each driver that was built, and talks to it with `ws_client` and with connections of the library's own.

mod chat;
mod http2;
mod options;
mod peer;
mod server;

use std::io::Write;
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

use peer::{Peer, Told};
use roomwire::ws::{CloseCode, Config, Endpoint, Header, Opcode, apply_mask};
use server::{Server, each};

const WS_CLIENT: &str = env!("CARGO_BIN_EXE_ws_client");

/// A frame as a client sends it.
fn frame(fin: bool, opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mask = [1, 2, 3, 4];
    let (header, size) = Header { fin, opcode, mask: Some(mask), payload_len: payload.len() as u64 }.encode();
    let mut masked = payload.to_vec();
    apply_mask(&mut masked, mask);
    [&header[..size], &masked].concat()
}

/// Runs `ws_client` with an input.
fn run_client(args: &[String], input: impl AsRef<[u8]>) -> Output {
    let mut client = Command::new(WS_CLIENT);
    client.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut client = client.spawn().unwrap();
    client.stdin.take().unwrap().write_all(input.as_ref()).unwrap();
    client.wait_with_output().unwrap()
}

#[test]
fn messages_come_back() {
    for server in each() {
        let mut peer = Peer::connect(&server);
        peer.send("héllo");
        assert_eq!(peer.next(), Told::Text("héllo".into()), "{}", server.name);
        let big: Vec<u8> = (0..1u32 << 20).map(|at| (at % 251) as u8).collect();
        for bytes in [vec![], vec![0, 255, 128], big] {
            peer.send(bytes.clone());
            assert!(peer.next() == Told::Binary(bytes), "{}", server.name);
        }
    }
}

#[test]
fn a_fragmented_message_comes_back_whole_and_pings_within_it_are_answered() {
    for server in each() {
        let mut peer = Peer::connect(&server);
        for piece in [
            frame(false, Opcode::Text, b"one, "),
            frame(true, Opcode::Ping, b"there?"),
            frame(false, Opcode::Continuation, b"two, "),
            frame(true, Opcode::Continuation, b"three"),
        ] {
            peer.write(&piece);
            std::thread::sleep(Duration::from_millis(5)); // mostly a read for each
        }
        assert_eq!(peer.next(), Told::Pong(b"there?".to_vec()), "{}", server.name);
        assert_eq!(peer.next(), Told::Text("one, two, three".into()), "{}", server.name);
    }
}

#[test]
fn pipelined_messages_come_back_in_order() {
    for server in each() {
        let mut peer = Peer::connect(&server);
        let frames: Vec<_> =
            (0..200).flat_map(|nth| frame(true, Opcode::Text, format!("message {nth}").as_bytes())).collect();
        peer.write(&frames);
        for nth in 0..200 {
            assert_eq!(peer.next(), Told::Text(format!("message {nth}")), "{}", server.name);
        }
    }
}

/// Some shorter than what a driver reads at once, some longer, so that they lie across reads in every way.
#[test]
fn long_messages_come_back_in_order() {
    for server in each() {
        let mut peer = Peer::connect(&server);
        let texts: Vec<String> = (0..40).map(|nth| format!("{nth} {}", "é€𝄞".repeat(nth * 251))).collect();
        for texts in texts.chunks(4) {
            let frames: Vec<u8> = texts.iter().flat_map(|text| frame(true, Opcode::Text, text.as_bytes())).collect();
            peer.write(&frames);
            for text in texts {
                assert!(peer.next() == Told::Text(text.clone()), "{}", server.name);
            }
        }
    }
}

/// What has come of a message is the driver's only while it is at it.
#[test]
fn half_messages_of_many_do_not_mix() {
    for server in each() {
        let texts: Vec<String> = (0..8).map(|nth| format!("message {nth} ").repeat(100)).collect();
        let frames: Vec<_> = texts.iter().map(|text| frame(true, Opcode::Text, text.as_bytes())).collect();
        let mut peers: Vec<_> = texts.iter().map(|_| Peer::connect(&server)).collect();
        for part in 0..4 {
            for (peer, frame) in peers.iter_mut().zip(&frames) {
                let size = frame.len() / 4 + 1;
                peer.write(frame.chunks(size).nth(part).unwrap());
            }
            std::thread::sleep(Duration::from_millis(5)); // mostly a read for each
        }
        for (peer, text) in peers.iter_mut().zip(&texts) {
            assert!(peer.next() == Told::Text(text.clone()), "{}", server.name);
        }
    }
}

/// It is looked at when no more comes, and the end behind it is seen.
#[test]
fn half_a_message_does_not_wait_in_the_driver() {
    for server in each() {
        let wrong = frame(true, Opcode::Text, b"\xFF and more");
        let mut peer = Peer::connect(&server);
        peer.write(&wrong[..wrong.len() - 4]);
        assert_eq!(peer.next(), Told::Closed(1007, Endpoint::Peer, true), "{}", server.name);

        let mut peer = Peer::connect(&server);
        peer.write_and_end(&frame(true, Opcode::Binary, &[7; 1000])[..500]);
        assert_eq!(peer.next(), Told::Closed(1006, Endpoint::Peer, false), "{}", server.name);
    }
}

#[test]
fn many_at_once_have_their_own_answers() {
    for server in each() {
        std::thread::scope(|scope| {
            for nth in 0..16 {
                let server = &server;
                scope.spawn(move || {
                    let mut peer = Peer::connect(server);
                    for turn in 0..50 {
                        let text = format!("{turn} of {nth} {}", "x".repeat(turn * 100));
                        peer.send(text.as_str());
                        assert_eq!(peer.next(), Told::Text(text), "{}", server.name);
                    }
                });
            }
        });
    }
}

#[test]
fn the_client_closes() {
    for server in each() {
        let mut peer = Peer::connect(&server);
        peer.send("last");
        peer.close(CloseCode::new(4321).unwrap());
        assert_eq!(peer.next(), Told::Text("last".into()), "{}", server.name);
        assert_eq!(peer.next(), Told::Closed(4321, Endpoint::Local, true), "{}", server.name);
        assert!(peer.ends_in_order(), "{}", server.name);
    }
}

#[test]
fn the_server_closes() {
    for server in each() {
        let mut peer = Peer::connect(&server);
        peer.write(&[0x81, 0x01, b'x']); // not masked
        assert_eq!(peer.next(), Told::Closed(1002, Endpoint::Peer, true), "{}", server.name);
        assert!(peer.ends_in_order(), "{}", server.name);
    }
}

#[test]
fn an_end_right_behind_a_message_is_seen() {
    for server in each() {
        let began = Instant::now();
        for _ in 0..50 {
            let mut peer = Peer::connect(&server);
            peer.write_and_end(&frame(true, Opcode::Text, b"last"));
            assert_eq!(peer.next(), Told::Text("last".into()), "{}", server.name);
            assert_eq!(peer.next(), Told::Closed(1006, Endpoint::Peer, false), "{}", server.name);
        }
        assert!(began.elapsed() < Duration::from_secs(20), "{} waits for time-outs", server.name);
    }
}

#[test]
fn who_does_not_end_is_borne_for_the_time_of_the_library() {
    is_borne_for_the_close_timeout(&[0x8A, 0x80, 1, 2, 3, 4], Duration::from_millis(100), 1.8);
}

/// There is always more to read; time must go on nevertheless.
#[test]
fn who_floods_is_borne_no_longer() {
    is_borne_for_the_close_timeout(&[0x8A; 1 << 16], Duration::ZERO, 4.0);
}

fn is_borne_for_the_close_timeout(bytes: &[u8], pause: Duration, most: f32) {
    std::thread::scope(|scope| {
        for server in each() {
            scope.spawn(move || {
                let borne = Peer::connect(&server).outstay(bytes, pause);
                let close_timeout = Config::default().close_timeout;
                let right = close_timeout.mul_f32(0.9)..close_timeout.mul_f32(most);
                assert!(right.contains(&borne), "{}: {borne:?}", server.name);
            });
        }
    });
}

#[test]
fn who_never_reads_is_held_up_and_hurts_nobody() {
    for server in each() {
        let (mut deaf, mut other) = (Peer::connect(&server), Peer::connect(&server));
        let message = frame(true, Opcode::Binary, &[7; 1 << 16]);
        let taken = deaf.write_until_stuck(&message, 128 << 20);
        assert!(taken < 128 << 20, "{} reads on and on", server.name);
        for nth in 0..100 {
            other.send(format!("{nth}").as_str());
            assert_eq!(other.next(), Told::Text(format!("{nth}")), "{}", server.name);
        }
        // Once it reads, everything that was taken is there.
        for _ in 0..taken / message.len() {
            assert!(deaf.next() == Told::Binary(vec![7; 1 << 16]), "{}", server.name);
        }
    }
}

#[test]
fn clients_that_are_killed_hurt_nobody() {
    for server in each() {
        let mut other = Peer::connect(&server);
        for _ in 0..10 {
            let mut client = Command::new(WS_CLIENT);
            client.args(server.client_args()).stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null());
            let mut client = client.spawn().unwrap();
            let mut input = client.stdin.take().unwrap();
            // It is killed amid much that is under way.
            for _ in 0..100 {
                let _ = input.write_all(format!("{}\n", "x".repeat(10_000)).as_bytes());
            }
            client.kill().unwrap();
            client.wait().unwrap();
            other.send("still here?");
            assert_eq!(other.next(), Told::Text("still here?".into()), "{}", server.name);
        }
        let mut new = Peer::connect(&server);
        new.send("new");
        assert_eq!(new.next(), Told::Text("new".into()), "{}", server.name);
    }
}

#[test]
fn too_many_for_the_open_files_wait_until_others_go() {
    const FILES: usize = 64;
    for name in server::NAMES {
        let server = Server::start_with_files(name, FILES);
        let connecting: Vec<_> = (0..2 * FILES).map(|_| Peer::begin(&server)).collect();
        let mut served: Vec<_> = Vec::new();
        for (nth, mut peer) in connecting.into_iter().enumerate() {
            if nth >= FILES / 2 {
                // Not all can be there together.
                served.clear();
            }
            peer.opened();
            peer.send("in");
            assert_eq!(peer.next(), Told::Text("in".into()), "{name}");
            served.push(peer);
        }
    }
}

#[test]
fn mio_serves_thousands_at_once() {
    let wanted = 2000;
    let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap() as usize;
    let count = wanted.min(limit.saturating_sub(200));
    println!("{count} connections at once ({wanted} wanted, {limit} open files)");
    let server = Server::start("mio");
    let mut peers: Vec<_> = (0..count).map(|_| Peer::begin(&server)).collect();
    peers.iter_mut().for_each(Peer::opened);
    for round in 0..3 {
        for (nth, peer) in peers.iter_mut().enumerate() {
            peer.send(format!("{round} of {nth}").as_str());
        }
        for (nth, peer) in peers.iter_mut().enumerate() {
            assert_eq!(peer.next(), Told::Text(format!("{round} of {nth}")));
        }
    }
    // Half of them go without a word.
    peers.truncate(count / 2);
    for peer in &mut peers {
        peer.send("still here?");
        assert_eq!(peer.next(), Told::Text("still here?".into()));
    }
}

#[test]
fn the_command_line_client_echoes_and_ends_in_order() {
    for server in each() {
        let lines: String = (0..5000).map(|nth| format!("line {nth}\n")).collect();
        let output = run_client(&server.client_args(), &lines);
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{}: {told}", server.name);
        assert!(output.stdout == lines.as_bytes(), "{}", server.name);
        assert!(told.contains("closed by Local: 1000"), "{}: {told}", server.name);
    }
}

#[test]
fn the_command_line_client_shows_pings() {
    for server in each() {
        let mut client = Command::new(WS_CLIENT);
        client.args(server.client_args()).args(["--ping", "0.05"]);
        let mut client = client.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        std::thread::sleep(Duration::from_millis(1000));
        drop(client.stdin.take());
        let output = client.wait_with_output().unwrap();
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success() && told.matches("pong after").count() >= 2, "{}: {told}", server.name);
    }
}

#[test]
fn the_command_line_client_says_when_it_did_not_end_in_order() {
    for mut server in each() {
        let mut client = Command::new(WS_CLIENT);
        client.args(server.client_args()).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut client = client.spawn().unwrap();
        let mut input = client.stdin.take().unwrap();
        input.write_all(b"hello\n").unwrap();
        let mut first = [0; 6];
        std::io::Read::read_exact(client.stdout.as_mut().unwrap(), &mut first).unwrap();
        server.stop();
        assert_eq!(client.wait().unwrap().code(), Some(1), "{}", server.name);
    }
    assert_eq!(run_client(&["ws://127.0.0.1:1/".into()], "").status.code(), Some(1));
    for wrong in [&["http://localhost/"][..], &[], &["ws://localhost/", "--unknown", "x"]] {
        let wrong: Vec<_> = wrong.iter().map(|arg| (*arg).to_owned()).collect();
        assert_eq!(run_client(&wrong, "").status.code(), Some(2), "{wrong:?}");
    }
}

/// Neither a line that is no text nor one that is longer than may ever be queued.
#[test]
fn the_command_line_client_says_what_it_cannot_send() {
    let server = Server::start("tokio");
    let long = [&[b'x'; (32 << 20) + 1][..], b"\nlast\n"].concat();
    for (lines, came, why) in [(&b"first\n\xFF\nlast\n"[..], "first\n", "UTF-8"), (&long, "last\n", "longer than")] {
        let output = run_client(&server.client_args(), lines);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(String::from_utf8_lossy(&output.stdout), came, "{told}");
        assert!(told.contains("not sent: ") && told.contains(why), "{told}");
        assert_eq!(output.status.code(), Some(1), "{told}");
    }
}

#[test]
fn a_certificate_that_is_not_trusted_is_refused() {
    let server = Server::start("tls");
    let output = run_client(&server.client_args()[..1], "hello\n");
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.is_empty(), "{output:?}");
}

#[test]
fn axum_keeps_its_pages_and_refuses_what_is_no_handshake() {
    let server = Server::start("axum");
    let request = |head: &str| peer::exchange(&server, &format!("{head}Host: localhost\r\nConnection: close\r\n\r\n"));
    assert!(request("GET / HTTP/1.1\r\n").starts_with("HTTP/1.1 200 "));
    assert!(request("GET /nothing HTTP/1.1\r\n").starts_with("HTTP/1.1 404 "));
    let refused = request("GET /echo HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n");
    assert!(refused.starts_with("HTTP/1.1 426 ") && refused.contains("sec-websocket-version: 13\r\n"), "{refused}");
    assert!(request("GET /echo HTTP/1.1\r\n").starts_with("HTTP/1.1 426 "));
}
