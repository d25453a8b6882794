//! How many instructions the hot paths take, held against what was recorded; and that work is linear where a peer chooses
//! how much there is to do. See benches/README.md; `run` beside this file is the way to start it.

#[path = "../choice.rs"]
mod choice;
mod paths;
mod record;
mod section;
mod valgrind;

use std::path::Path;
use std::process::ExitCode;

use paths::{BYTEWISE_MAX, Bytewise, LINEAR_MAX, bytewise, hot, linear};
use record::Record;

/// What a path may take more than was recorded, or less, as a part of it.
const TOLERANCE: f64 = 0.03;

/// Why there is nothing to show, and what the program ends with.
enum Failure {
    /// Something does not hold: 1.
    Fails(String),
    /// The command was not understood: 2.
    Misused(String),
}

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (told, code) = match obey(&arguments) {
        Ok(()) => return ExitCode::SUCCESS,
        Err(Failure::Fails(told)) => (told, 1),
        Err(Failure::Misused(told)) => (told, 2),
    };
    eprintln!("{told}");
    ExitCode::from(code)
}

fn obey(arguments: &[&str]) -> Result<(), Failure> {
    const USAGE: &str =
        "instructions check FILE WORD | record FILE | setting | name WORD | names WORD | run NAME TIMES";
    match arguments {
        ["run", name, times] => run(name, times).map_err(Failure::Misused),
        ["name", word] => name(word).map(|name| println!("{name}")).map_err(Failure::Misused),
        ["names", word] => {
            names(word, usize::MAX).map(|names| println!("{}", names.join("\n"))).map_err(Failure::Misused)
        }
        ["setting"] => setting().map(|setting| println!("{setting}")).map_err(Failure::Fails),
        ["record", file] => record(Path::new(file)).map_err(Failure::Fails),
        ["check", file, word] => {
            names(word, usize::MAX).map_err(Failure::Misused)?;
            check(Path::new(file), word).map_err(Failure::Fails)
        }
        _ => Err(Failure::Misused(USAGE.into())),
    }
}

/// What valgrind watches.
fn run(name: &str, times: &str) -> Result<(), String> {
    let path = paths::find(name).ok_or_else(|| format!("no path is named {name:?}"))?;
    path(times.parse().map_err(|error| format!("{times:?} times: {error}"))?);
    Ok(())
}

/// The names of the paths that are meant, at most so many.
fn names(word: &str, most: usize) -> Result<Vec<&'static str>, String> {
    let names = paths::names();
    Ok(choice::choose("path", word, &names, most)?.into_iter().map(|place| names[place]).collect())
}

/// The name of the one that is meant; of what is only taken off others by its whole name.
fn name(word: &str) -> Result<&str, String> {
    match paths::find(word) {
        Some(_) => Ok(word),
        None => Ok(names(word, 1)?[0]),
    }
}

fn setting() -> Result<String, String> {
    valgrind::setting().map_err(|error| error.to_string())
}

fn record(file: &Path) -> Result<(), String> {
    let setting = setting()?;
    let counts = measure("")?.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    Record { setting, counts }.write(file, hot().map(|path| path.name))?;
    println!("recorded in {}", file.display());
    Ok(())
}

/// What each path takes once, of those with `word` in their name.
fn measure(word: &str) -> Result<Vec<(&'static str, f64)>, String> {
    let paths: Vec<_> = hot().filter(|path| path.name.contains(word)).collect();
    let jobs: Vec<_> = paths.iter().map(|path| (path.name, path.times)).collect();
    let counts = valgrind::count_all(&jobs)?;
    Ok(paths.iter().zip(counts).map(|(path, count)| (path.name, count as f64 / path.times as f64)).collect())
}

fn check(file: &Path, word: &str) -> Result<(), String> {
    let mut failures = Vec::new();
    compare(&Record::read(file)?, word, &mut failures)?;
    weigh(word, &mut failures)?;
    cut(word, &mut failures)?;
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures.join("\n"))
}

/// Holds each path against the record. One that is new has none to be held against, and one that is gone holds nothing:
/// both have to be recorded, or the file says less than it seems to.
fn compare(record: &Record, word: &str, failures: &mut Vec<String>) -> Result<(), String> {
    let setting = setting()?;
    let comparable = record.setting == setting;
    if !comparable {
        println!("{}", rule('!'));
        println!("NOTHING IS COMPARED. Recorded: {}", record.setting);
        println!("                         Here: {setting}");
        println!("{}\n", rule('!'));
    }
    println!("{:>12} {:>12} {:>8}  instructions", "recorded", "now", "");
    let mut fallen = Vec::new();
    for (name, now) in measure(word)? {
        let Some(recorded) = record.counts.get(name) else {
            println!("{:>12} {now:>12.1} {:>8}  {name}", "-", "");
            failures.push(format!("NOT RECORDED: {name}; record anew"));
            continue;
        };
        let change = now / recorded - 1.0;
        println!("{recorded:>12.1} {now:>12.1} {:>+7.1}%  {name}", 100.0 * change);
        if comparable && change > TOLERANCE {
            failures.push(format!("ROSE by {:.1} %: {name}, {recorded:.1} to {now:.1} instructions", 100.0 * change));
        } else if comparable && change < -TOLERANCE {
            fallen.push(format!("fell by {:.1} %: {name}; record anew, or it may rise again unseen", -100.0 * change));
        }
    }
    let gone = record.counts.keys().filter(|name| hot().all(|path| path.name != *name));
    failures.extend(gone.map(|name| format!("RECORDED, but no path any more: {name}; record anew")));
    println!("{}", fallen.join("\n"));
    Ok(())
}

/// Twice the input must not take more than about twice the instructions.
fn weigh(word: &str, failures: &mut Vec<String>) -> Result<(), String> {
    let paths: Vec<_> = linear().filter(|path| path.name.contains(word)).collect();
    let jobs: Vec<_> = paths.iter().flat_map(|path| [(path.name, path.units), (path.name, path.units * 2)]).collect();
    let counts = valgrind::count_all(&jobs)?;
    println!("{:>12} {:>12} {:>8}  instructions for n, for 2n", "n", "2n", "ratio");
    for (path, pair) in paths.iter().zip(counts.as_chunks::<2>().0) {
        let ratio = pair[1] as f64 / pair[0] as f64;
        println!("{:>12} {:>12} {ratio:>8.2}  {}, n = {}", pair[0], pair[1], path.name, path.units);
        if ratio > LINEAR_MAX {
            failures.push(format!("NOT LINEAR: {}, {ratio:.2} times the instructions for twice the input", path.name));
        }
    }
    Ok(())
}

/// What comes byte by byte must not take much more than in one piece.
fn cut(word: &str, failures: &mut Vec<String>) -> Result<(), String> {
    let paths: Vec<_> = bytewise().filter(|path| path.name.contains(word)).collect();
    let jobs = |path: &&Bytewise| [path.name, path.alone.0].map(|name| [(name, usize::MAX), (name, 1)]);
    let counts = valgrind::count_all(paths.iter().flat_map(jobs).collect::<Vec<_>>().as_flattened())?;
    println!("{:>12} {:>12} {:>8}  instructions for one piece, for single bytes", "one", "bytes", "ratio");
    for (path, [one, bytes, one_alone, bytes_alone]) in paths.iter().zip(counts.as_chunks().0) {
        let (one, bytes) = (one - one_alone, bytes - bytes_alone);
        let ratio = bytes as f64 / one as f64;
        println!("{one:>12} {bytes:>12} {ratio:>8.2}  {}", path.name);
        if ratio > BYTEWISE_MAX {
            failures.push(format!("BYTE BY BYTE: {}, {ratio:.2} times the instructions of one piece", path.name));
        }
    }
    Ok(())
}

fn rule(character: char) -> String {
    character.to_string().repeat(100)
}
