//! What the sources promise about themselves: no hidden clock or random source, layers that know only
//! what lies below them, files that stay short.

use std::fs;
use std::path::{Path, PathBuf};

/// A source file without its tests and without comments.
struct Source {
    path: String,
    lines: Vec<String>,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut paths = Vec::new();
    collect(&root, &mut paths);
    assert!(paths.len() >= 20, "only {} files found", paths.len());
    paths.sort();
    paths.iter().map(|path| source(&root, path)).collect()
}

fn collect(folder: &Path, paths: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            collect(&path, paths);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            paths.push(path);
        }
    }
}

fn source(root: &Path, path: &Path) -> Source {
    let text = fs::read_to_string(path).unwrap();
    let path = path.strip_prefix(root).unwrap().to_string_lossy().replace('\\', "/");
    Source { path, lines: code(&text) }
}

/// The lines before the tests, which stand last in a file. Comments and what a test alone sees are blanked.
fn code(text: &str) -> Vec<String> {
    let mut lines = Vec::new();
    let mut previous = "";
    for line in text.lines() {
        let trimmed = line.trim_start();
        if previous == "#[cfg(test)]" && trimmed.starts_with("mod ") && trimmed.ends_with('{') {
            break;
        }
        let hidden = trimmed.starts_with("//") || previous == "#[cfg(test)]";
        lines.push(if hidden { String::new() } else { line.to_owned() });
        previous = line.trim();
    }
    lines
}

/// Whether `line` has `word` standing by itself.
fn mentions(line: &str, word: &str) -> bool {
    line.match_indices(word).any(|(at, _)| {
        let joins = |character: char| character.is_alphanumeric() || character == '_';
        !line[..at].ends_with(joins) && !line[at + word.len()..].starts_with(joins)
    })
}

#[test]
fn no_hidden_clock_or_random_source() {
    let hidden =
        ["Instant::now", "SystemTime", "getrandom", "OsRng", "SysRng", "thread_rng", "from_os_rng", "RandomState"];
    for source in sources() {
        for (nth, line) in source.lines.iter().enumerate() {
            for word in hidden {
                assert!(!mentions(line, word), "src/{}:{}: {word}", source.path, nth + 1);
            }
        }
    }
}

/// What is told may become more: events, errors and reasons are open enums.
#[test]
fn what_is_told_may_become_more() {
    let mut seen = 0;
    for source in sources() {
        let mut open = false;
        for (nth, line) in source.lines.iter().enumerate() {
            open |= line.trim() == "#[non_exhaustive]";
            let name = line.strip_prefix("pub enum ").map(|rest| rest.split(['<', ' ']).next().unwrap_or_default());
            if let Some(name) = name.filter(|name| ["Event", "Error", "Reason"].iter().any(|end| name.ends_with(end))) {
                assert!(open, "src/{}:{}: {name} without #[non_exhaustive]", source.path, nth + 1);
                seen += 1;
            }
            // Attributes stand right before what they are for.
            open &= line.starts_with("#[") || line.is_empty();
        }
    }
    assert!(seen >= 20, "only {seen} found");
}

/// `std` only where the feature is on: directly below its `cfg`.
#[test]
fn nothing_of_std_without_the_feature() {
    for source in sources() {
        let mut gated = false;
        for (nth, line) in source.lines.iter().enumerate() {
            let named = mentions(line, "std") && (line.contains("std::") || line.contains("extern crate"));
            assert!(!named || gated, "src/{}:{}: std", source.path, nth + 1);
            gated = line.contains("feature = \"std\"");
        }
    }
}

/// The layers from below to above; each may use those before it.
const LAYERS: [&str; 7] = ["http", "ws", "lines", "engineio", "socketio", "hub", "client"];
/// Layers side by side: the first must not use the second.
const APART: [(&str, &str); 1] = [("client", "hub")];
const GROUND: [&str; 9] = ["cursor", "time", "entropy", "utf8", "words", "outbox", "stall", "stream", "outflow"];

/// The modules that a line takes from the crate by `crate::` paths, braces included.
fn imports(line: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        if let Some(group) = rest.strip_prefix('{') {
            let mut depth = 0;
            let mut member = String::new();
            for character in group.chars().chain([',']) {
                match character {
                    '{' => depth += 1,
                    '}' if depth == 0 => break,
                    '}' => depth -= 1,
                    ',' if depth == 0 => found.push(first_word(&std::mem::take(&mut member))),
                    _ => {}
                }
                if !(character == ',' && depth == 0) {
                    member.push(character);
                }
            }
            found.push(first_word(&member));
        } else {
            found.push(first_word(rest));
        }
    }
    found.retain(|word| !word.is_empty());
    found
}

fn first_word(text: &str) -> String {
    text.trim().chars().take_while(|character| character.is_alphanumeric() || *character == '_').collect()
}

#[test]
fn layers_know_only_what_lies_below_them() {
    let reexported = [("Instant", "time"), ("Entropy", "entropy"), ("Stream", "stream")];
    let mut checked = 0;
    for source in sources() {
        let folder = match source.path.split_once('/') {
            Some((folder, _)) => folder.to_owned(),
            None => source.path.trim_end_matches(".rs").to_owned(),
        };
        if folder == "lib" {
            continue;
        }
        let level = LAYERS.iter().position(|layer| *layer == folder);
        assert!(level.is_some() || GROUND.contains(&folder.as_str()), "src/{}: a layer that nobody knows", source.path);
        // Joined, so that an import over several lines is one.
        let text: String = source.lines.join(" ");
        for found in imports(&text) {
            let module =
                reexported.iter().find(|(name, _)| *name == found).map_or(found.as_str(), |(_, module)| module);
            let above = LAYERS.iter().position(|layer| *layer == module);
            let allowed = match (level, above) {
                // The ground knows itself alone.
                (None, above) => above.is_none() && GROUND.contains(&module),
                (Some(level), Some(above)) => above <= level && !APART.contains(&(folder.as_str(), module)),
                (Some(_), None) => GROUND.contains(&module),
            };
            assert!(allowed, "src/{}: imports {module}", source.path);
            checked += 1;
        }
    }
    assert!(checked > 10, "only {checked} imports found");
}

/// A layer must not reach beside or above itself by relative paths either.
#[test]
fn nobody_climbs_out_of_its_layer() {
    for source in sources() {
        let depth = source.path.matches('/').count();
        for (nth, line) in source.lines.iter().enumerate() {
            let climbs = "super::".repeat(depth + 1);
            assert!(!line.contains(&climbs) || depth == 0, "src/{}:{}: climbs", source.path, nth + 1);
        }
    }
}

#[test]
fn files_are_short() {
    for source in sources() {
        assert!(source.lines.len() <= 600, "src/{} has {} lines without its tests", source.path, source.lines.len());
    }
}

/// c13, x05: what cannot be written cannot go wrong.
#[test]
fn c13_x05_the_lints_that_hold_the_core() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/lib.rs");
    let text = fs::read_to_string(root).unwrap();
    for lint in [
        "#![no_std]",
        "#![forbid(unsafe_code)]",
        "clippy::unwrap_used",
        "clippy::expect_used",
        "clippy::panic",
        "clippy::indexing_slicing",
        "clippy::arithmetic_side_effects",
        "missing_docs",
    ] {
        assert!(text.contains(lint), "{lint} is gone");
    }
    for source in sources() {
        for (nth, line) in source.lines.iter().enumerate() {
            for lint in ["unwrap_used", "expect_used", "clippy::panic", "indexing_slicing", "arithmetic_side_effects"] {
                let allowed = line.contains("allow(") && line.contains(lint);
                assert!(!allowed, "src/{}:{}: {lint} is allowed", source.path, nth + 1);
            }
        }
    }
}

/// The rules above see what they are to see.
#[test]
fn the_rules_can_fail() {
    assert_eq!(imports("use crate::{http::{Request, Response}, ws, time::Instant};"), ["http", "ws", "time"]);
    assert_eq!(imports("fn a(b: crate::hub::Hub, c: &crate::ws::Config) {}"), ["hub", "ws"]);
    assert!(mentions("std::time::Instant::now()", "Instant::now") && !mentions("MyInstant::nowhere", "Instant::now"));
    let text = "a\n// Instant::now\n#[cfg(test)]\nuse b;\nc\n#[cfg(test)]\nmod tests {\nd\n}";
    assert_eq!(code(text), ["a", "", "#[cfg(test)]", "", "c", "#[cfg(test)]"]);
}
