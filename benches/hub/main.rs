//! The hub beside other servers of Socket.IO: what a server's processor spends on what clients do. See README.md; `run`
//! beside this file builds what is needed and starts it.

#[path = "../choice.rs"]
mod choice;
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
    let choice = match Choice::parse(std::env::args().skip(1).collect()) {
        Ok(choice) => choice,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    match run(&choice) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// What is to be measured.
struct Choice {
    size: Size,
    passes: usize,
    /// Places in `SERVERS` and `ROWS`.
    servers: Vec<usize>,
    rows: Vec<usize>,
    /// Where servers are: a folder of programs, a program for Node and its modules.
    programs: String,
    node: String,
    modules: String,
}

impl Choice {
    /// Reads the command line, or says what is wrong with it.
    fn parse(mut arguments: Vec<String>) -> Result<Self, String> {
        let usage = "hub-bench [--quick] FOLDER-OF-PROGRAMS PROGRAM-OF-NODE FOLDER-OF-MODULES [SERVER...] [--row WORD]";
        let place = |arguments: &[String], option: &str| arguments.iter().position(|argument| argument == option);
        let quick = place(&arguments, "--quick").map(|at| arguments.remove(at)).is_some();
        let size = if quick { QUICK } else { FULL };
        let row_names = ROWS.map(|row| (row.name)(size));
        let (rows, passes) = match place(&arguments, "--row") {
            None => ((0..ROWS.len()).collect(), PASSES),
            Some(at) if at + 1 == arguments.len() => return Err("--row needs a word".into()),
            Some(at) => {
                let word = arguments.drain(at..at + 2).nth(1).unwrap_or_default();
                (choice::choose("row", &word, &row_names, ROWS.len())?, PASSES_OF_ONE)
            }
        };
        if arguments.len() < 3 {
            return Err(usage.into());
        }
        let mut servers = Vec::new();
        for word in arguments.drain(3..) {
            servers.extend(choice::choose("server", &word, &SERVERS, 1)?);
        }
        if servers.is_empty() {
            servers.extend(0..SERVERS.len());
        }
        // In the order of the table, each once.
        servers.sort_unstable();
        servers.dedup();
        let nothing = |row: &usize| servers == [FLOOR] && !ROWS[*row].has_floor;
        if rows.iter().all(nothing) {
            return Err(format!("{} has no such row: {}", SERVERS[FLOOR], row_names[rows[0]]));
        }
        let [programs, node, modules] = <[String; 3]>::try_from(arguments).map_err(|_| usage)?;
        Ok(Self { size, passes, servers, rows, programs, node, modules })
    }

    fn command(&self, server: usize) -> Vec<String> {
        let Self { programs, node, modules, .. } = self;
        match SERVERS[server] {
            "floor" => vec![format!("{programs}/hub-floor")],
            "roomwire" => {
                let options = ["--listen", "127.0.0.1:0", "--ping-interval", "300"].map(str::to_owned);
                [vec![format!("{programs}/hub_mio")], options.into()].concat()
            }
            "socketioxide" => vec![format!("{programs}/hub-socketioxide")],
            _ => vec!["node".into(), node.clone(), modules.clone()],
        }
    }
}

fn run(choice: &Choice) -> io::Result<()> {
    let (size, chosen) = (choice.size, &choice.servers);
    let needed = size.idle.max(size.members).max(size.connects + size.connects / 5) as u64 + 100;
    if rlimit::increase_nofile_limit(u64::MAX)? < needed {
        return Err(Error::other(format!("{needed} open files are needed")));
    }
    // By row, server and pass.
    let mut samples: [[Vec<Sample>; SERVERS.len()]; ROWS.len()] = Default::default();
    for pass in 0..choice.passes {
        for turn in 0..chosen.len() {
            let place = chosen[(pass + turn) % chosen.len()];
            let server = Server::start(Command::new("taskset").args(["-c", PROCESSOR]).args(choice.command(place)))?;
            for &row in &choice.rows {
                let (row, samples) = (&ROWS[row], &mut samples[row]);
                if place == FLOOR && !row.has_floor {
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

#[cfg(test)]
mod tests {
    use super::*;

    /// Rows and servers that a command line means.
    fn parse(arguments: &str) -> Result<(Vec<usize>, Vec<usize>), String> {
        let arguments = format!("programs node modules {arguments}");
        let choice = Choice::parse(arguments.split_whitespace().map(str::to_owned).collect())?;
        Ok((choice.rows, choice.servers))
    }

    #[test]
    fn what_is_named_is_measured() {
        assert_eq!(parse(""), Ok(((0..7).collect(), vec![0, 1, 2, 3])));
        assert_eq!(parse("Node roomwire Node --quick"), Ok(((0..7).collect(), vec![1, 3])));
        assert_eq!(parse("--row connect oxide roomwire"), Ok((vec![4], vec![1, 2])));
        assert_eq!(parse("floor --row polling"), Ok((vec![5, 6], vec![0])));
    }

    #[test]
    fn what_names_nothing_is_told() {
        for (arguments, told) in [
            ("nope", "no server has \"nope\" in its name; there are:\n  floor"),
            ("--rows connect", "no server has \"--rows\""),
            ("--row nope", "no row has \"nope\" in its name; there are:\n  memory"),
            ("roomwire --row", "--row needs a word"),
            ("floor --row memory", "floor has no such row: memory"),
        ] {
            let error = parse(arguments).unwrap_err();
            assert!(error.starts_with(told), "{arguments}: {error}");
        }
        assert!(Choice::parse(vec!["programs".into()]).is_err());
    }
}
