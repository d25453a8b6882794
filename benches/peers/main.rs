//! roomwire beside its peers, in one process: what a message costs in memory, without any network.
//!
//! Every pass runs each contender once, in an order that rotates; what is printed are medians over all passes, and medians
//! of the ratios within a pass, so that a slow moment of the machine falls on all of them. An argument keeps only the
//! rows whose name contains it.

mod allocations;
#[path = "../choice.rs"]
mod choice;
mod encode;
mod feed;
mod floor;
mod payload;
mod receive;
mod sink;

use std::process::ExitCode;
use std::time::{Duration, Instant};

use encode::Batch;
use payload::Kind;
use receive::Stream;

/// Of each contender and row; odd, so that the median is one of them.
const PASSES: usize = 15;
/// How much a pass moves for each contender, at least: so many bytes, or so many messages.
const PASS_BYTES: usize = 8 << 20;
const PASS_MESSAGES: usize = 64 << 10;
const KIB: usize = 1 << 10;
const MIB: usize = 1 << 20;

/// One way to do a row's work: it makes what it needs, and hands the work itself to the stopwatch.
pub struct Contender<T> {
    pub name: &'static str,
    pub run: fn(&T, &mut Stopwatch),
}

/// Times a piece of work, without what is made ready before it and looked at behind it.
#[derive(Default)]
pub struct Stopwatch {
    /// Whether this is the pass that looks at every byte and whose time does not count.
    pub thorough: bool,
    elapsed: Duration,
    allocations: u64,
}

impl Stopwatch {
    pub fn time<R>(&mut self, work: impl FnOnce() -> R) -> R {
        let (allocations, begin) = (allocations::count(), Instant::now());
        let result = work();
        self.elapsed = begin.elapsed();
        self.allocations = allocations::count() - allocations;
        result
    }
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let (receiving, sending) = (receiving(), sending());
    let names: Vec<String> = receiving.iter().flat_map(Table::names).chain(sending.names()).collect();
    let chosen = match &arguments[..] {
        [] => choice::choose("row", "", &names, usize::MAX),
        [word] => choice::choose("row", word, &names, usize::MAX),
        _ => Err("usage: peers [WORD]; one of several words in quotes".into()),
    };
    let chosen: Vec<&String> = match chosen {
        Ok(places) => places.into_iter().map(|place| &names[place]).collect(),
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    receive::whole_frames_allocate_nothing();
    receiving.iter().for_each(|table| table.show(&chosen));
    sending.show(&chosen);
    println!("Machine: {}", machine());
    ExitCode::SUCCESS
}

fn receiving() -> Vec<Table<Stream>> {
    let mut sizes = vec![];
    for kind in [Kind::Binary, Kind::Ascii, Kind::Mixed] {
        sizes.extend([16, 125, KIB, 16 * KIB, MIB].map(|size| (kind, size, 1)));
    }
    for kind in [Kind::Binary, Kind::Ascii, Kind::Mixed] {
        sizes.extend([125, KIB, 16 * KIB].map(|size| (kind, size, 4)));
    }
    let mut table = Table::new("Receiving masked frames, reads of 64 KiB", receive::CONTENDERS);
    for (kind, size, fragments) in sizes {
        let name = format!("{} {}{}", kind.name(), bytes(size), if fragments > 1 { " in 4" } else { "" });
        table.row(name, move || Stream::new(kind, size, fragments, 64 * KIB));
    }
    let mut tables = vec![table];
    for (title, name, read_bytes) in [
        ("Receiving masked frames, reads of 16 KiB: they fit the nearest cache", "middle", 16 * KIB),
        ("Receiving masked frames, reads of 1,460 bytes", "small", 1460),
    ] {
        let mut table = Table::new(title, receive::CONTENDERS);
        for kind in [Kind::Binary, Kind::Ascii, Kind::Mixed] {
            for size in [16 * KIB, MIB] {
                let name = format!("{} {} {name} reads", kind.name(), bytes(size));
                table.row(name, move || Stream::new(kind, size, 1, read_bytes));
            }
        }
        tables.push(table);
    }
    tables
}

fn sending() -> Table<Batch> {
    let title = "Sending binary messages, as a server and masked as a client";
    let mut table = Table::new(title, encode::CONTENDERS);
    for masked in [false, true] {
        for size in [16, 125, KIB, 16 * KIB, MIB] {
            let name = format!("{} {}", if masked { "client" } else { "server" }, bytes(size));
            table.row(name, move || Batch::new(masked, size));
        }
    }
    table
}

/// What a row moves.
pub trait Work {
    /// How many messages in each pass.
    fn messages(&self) -> usize;
}

/// How often a piece of work is to be done to fill a pass.
pub fn rounds(bytes: usize, messages: usize) -> usize {
    PASS_BYTES.div_ceil(bytes).min(PASS_MESSAGES.div_ceil(messages))
}

struct Table<T: 'static> {
    title: &'static str,
    contenders: &'static [Contender<T>],
    rows: Vec<Row<T>>,
}

struct Row<T> {
    name: String,
    work: Box<dyn Fn() -> T>,
}

impl<T: Work> Table<T> {
    fn new(title: &'static str, contenders: &'static [Contender<T>]) -> Self {
        Self { title, contenders, rows: vec![] }
    }

    fn row(&mut self, name: String, work: impl Fn() -> T + 'static) {
        self.rows.push(Row { name, work: Box::new(work) });
    }

    fn names(&self) -> impl Iterator<Item = String> {
        self.rows.iter().map(|row| row.name.clone())
    }

    /// Measures and prints the rows of these names, if it has any of them.
    fn show(&self, chosen: &[&String]) {
        let rows: Vec<&Row<T>> = self.rows.iter().filter(|row| chosen.contains(&&row.name)).collect();
        if rows.is_empty() {
            return;
        }
        self.head();
        rows.into_iter().for_each(|row| self.measure(row));
        println!();
    }

    fn head(&self) {
        println!("{}: nanoseconds for each message\n", self.title);
        print!("| {:<26} |", "");
        let names = || self.contenders.iter().map(|contender| contender.name);
        names().for_each(|name| print!(" {name:>width$} |", width = width(name)));
        println!(" {:>9} | {:>27} | {:>8} |", "allocs", "roomwire / best peer", "/ floor");
        print!("| {} |", "-".repeat(26));
        names().for_each(|name| print!(" {}: |", "-".repeat(width(name) - 1)));
        println!(" --------: | {}: | -------: |", "-".repeat(26));
    }

    fn measure(&self, row: &Row<T>) {
        let (name, work) = (&row.name, (row.work)());
        let mut times = vec![vec![]; self.contenders.len()];
        let mut roomwire_allocations = 0;
        for pass in 0..=PASSES {
            for turn in 0..self.contenders.len() {
                let place = (pass + turn) % self.contenders.len();
                let mut watch = Stopwatch { thorough: pass == 0, ..Stopwatch::default() };
                (self.contenders[place].run)(&work, &mut watch);
                if pass == 0 {
                    continue;
                }
                times[place].push(watch.elapsed.as_nanos() as f64 / work.messages() as f64);
                if self.contenders[place].name == "roomwire" {
                    roomwire_allocations = watch.allocations;
                }
            }
        }
        let place = |name| self.contenders.iter().position(|contender| contender.name == name).expect("it takes part");
        let (floor, roomwire) = (place("floor"), place("roomwire"));
        let medians: Vec<f64> = times.iter().map(|times| median(times.clone())).collect();
        // The limits and roomwire come first, peers behind them.
        let best = (roomwire + 1..medians.len()).min_by(|a, b| medians[*a].total_cmp(&medians[*b])).expect("peers");
        let ratio = |other: usize| median(times[roomwire].iter().zip(&times[other]).map(|(a, b)| a / b).collect());

        print!("| {name:<26} |");
        for (contender, median) in self.contenders.iter().zip(&medians) {
            print!(" {median:>width$.digits$} |", width = width(contender.name), digits = usize::from(*median < 100.0));
        }
        print!(" {:>9.4} |", roomwire_allocations as f64 / work.messages() as f64);
        println!(" {:>20} {:>6.2} | {:>8.2} |", self.contenders[best].name, ratio(best), ratio(floor));
    }
}

fn width(name: &str) -> usize {
    name.len().max(8)
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn bytes(count: usize) -> String {
    match count {
        MIB.. => format!("{} MiB", count / MIB),
        KIB.. => format!("{} KiB", count / KIB),
        _ => format!("{count} B"),
    }
}

fn machine() -> String {
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let model = info.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let model = model.map_or("unknown processor", |(_, model)| model);
    format!("{model}, {cores} cores; {}-{}", std::env::consts::OS, std::env::consts::ARCH)
}
