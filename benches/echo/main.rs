//! Echo over loopback: messages for each second of processor that the server takes. See README.md; `run` beside this file
//! builds what is needed and starts it.

mod load;
#[path = "../server.rs"]
mod server;

use std::io;
use std::num::NonZeroUsize;
use std::path::Path;
use std::process::{Command, ExitCode};
use std::time::Duration;

use load::Load;
use server::Server;

/// Of each server and row; odd, so that the median is one of them.
const PASSES: usize = 15;
const SPAN: Duration = Duration::from_millis(250);
/// Before it counts.
const WARM_UP: Duration = Duration::from_millis(50);
/// Connections, and messages in flight on each of them.
const ROWS: [(usize, usize); 6] = [(1, 1), (1, 16), (50, 1), (50, 16), (500, 1), (500, 16)];
const IDLE_CONNECTIONS: usize = 10_000;

/// The limit, ours, then peers.
const SERVERS: [&str; 5] = ["floor", "mio", "tokio", "tokio-tungstenite", "fastwebsockets"];
const PEERS: std::ops::Range<usize> = 3..5;

/// For `run`, which adds the folder of programs.
const USAGE: &str = "usage: benches/echo/run [CONNECTIONS IN-FLIGHT | memory], both numbers 1 at least";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let positive = |number: &str| number.parse().ok().map(NonZeroUsize::get);
    let done = match arguments[..] {
        [programs] => Some(speed(Path::new(programs), &ROWS)),
        [programs, "memory"] => Some(memory(Path::new(programs))),
        [programs, connections, in_flight] => positive(connections)
            .zip(positive(in_flight))
            .map(|(connections, in_flight)| speed(Path::new(programs), &[(connections, in_flight)])),
        _ => None,
    };
    let Some(done) = done else {
        eprintln!("{USAGE}");
        return ExitCode::from(2);
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn speed(programs: &Path, rows: &[(usize, usize)]) -> io::Result<()> {
    rlimit::increase_nofile_limit(u64::MAX)?;
    let servers = SERVERS.map(|name| start(programs, name));
    let servers: Vec<Server> = servers.into_iter().collect::<io::Result<_>>()?;
    println!("Echo of 125 bytes over loopback: thousands of messages for each second of the server's processor\n");
    print!("| connections | in flight |");
    SERVERS.iter().for_each(|name| print!(" {name} |"));
    print!(" mio / best peer | tokio / best peer | mio / floor |");
    SERVERS.iter().for_each(|name| print!(" load / {name} |"));
    println!("\n|{}", " --: |".repeat(2 * SERVERS.len() + 5));
    for &(connections, in_flight) in rows {
        row(&servers, connections, in_flight)?;
    }
    println!();
    Ok(())
}

fn row(servers: &[Server], connections: usize, in_flight: usize) -> io::Result<()> {
    let (mut rates, mut loads) = (vec![vec![]; servers.len()], vec![vec![]; servers.len()]);
    for pass in 0..PASSES {
        for turn in 0..servers.len() {
            let place = (pass + turn) % servers.len();
            let mut load = Load::connect(servers[place].address, connections, in_flight)?;
            load.run(&servers[place], WARM_UP)?;
            let work = load.run(&servers[place], SPAN)?;
            rates[place].push(work.messages as f64 / work.server.as_secs_f64() / 1000.0);
            loads[place].push(work.load.as_secs_f64() / work.server.as_secs_f64());
        }
    }
    let medians: Vec<f64> = rates.iter().cloned().map(median).collect();
    let best = PEERS.max_by(|a, b| medians[*a].total_cmp(&medians[*b])).expect("there are peers");
    // Within a pass, so that a slow moment of the machine falls on both.
    let ratio = |a: usize, b: usize| median(rates[a].iter().zip(&rates[b]).map(|(a, b)| a / b).collect());
    print!("| {connections} | {in_flight} |");
    medians.iter().for_each(|median| print!(" {median:.0} |"));
    print!(" {:.2} | {:.2} | {:.2} |", ratio(1, best), ratio(2, best), ratio(1, 0));
    loads.into_iter().for_each(|loads| print!(" {:.2} |", median(loads)));
    println!();
    Ok(())
}

/// What a connection holds that has been used and is idle.
fn memory(programs: &Path) -> io::Result<()> {
    let limit = rlimit::increase_nofile_limit(u64::MAX)?;
    if limit < IDLE_CONNECTIONS as u64 + 100 {
        return Err(io::Error::other(format!("{IDLE_CONNECTIONS} connections, but {limit} open files at most")));
    }
    println!("| server | bytes of memory for each of {IDLE_CONNECTIONS} idle connections |\n| :-- | --: |");
    for name in SERVERS {
        let server = start(programs, name)?;
        let mut first = Load::connect(server.address, 1, 1)?;
        first.round()?;
        let before = server.memory()?;
        let mut load = Load::connect(server.address, IDLE_CONNECTIONS, 1)?;
        load.round()?;
        // Whoever was served after it has seen the end of it.
        first.round()?;
        // Less, where what was there before has been given back.
        let growth = server.memory()? as f64 - before as f64;
        println!("| {name} | {:.0} |", growth / IDLE_CONNECTIONS as f64);
    }
    Ok(())
}

fn start(programs: &Path, name: &str) -> io::Result<Server> {
    // As many threads as `mio` and `floor` have.
    Server::start(Command::new(programs.join(name)).args(["--listen", "127.0.0.1:0"]).env("TOKIO_WORKER_THREADS", "1"))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
