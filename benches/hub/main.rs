//! The hub beside other servers of Socket.IO: what a server's processor spends on what clients do. See README.md; `run`
//! beside this file builds what is needed and starts it.

mod client;
mod crowd;
mod load;
#[path = "../server.rs"]
mod server;

use std::io::{self, Error};
use std::process::{Command, ExitCode};
use std::time::Duration;

use load::{Size, Work};
use server::Server;

/// Of each server; odd, so that the median is one of them.
const PASSES: usize = 3;
/// The same where one row is measured alone.
const PASSES_OF_ONE: usize = 11;
const FULL: Size =
    Size { members: 1000, askers: 100, connects: 3000, pollers: 50, idle: 2500, span: Duration::from_millis(1500) };
/// To see that everything works: figures mean nothing.
const QUICK: Size =
    Size { members: 20, askers: 5, connects: 20, pollers: 3, idle: 20, span: Duration::from_millis(20) };

/// The limit, ours, then peers.
const SERVERS: [&str; 4] = ["floor", "roomwire", "socketioxide", "Node"];
const FLOOR: usize = 0;
const OURS: usize = 1;

/// The processor that the server under measurement may use; `run` puts this process on another.
const PROCESSOR: &str = "0";

/// How one thing is measured, and what one of it is called.
struct Row {
    name: fn(Size) -> String,
    unit: &'static str,
    /// From microseconds, or from bytes.
    scale: f64,
    has_floor: bool,
    measure: fn(&Server, Size) -> io::Result<Sample>,
}

struct Sample {
    value: f64,
    /// What the load took of processors for what the server took.
    load: Option<f64>,
    violations: u64,
}

impl From<Work> for Sample {
    fn from(work: Work) -> Self {
        Self { value: work.micros(), load: Some(work.load_ratio()), violations: work.violations }
    }
}

/// Memory first: what a process has freed before would hide what clients hold.
const ROWS: [Row; 7] = [
    Row {
        name: |size| format!("memory of an idle client, of {}", size.idle),
        unit: "KB",
        scale: 1e-3,
        has_floor: false,
        measure: |server, size| Ok(Sample { value: load::idle(server, size)?, load: None, violations: 0 }),
    },
    Row {
        name: |size| format!("broadcast to {}, 1 in flight", size.members),
        unit: "s for a million deliveries",
        scale: 1.0,
        has_floor: true,
        measure: |server, size| Ok(load::broadcast(server, size, 1)?.into()),
    },
    Row {
        name: |size| format!("broadcast to {}, 4 in flight", size.members),
        unit: "s for a million deliveries",
        scale: 1.0,
        has_floor: true,
        measure: |server, size| Ok(load::broadcast(server, size, 4)?.into()),
    },
    Row {
        name: |size| format!("emit and acknowledgement, {} clients", size.askers),
        unit: "s for a million",
        scale: 1.0,
        has_floor: true,
        measure: |server, size| Ok(load::ask(server, size)?.into()),
    },
    Row {
        name: |size| format!("connect, {} clients", size.connects),
        unit: "ms each",
        scale: 1e-3,
        has_floor: true,
        measure: |server, size| Ok(load::connect(server, size)?.into()),
    },
    Row {
        name: |size| format!("long polling, POST and GET, {} sessions", size.pollers),
        unit: "s for a million",
        scale: 1.0,
        has_floor: true,
        measure: |server, size| Ok(load::poll(server, size, load::BARE)?.into()),
    },
    Row {
        name: |size| format!("long polling, heads of a browser, {} sessions", size.pollers),
        unit: "s for a million",
        scale: 1.0,
        has_floor: true,
        measure: |server, size| Ok(load::poll(server, size, load::BROWSER)?.into()),
    },
];

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> io::Result<()> {
    let mut arguments: Vec<String> = std::env::args().skip(1).collect();
    let quick = arguments.iter().position(|argument| argument == "--quick").map(|at| arguments.remove(at)).is_some();
    let word = arguments.iter().position(|argument| argument == "--row").map(|at| arguments.drain(at..).nth(1));
    let [programs, node, modules, only @ ..] = &arguments[..] else {
        let usage = "hub-bench [--quick] FOLDER-OF-PROGRAMS PROGRAM-OF-NODE FOLDER-OF-MODULES [SERVER...] [--row WORD]";
        return Err(Error::other(usage));
    };
    let size = if quick { QUICK } else { FULL };
    let passes = if word.is_some() { PASSES_OF_ONE } else { PASSES };
    let measured = |row: &Row| match &word {
        Some(word) => word.as_ref().is_some_and(|word| (row.name)(size).contains(word)),
        None => true,
    };
    let needed = size.idle.max(size.members).max(size.connects + size.connects / 5) as u64 + 100;
    if rlimit::increase_nofile_limit(u64::MAX)? < needed {
        return Err(Error::other(format!("{needed} open files are needed")));
    }
    let command = |server: usize| match SERVERS[server] {
        "floor" => vec![format!("{programs}/hub-floor")],
        "roomwire" => {
            let options = ["--listen", "127.0.0.1:0", "--ping-interval", "300"].map(str::to_owned);
            [vec![format!("{programs}/hub_mio")], options.into()].concat()
        }
        "socketioxide" => vec![format!("{programs}/hub-socketioxide")],
        _ => vec!["node".into(), node.clone(), modules.clone()],
    };
    let chosen = |server: &usize| only.is_empty() || only.iter().any(|only| *only == SERVERS[*server]);
    let chosen: Vec<usize> = (0..SERVERS.len()).filter(chosen).collect();
    // By row, server and pass.
    let mut samples: [[Vec<Sample>; SERVERS.len()]; ROWS.len()] = Default::default();
    for pass in 0..passes {
        for turn in 0..chosen.len() {
            let place = chosen[(pass + turn) % chosen.len()];
            let server = Server::start(Command::new("taskset").args(["-c", PROCESSOR]).args(command(place)))?;
            for (row, samples) in ROWS.iter().zip(&mut samples) {
                if !measured(row) || place == FLOOR && !row.has_floor {
                    continue;
                }
                let sample = (row.measure)(&server, size)
                    .map_err(|error| Error::other(format!("{}, {}: {error}", SERVERS[place], (row.name)(size))))?;
                samples[place].push(sample);
            }
        }
    }
    report(size, &samples);
    Ok(())
}

fn report(size: Size, samples: &[[Vec<Sample>; SERVERS.len()]; ROWS.len()]) {
    print!("| | |");
    SERVERS.iter().for_each(|name| print!(" {name} |"));
    print!(" roomwire / floor |");
    SERVERS[OURS + 1..].iter().for_each(|name| print!(" {name} / roomwire |"));
    SERVERS.iter().for_each(|name| print!(" load / {name} |"));
    println!("\n| :-- | :-- |{}", " --: |".repeat(3 * SERVERS.len() - 1));
    for (row, samples) in ROWS.iter().zip(samples).filter(|(_, samples)| samples.iter().any(|some| !some.is_empty())) {
        print!("| {} | {} |", (row.name)(size), row.unit);
        for samples in samples {
            show(samples.iter().map(|sample| sample.value * row.scale), 3);
        }
        // Within a pass, so that a slow moment of the machine falls on both.
        let ratio = |a: usize, b: usize| {
            show(samples[a].iter().zip(&samples[b]).map(|(a, b)| a.value / b.value), 2);
        };
        ratio(OURS, FLOOR);
        (OURS + 1..SERVERS.len()).for_each(|peer| ratio(peer, OURS));
        for samples in samples {
            show(samples.iter().filter_map(|sample| sample.load), 2);
        }
        println!();
    }
    print!("\nbroadcasts out of order or lost:");
    for (server, name) in SERVERS.iter().enumerate() {
        let violations: u64 = samples.iter().flat_map(|row| &row[server]).map(|sample| sample.violations).sum();
        print!(" {name} {violations}");
    }
    println!();
}

/// A median, or that there is none.
fn show(values: impl Iterator<Item = f64>, decimals: usize) {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    match values.get(values.len() / 2) {
        Some(value) => print!(" {value:.decimals$} |"),
        None => print!(" – |"),
    }
}
