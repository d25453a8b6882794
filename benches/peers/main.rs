//! roomwire beside its peers, in one process: what a message costs in memory, without any network.
//!
//! Every pass runs each contender once, in an order that rotates; what is printed are medians over all passes, and medians
//! of the ratios within a pass, so that a slow moment of the machine falls on all of them. An argument keeps only the
//! rows whose name contains it.

mod allocations;
mod encode;
mod feed;
mod floor;
mod payload;
mod receive;
mod sink;

use std::time::{Duration, Instant};

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

fn main() {
    let filter = std::env::args().nth(1).unwrap_or_default();
    receive::whole_frames_allocate_nothing();

    let mut sizes = vec![];
    for kind in [Kind::Binary, Kind::Ascii, Kind::Mixed] {
        sizes.extend([16, 125, KIB, 16 * KIB, MIB].map(|size| (kind, size, 1)));
    }
    for kind in [Kind::Binary, Kind::Ascii, Kind::Mixed] {
        sizes.extend([125, KIB, 16 * KIB].map(|size| (kind, size, 4)));
    }
    let table = Table::new("Receiving masked frames, reads of 64 KiB", &filter, receive::CONTENDERS);
    for &(kind, size, fragments) in &sizes {
        let name = format!("{} {}{}", kind.name(), bytes(size), if fragments > 1 { " in 4" } else { "" });
        table.row(&name, || Stream::new(kind, size, fragments, 64 * KIB));
    }
    table.end();

    for (title, name, read_bytes) in [
        ("Receiving masked frames, reads of 16 KiB: they fit the nearest cache", "middle", 16 * KIB),
        ("Receiving masked frames, reads of 1,460 bytes", "small", 1460),
    ] {
        let table = Table::new(title, &filter, receive::CONTENDERS);
        for kind in [Kind::Binary, Kind::Ascii, Kind::Mixed] {
            for size in [16 * KIB, MIB] {
                let name = format!("{} {} {name} reads", kind.name(), bytes(size));
                table.row(&name, || Stream::new(kind, size, 1, read_bytes));
            }
        }
        table.end();
    }

    let table = Table::new("Sending binary messages, as a server and masked as a client", &filter, encode::CONTENDERS);
    for masked in [false, true] {
        for size in [16, 125, KIB, 16 * KIB, MIB] {
            let name = format!("{} {}", if masked { "client" } else { "server" }, bytes(size));
            table.row(&name, || encode::Batch::new(masked, size));
        }
    }
    table.end();
    println!("Machine: {}", machine());
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
    filter: String,
    contenders: &'static [Contender<T>],
}

impl<T: Work> Table<T> {
    fn new(title: &str, filter: &str, contenders: &'static [Contender<T>]) -> Self {
        println!("{title}: nanoseconds for each message\n");
        print!("| {:<26} |", "");
        contenders.iter().for_each(|contender| print!(" {:>width$} |", contender.name, width = width(contender.name)));
        println!(" {:>9} | {:>27} | {:>8} |", "allocs", "roomwire / best peer", "/ floor");
        print!("| {} |", "-".repeat(26));
        contenders.iter().for_each(|contender| print!(" {}: |", "-".repeat(width(contender.name) - 1)));
        println!(" --------: | {}: | -------: |", "-".repeat(26));
        Self { filter: filter.to_owned(), contenders }
    }

    fn row(&self, name: &str, work: impl FnOnce() -> T) {
        if !name.contains(&self.filter) {
            return;
        }
        let work = work();
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

    fn end(self) {
        println!();
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
