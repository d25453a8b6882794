//! The file of what paths took.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Instructions by the names of paths, and under what they were counted.
pub struct Record {
    pub setting: String,
    pub counts: BTreeMap<String, f64>,
}

const HEAD: &str =
    "# Instructions of each path, once. Written by `benches/instructions/run record`; see benches/README.md.";

impl Record {
    pub fn read(file: &Path) -> Result<Self, String> {
        let text = fs::read_to_string(file).map_err(|error| format!("{}: {error}", file.display()))?;
        let mut lines = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
        let setting = lines.next().unwrap_or_default().to_owned();
        let count = |line: &str| {
            let (count, name) = line.trim_start().split_once("  ")?;
            Some((name.to_owned(), count.parse().ok()?))
        };
        let counts = lines.map(|line| count(line).ok_or_else(|| format!("{}: {line:?}", file.display())));
        Ok(Self { setting, counts: counts.collect::<Result<_, _>>()? })
    }

    pub fn write(&self, file: &Path, order: impl Iterator<Item = &'static str>) -> Result<(), String> {
        let mut text = format!("{HEAD}\n{}\n\n", self.setting);
        for name in order {
            text.push_str(&format!("{:>12.1}  {name}\n", self.counts[name]));
        }
        fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
    }
}
