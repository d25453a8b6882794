//! The form in which events are typed and printed.

use std::error::Error;
use std::fmt::Display;
use std::io::{self, Write};
use std::process::exit;

use roomwire::socketio::Args;

/// What a line says.
pub enum Line<'l> {
    Nothing,
    Help,
    Event { name: &'l str, args: Args<'l>, attachments: Vec<Vec<u8>>, asks: bool },
}

impl<'l> Line<'l> {
    pub fn parse(line: &'l str) -> Result<Self, Box<dyn Error>> {
        let (asks, line) = line.strip_prefix('?').map_or((false, line), |line| (true, line));
        let (name, rest) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        match name {
            "" if !asks => return Ok(Self::Nothing),
            "" => return Err("a question wants a name".into()),
            "help" if rest.is_empty() && !asks => return Ok(Self::Help),
            _ => {}
        }
        // A bar in a text is none: where all of it is arguments, there are no attachments.
        let (args, attachments) = match Args::new(rest) {
            Ok(args) => (Some(args), ""),
            Err(_) => rest.rsplit_once(" | ").map_or((None, ""), |(args, behind)| (Args::new(args).ok(), behind)),
        };
        let args = args.ok_or(r#"arguments are JSON with commas between: say "hello",7"#)?;
        let attachments = attachments.split_whitespace().map(bytes).collect::<Option<_>>();
        let attachments = attachments.ok_or("attachments are written in pairs of hexadecimal digits")?;
        Ok(Self::Event { name, args, attachments, asks })
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let digits: Vec<u8> = hex.chars().map(|digit| Some(digit.to_digit(16)? as u8)).collect::<Option<_>>()?;
    let (pairs, []) = digits.as_chunks() else { return None };
    Some(pairs.iter().map(|[high, low]| high << 4 | low).collect())
}

/// Prints a line, whatever a server put into it: what would end it, or control a terminal, is escaped as in JSON. When nobody
/// reads it, nobody has any use for the program.
pub fn tell(line: impl Display) {
    let mut line = line.to_string();
    if line.contains(char::is_control) {
        let escaped = |char: char| match char.is_control() {
            true => format!("\\u{:04x}", u32::from(char)),
            false => char.into(),
        };
        line = line.chars().map(escaped).collect();
    }
    if writeln!(io::stdout(), "{line}").is_err() {
        exit(1);
    }
}

/// Prints an event in the form in which it could have been typed.
pub fn tell_event(name: &str, args: &Args<'_>) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let attachments: Vec<String> = args.attachments().iter().map(|bytes| hex(bytes)).collect();
    let bar = if attachments.is_empty() { "" } else { " | " };
    // In JSON they stand between values alone.
    let args = args.as_str().replace(['\n', '\r', '\t'], " ");
    tell(format_args!("{name} {args}{bar}{}", attachments.join(" ")));
}
