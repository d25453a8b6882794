//! The client for the command line: what is piped into it, and what it ends with.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Stdio;
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant as Clock};

use roomwire::hub::{Config, Event, Hub, Origins, SocketId};
use roomwire::socketio::Args;
use roomwire::{Instant, Stream};

use crate::program::{PATIENCE, Program, command, connect};

/// What is said to a new client.
type Greet = fn(&mut Hub, Instant, SocketId);

/// Serves one connection: echoes every event, reads little and seldom, and does not read while its answers are not. The events
/// that came.
fn slow_server(pause: Duration, greet: Greet) -> (SocketAddr, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let serving = thread::spawn(move || {
        let (stream, _) = listener.accept().unwrap();
        // Much is piped in before there is a session.
        thread::sleep(300 * pause);
        serve(stream, pause, greet).unwrap()
    });
    (address, serving)
}

fn serve(mut stream: TcpStream, pause: Duration, greet: Greet) -> std::io::Result<Vec<String>> {
    let origin = Clock::now();
    let now = || Instant::from(origin.elapsed());
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let mut hub = Hub::new(Config::new(Origins::Any), [7; 32], now()).unwrap();
    let conn = hub.connect(now()).unwrap();
    let (mut came, mut buffer) = (Vec::new(), vec![0; 16 * 1024]);
    loop {
        let count = stream.read(&mut buffer)?;
        let mut input = &mut buffer[..count];
        if count == 0 {
            hub.receive_eof(now(), conn);
        }
        while let Some(event) = hub.receive(now(), conn, &mut input) {
            match event {
                Event::Connecting { socket, .. } => hub.accept(now(), socket).unwrap(),
                Event::Connected { socket, .. } => greet(&mut hub, now(), socket),
                Event::Emit { socket, name, args, .. } => {
                    came.push(args.as_str().chars().take_while(char::is_ascii_digit).collect());
                    hub.emit(now(), socket, &name, args).unwrap();
                }
                _ => {}
            }
        }
        while hub.poll_event().is_some() {}
        while hub.poll_transmit().is_some() {}
        let bytes = hub.outgoing(conn).collect::<Vec<_>>().concat();
        stream.write_all(&bytes)?;
        hub.sent(now(), conn, bytes.len());
        if hub.stream(conn) == Stream::Closed || count == 0 {
            return Ok(came);
        }
        thread::sleep(pause);
    }
}

/// Pipes lines into a client; what it printed and ended with.
fn pipe(args: &[&str], lines: impl Iterator<Item = String>) -> (String, Option<i32>) {
    let mut client = Program::start("client", args);
    let mut input = client.input.take().unwrap();
    let output = thread::spawn(move || client.end());
    for line in lines {
        // It may have ended before it has read all.
        if writeln!(input, "{line}").is_err() {
            break;
        }
    }
    drop(input);
    output.join().unwrap()
}

/// More than may wait in the client, faster than the server takes it.
#[test]
fn all_that_is_piped_arrives_in_its_order() {
    const LINES: usize = 30_000;
    let (address, serving) = slow_server(Duration::from_millis(1), |_, _, _| {});
    let url = format!("http://{address}");
    let padding = "x".repeat(400);
    let (printed, code) = pipe(&["--websocket", &url], (0..LINES).map(|nth| format!(r#"note {nth},"{padding}""#)));
    let came = serving.join().unwrap();
    let told: Vec<&str> = printed.lines().filter(|line| line.starts_with('#')).collect();
    assert_eq!(code, Some(0), "{told:?}");
    assert!(came.iter().enumerate().all(|(nth, came)| *came == nth.to_string()), "{told:?}");
    assert_eq!(came.len(), LINES, "{told:?}");
}

/// More acknowledgements than can be awaited at once.
#[test]
fn all_that_is_asked_is_answered() {
    const LINES: usize = 3000;
    let mut server = Program::start("server", &["--listen", "127.0.0.1:0", "--lines", "127.0.0.1:0"]);
    let url = format!("http://{}", server.address("listening on http://"));
    for args in [&["--polling", &url][..], &["--websocket", &url], &[&url], &["--retries", "1", &url]] {
        let (printed, code) = pipe(args, (0..LINES).map(|nth| format!("?echo {nth}")));
        let answers: Vec<&str> = printed.lines().filter_map(|line| line.strip_prefix("# acknowledged ")).collect();
        assert_eq!(code, Some(0), "{args:?}: {printed}");
        assert_eq!(answers.len(), LINES, "{args:?}");
        let own = answers.iter().enumerate().all(|(nth, answer)| *answer == nth.to_string());
        assert!(own, "{args:?}: {answers:?}");
    }
}

#[test]
fn attachments_stand_behind_a_bar_that_is_not_in_a_text() {
    let mut server = Program::start("server", &["--listen", "127.0.0.1:0", "--lines", "127.0.0.1:0"]);
    let url = format!("http://{}", server.address("listening on http://"));
    let placeholder = r#"{"_placeholder":true,"num":0}"#;
    let photo = format!("{placeholder},\"a | b\" | 89504e47");
    for said in ["", "1,2", r#""a | b""#, r#"["a | 00"]"#, &photo] {
        let (printed, code) = pipe(&[&url], [format!("?echo {said}")].into_iter());
        let answer = format!("# acknowledged {said}");
        assert!(printed.lines().any(|line| line == answer), "{said}: {printed}");
        assert_eq!(code, Some(0), "{said}: {printed}");
    }
    for wrong in ["+f", "-1", "0", "é", "0g", "00 1"] {
        let (printed, code) = pipe(&[&url], [format!("echo {placeholder} | {wrong}")].into_iter());
        assert!(printed.contains("# attachments are written in pairs of hexadecimal digits"), "{wrong}: {printed}");
        assert_eq!(code, Some(1), "{wrong}: {printed}");
    }
}

/// Whatever is in it: no server can make up a line that tells how the connection fares, or control a terminal.
#[test]
fn an_event_is_one_line() {
    let (address, serving) = slow_server(Duration::from_millis(1), |hub, now, socket| {
        hub.emit(now, socket, "a\n# acknowledged \u{1b}[2J", (1,)).unwrap();
        hub.emit(now, socket, "b", Args::new("1,\r\n\"\u{9b}é\"").unwrap()).unwrap();
    });
    let (printed, code) = pipe(&["--websocket", &format!("http://{address}")], std::iter::empty());
    serving.join().unwrap();
    assert_eq!(code, Some(0), "{printed:?}");
    let events: Vec<&str> = printed.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(events, [r"a\u000a# acknowledged \u001b[2J 1", "b 1,  \"\\u009bé\""], "{printed:?}");
}

/// Passes bytes on to a server, each a while later.
fn far(server: SocketAddr, delay: Duration) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let carry = move |mut from: TcpStream, mut to: TcpStream| {
        let mut buffer = vec![0; 64 * 1024];
        while let Ok(count @ 1..) = from.read(&mut buffer) {
            thread::sleep(delay);
            if to.write_all(&buffer[..count]).is_err() {
                break;
            }
        }
        let _ = to.shutdown(Shutdown::Write);
    };
    thread::spawn(move || {
        while let Ok((near, _)) = listener.accept() {
            let far = connect(server);
            let (back, to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            thread::spawn(move || carry(near, far));
            thread::spawn(move || carry(back, to));
        }
    });
    address
}

/// On long polling, where a POST takes few of them and each is waited for: longer in all than a goodbye may take.
#[test]
fn all_that_is_piped_is_posted_before_goodbye() {
    const LINES: usize = 2000;
    let mut server = Program::start("server", &["--listen", "127.0.0.1:0", "--lines", "127.0.0.1:0"]);
    let address = server.address("listening on http://");
    let mut subscriber = connect(server.address("lines on "));
    subscriber.write_all(b"0\n20[\"subscribe\",\"t\"]\n").unwrap();
    let mut heard = BufReader::new(subscriber).lines().map(Result::unwrap);
    assert!(heard.any(|line| line == r#"30[{"ok":true}]"#));
    let url = format!("http://{}", far(address, Duration::from_millis(30)));
    let piping =
        thread::spawn(move || pipe(&["--polling", &url], (0..LINES).map(|nth| format!(r#"publish "t","e",{nth}"#))));
    for nth in 0..LINES {
        assert_eq!(heard.next().unwrap(), format!(r#"2["e",{nth}]"#));
    }
    assert_eq!(piping.join().unwrap().1, Some(0));
}

/// The first connection ends when so many bytes have gone up, all others are passed on.
fn cut_once(server: SocketAddr, after: u64) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        let mut left = Some(after);
        while let Ok((mut near, _)) = listener.accept() {
            let mut far = connect(server);
            let (mut back, mut to) = (far.try_clone().unwrap(), near.try_clone().unwrap());
            thread::spawn(move || std::io::copy(&mut back, &mut to));
            let left = left.take().unwrap_or(u64::MAX);
            thread::spawn(move || {
                let _ = std::io::copy(&mut Read::by_ref(&mut near).take(left), &mut far);
                let _ = (near.shutdown(Shutdown::Both), far.shutdown(Shutdown::Both));
            });
        }
    });
    address
}

/// It comes back and says the rest; but what was on its way is lost.
#[test]
fn what_is_lost_with_a_connection_is_no_success() {
    let mut server = Program::start("server", &["--listen", "127.0.0.1:0", "--lines", "127.0.0.1:0"]);
    let url = format!("http://{}", cut_once(server.address("listening on http://"), 1 << 20));
    let padding = "x".repeat(500);
    let (printed, code) = pipe(&["--websocket", &url], (0..20_000).map(|nth| format!(r#"typing {nth},"{padding}""#)));
    assert_eq!(printed.lines().filter(|line| *line == "# connected /").count(), 2, "{printed}");
    assert_eq!(code, Some(1), "{printed}");
}

/// Neither help nor an empty line is anything that could be lost.
#[test]
fn who_has_said_nothing_has_lost_nothing() {
    let mut server = Program::start("server", &["--listen", "127.0.0.1:0", "--lines", "127.0.0.1:0"]);
    let far = server.address("listening on http://");
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let mut client = Program::start("client", &["--websocket", &format!("http://{address}")]);
    let (mut input, help) = (client.input.take().unwrap(), client.line());
    let mut until = |wanted: &str| while client.line() != wanted {};
    let pass_on = || {
        let (near, far) = (listener.accept().unwrap().0, connect(far));
        let cut = near.try_clone().unwrap();
        for (mut from, mut to) in [(near.try_clone().unwrap(), far.try_clone().unwrap()), (far, near)] {
            thread::spawn(move || std::io::copy(&mut from, &mut to));
        }
        cut
    };
    let first = pass_on();
    until("# connected /");
    input.write_all(b"\n  \nhelp\n").unwrap();
    until(&help);
    first.shutdown(Shutdown::Both).unwrap();
    let _second = pass_on();
    until("# connected /");
    drop(input);
    let (printed, code) = client.end();
    assert_eq!(code, Some(0), "{printed}");
}

#[test]
fn what_it_ends_with() {
    let mut server = Program::start("server", &["--listen", "127.0.0.1:0", "--lines", "127.0.0.1:0"]);
    let url = format!("http://{}", server.address("listening on http://"));
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let nobody = format!("http://{gone}");
    let many = "echo 1\n".repeat(5000);
    for (args, lines, code) in [
        (&[&*url][..], "", 0),
        (&[&url], "echo 1", 0),
        // The server says goodbye to who has said everything.
        (&[&url], "bye", 0),
        (&[&url], "?echo 1\nno \"end", 1),
        (&[&url], "?", 1),
        (&[&nobody], "", 1),
        (&[&nobody], "echo 1", 1),
        (&[&nobody], &many, 1),
        (&[&url, "--namespace", "/nope"], "", 1),
        (&[&url, "--namespace", "/nope"], "echo 1", 1),
        (&[&url, "--namespace", "/nope"], &many, 1),
    ] {
        let (printed, ended) = pipe(args, lines.lines().map(str::to_owned));
        assert_eq!(ended, Some(code), "{args:?}, {} bytes: {printed}", lines.len());
    }
}

/// The other side ends it while there may be more to say.
#[test]
fn who_is_sent_away_has_failed() {
    let mut server = Program::start("server", &["--listen", "127.0.0.1:0", "--lines", "127.0.0.1:0"]);
    let url = format!("http://{}", server.address("listening on http://"));
    let mut client = Program::start("client", &[&url]);
    let mut input = client.input.take().unwrap();
    input.write_all(b"bye\n").unwrap();
    let (printed, code) = client.end();
    assert_eq!(code, Some(1), "{printed}");
    drop(input);
}

/// As with `client | head -1`.
#[test]
fn who_is_not_read_any_more_ends_quietly() {
    let (output, input) = std::io::pipe().unwrap();
    drop(output);
    let mut client = command("client", &["http://127.0.0.1:1"]).stdout(input).stderr(Stdio::piped()).spawn().unwrap();
    let mut told = String::new();
    client.stderr.take().unwrap().read_to_string(&mut told).unwrap();
    assert_eq!((client.wait().unwrap().code(), &*told), (Some(1), ""));
}
