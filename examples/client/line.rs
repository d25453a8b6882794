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
            "" => return Ok(Self::Nothing),
            "help" if rest.is_empty() && !asks => return Ok(Self::Help),
            _ => {}
        }
        let (args, attachments) = rest.rsplit_once(" | ").unwrap_or((rest, ""));
        let attachments: Vec<Vec<u8>> = attachments.split_whitespace().map(bytes).collect::<Result<_, _>>()?;
        let args = Args::new(args).map_err(|_| r#"arguments are JSON with commas between: say "hello",7"#)?;
        Ok(Self::Event { name, args, attachments, asks })
    }
}

fn bytes(hex: &str) -> Result<Vec<u8>, Box<dyn Error>> {
    if !hex.is_ascii() || hex.len() % 2 == 1 {
        return Err("attachments are written in pairs of hexadecimal digits".into());
    }
    (0..hex.len()).step_by(2).map(|at| Ok(u8::from_str_radix(&hex[at..at + 2], 16)?)).collect()
}

/// Prints a line. When nobody reads it, nobody has any use for the program.
pub fn tell(line: impl Display) {
    if writeln!(io::stdout(), "{line}").is_err() {
        exit(1);
    }
}

/// Prints an event in the form in which it could have been typed.
pub fn tell_event(name: &str, args: &Args<'_>) {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let attachments: Vec<String> = args.attachments().iter().map(|bytes| hex(bytes)).collect();
    let bar = if attachments.is_empty() { "" } else { " | " };
    tell(format_args!("{name} {}{bar}{}", args.as_str(), attachments.join(" ")));
}
