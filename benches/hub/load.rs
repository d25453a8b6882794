//! What is measured: each a load by one thread that asks for as little as it can, so that it is the servers that are measured.

use std::io::{self, Error, Write};
use std::time::{Duration, Instant};

use crate::client::{Client, unexpected};
use crate::crowd::Crowd;
use crate::server::{Server, own_cpu};
use script::{CONNECT, PONG, echo, echoed, masked, plain};

/// How much is done.
#[derive(Clone, Copy)]
pub struct Size {
    pub members: usize,
    pub askers: usize,
    pub connects: usize,
    pub pollers: usize,
    pub idle: usize,
    /// Of each measurement, as long as that has no number of its own.
    pub span: Duration,
}

/// What was done, and what that took of processors.
pub struct Work {
    pub count: u64,
    pub server: Duration,
    pub load: Duration,
    /// Broadcasts that came to a client in another order than they were sent in, or not.
    pub violations: u64,
}

impl Work {
    /// Microseconds of the server for one; or seconds for a million.
    pub fn micros(&self) -> f64 {
        self.server.as_secs_f64() * 1e6 / self.count as f64
    }

    pub fn load_ratio(&self) -> f64 {
        self.load.as_secs_f64() / self.server.as_secs_f64()
    }
}

/// Does something, and says what that took; the steps of it count what they have done.
fn measure(server: &Server, work: impl FnOnce() -> io::Result<u64>) -> io::Result<Work> {
    let (server_before, load_before) = (server.cpu()?, own_cpu()?);
    let count = work()?;
    Ok(Work { count, server: server.cpu()? - server_before, load: own_cpu()? - load_before, violations: 0 })
}

/// Steps until so much time is over.
fn repeat(span: Duration, mut step: impl FnMut() -> io::Result<u64>) -> io::Result<u64> {
    let (begin, mut count) = (Instant::now(), 0);
    while begin.elapsed() < span {
        count += step()?;
    }
    Ok(count)
}

/// Before it counts: a fifth of the time.
fn warm_up(span: Duration) -> Duration {
    span / 5
}

/// Deliveries of broadcasts to everybody, of which so many are on their way.
pub fn broadcast(server: &Server, size: Size, in_flight: usize) -> io::Result<Work> {
    let mut crowd = Crowd::gather(Client::settled(server.address, size.members)?, in_flight)?;
    repeat(warm_up(size.span), || crowd.step())?;
    let mut work = measure(server, || repeat(size.span, || crowd.step()))?;
    crowd.finish()?;
    work.violations = crowd.violations;
    Ok(work)
}

/// Events with their acknowledgements. All ask, then all answers are read, last first: whoever was asked last is answered last,
/// mostly, so this thread sleeps once in a round and is not woken by each answer, for which the server would pay.
pub fn ask(server: &Server, size: Size) -> io::Result<Work> {
    let mut clients = Client::settled(server.address, size.askers)?;
    let (question, answer) = (masked(&echo()), plain(&echoed()));
    let mut round = || {
        for client in &mut clients {
            client.stream.write_all(&question)?;
        }
        for client in clients.iter_mut().rev() {
            client.expect_frame(&answer)?;
        }
        Ok(clients.len() as u64)
    };
    repeat(warm_up(size.span), &mut round)?;
    measure(server, || repeat(size.span, &mut round))
}

/// Connections to the main namespace; they end when it was measured.
pub fn connect(server: &Server, size: Size) -> io::Result<Work> {
    // They stay, or their end would be measured too.
    let _warm_up = Client::connect(server.address, size.connects / 5)?;
    let mut clients = Vec::new();
    measure(server, || {
        clients = Client::connect(server.address, size.connects)?;
        Ok(clients.len() as u64)
    })
}

/// Bytes of memory for a client that has had one acknowledgement and says nothing more.
pub fn idle(server: &Server, size: Size) -> io::Result<f64> {
    // What a server has only once is there after this one.
    let _first = Client::settled(server.address, 1)?;
    let before = server.memory()?;
    let clients = Client::settled(server.address, size.idle)?;
    let after = server.memory()?;
    Ok((after as f64 - before as f64) / clients.len() as f64)
}

/// What a head says beside what it must: nothing, or what Chromium 130 says in a GET from a page of the same server.
pub const BARE: &str = "";
pub const BROWSER: &str = "Connection: keep-alive\r\n\
    sec-ch-ua-platform: \"Linux\"\r\n\
    User-Agent: Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Safari/537.36\r\n\
    sec-ch-ua: \"Chromium\";v=\"130\", \"Not?A_Brand\";v=\"99\"\r\n\
    sec-ch-ua-mobile: ?0\r\n\
    Accept: */*\r\n\
    Sec-Fetch-Site: same-origin\r\n\
    Sec-Fetch-Mode: cors\r\n\
    Sec-Fetch-Dest: empty\r\n\
    Referer: http://localhost/\r\n\
    Accept-Encoding: gzip, deflate, br, zstd\r\n\
    Accept-Language: en-US,en;q=0.9\r\n";

/// Pairs of a POST with an event and a GET that has waited for its acknowledgement, each with these lines in its head.
pub fn poll(server: &Server, size: Size, lines: &str) -> io::Result<Work> {
    let mut sessions = (0..size.pollers).map(|_| Session::open(server, lines)).collect::<io::Result<Vec<_>>>()?;
    let answer = echoed();
    let mut round = || {
        for session in &mut sessions {
            session.get.stream.write_all(&session.getting)?;
            session.post.stream.write_all(&session.asking)?;
        }
        for session in sessions.iter_mut().rev() {
            session.post.expect("ok")?;
            let got = session.answer()?;
            if got != answer {
                return Err(unexpected("acknowledgement", got.as_bytes()));
            }
        }
        Ok(sessions.len() as u64)
    };
    repeat(warm_up(size.span), &mut round)?;
    measure(server, || repeat(size.span, &mut round))
}

/// A session on long polling, with a connection for each direction, as browsers have them.
struct Session {
    get: Client,
    post: Client,
    getting: Vec<u8>,
    asking: Vec<u8>,
    ponging: Vec<u8>,
}

impl Session {
    fn open(server: &Server, lines: &str) -> io::Result<Self> {
        let request = |method: &str, query: &str, body: &str| request(method, query, lines, body);
        let (mut get, mut post) = (Client::open(server.address)?, Client::open(server.address)?);
        get.stream.write_all(&request("GET", "", ""))?;
        let open = get.body()?;
        let sid = open.split('"').nth(3).ok_or_else(|| unexpected("opening", open.as_bytes()))?;
        let query = format!("&sid={sid}");
        let getting = request("GET", &query, "");
        post.stream.write_all(&request("POST", &query, CONNECT))?;
        post.expect("ok")?;
        let ponging = request("POST", &query, PONG);
        get.stream.write_all(&getting)?;
        let asking = request("POST", &query, &echo());
        let mut session = Self { get, post, getting, asking, ponging };
        let connected = session.answer()?;
        if !connected.starts_with("40{") {
            return Err(unexpected("connect", connected.as_bytes()));
        }
        Ok(session)
    }

    /// The packet that the GET on its way brings, or the next if that is a ping; pings are answered.
    fn answer(&mut self) -> io::Result<String> {
        loop {
            let packets = self.get.body()?;
            let (pings, others): (Vec<&str>, Vec<&str>) = packets.split('\x1e').partition(|packet| *packet == "2");
            if !pings.is_empty() {
                self.post.stream.write_all(&self.ponging)?;
                self.post.expect("ok")?;
            }
            if !others.is_empty() {
                return Ok(others.join("\x1e"));
            }
            self.get.stream.write_all(&self.getting)?;
        }
    }
}

fn request(method: &str, query: &str, lines: &str, body: &str) -> Vec<u8> {
    let kind = if body.is_empty() { "" } else { "Content-Type: text/plain;charset=UTF-8\r\n" };
    let length = if body.is_empty() { String::new() } else { format!("Content-Length: {}\r\n", body.len()) };
    format!(
        "{method} /socket.io/?EIO=4&transport=polling{query} HTTP/1.1\r\nHost: localhost\r\n{lines}{kind}{length}\r\n{body}"
    )
    .into_bytes()
}

impl Client {
    fn body(&mut self) -> io::Result<String> {
        let head = String::from_utf8_lossy(&self.head()?).to_ascii_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length:")?.trim().parse().ok());
        match length {
            Some(length) if head.starts_with("http/1.1 200") => {
                String::from_utf8(self.take(length)?).map_err(Error::other)
            }
            _ => Err(unexpected("response", head.as_bytes())),
        }
    }

    fn expect(&mut self, body: &str) -> io::Result<()> {
        let got = self.body()?;
        if got == body { Ok(()) } else { Err(unexpected("body", got.as_bytes())) }
    }
}
