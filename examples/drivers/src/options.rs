//! The command line of a server.

use std::collections::HashMap;
use std::fmt::Display;
use std::io;
use std::process::exit;
use std::time::Duration;

/// Options that were given, each with its value.
pub struct Options {
    usage: String,
    values: HashMap<String, String>,
}

impl Options {
    /// Reads the command line of the program `name`, on which `--listen` and these options may stand: `--option VALUE`, or
    /// `--option` alone, which has no value. When there is something else, it ends the program and says how it is used.
    #[must_use]
    pub fn parse(name: &str, known: &[&str]) -> Self {
        let known = [&["--listen ADDR"], known].concat();
        let usage = known.iter().map(|option| format!(" [{option}]")).collect::<String>();
        let mut options = Self { usage: format!("usage: {name}{usage}"), values: HashMap::new() };
        let mut args = std::env::args().skip(1);
        while let Some(option) = args.next() {
            if option == "--help" {
                println!("{}", options.usage);
                exit(0);
            }
            let takes_value = known.iter().find_map(|known| {
                let (name, value) = known.split_once(' ').unwrap_or((known, ""));
                (name == option).then_some(!value.is_empty())
            });
            let value = match takes_value {
                Some(true) => args.next().unwrap_or_else(|| options.misused(format_args!("{option} needs a value"))),
                Some(false) => String::new(),
                None => options.misused(format_args!("unknown option {option}")),
            };
            options.values.insert(option, value);
        }
        options
    }

    /// Whether an option was given.
    #[must_use]
    pub fn has(&self, option: &str) -> bool {
        self.values.contains_key(option)
    }

    /// The value of an option, if it was given.
    #[must_use]
    pub fn value(&self, option: &str) -> Option<&str> {
        self.values.get(option).map(String::as_str)
    }

    /// The value of an option that is a time in seconds.
    #[must_use]
    pub fn seconds(&self, option: &str) -> Option<Duration> {
        let seconds = |value: &str| Duration::try_from_secs_f64(value.parse().ok()?).ok();
        let wrong = || self.misused(format_args!("{option} is a number of seconds"));
        self.value(option).map(|value| seconds(value).unwrap_or_else(wrong))
    }

    /// Where to listen.
    #[must_use]
    pub fn listen(&self) -> &str {
        self.value("--listen").unwrap_or("127.0.0.1:9001")
    }

    /// Ends the program, which was started in a way that it does not understand.
    pub fn misused(&self, wrong: impl Display) -> ! {
        eprintln!("{wrong}\n{}", self.usage);
        exit(2)
    }
}

/// What listens there; or the end of the program, which says why nothing does.
pub fn listening<L>(address: &str, bound: io::Result<L>) -> L {
    bound.unwrap_or_else(|error| fail(format_args!("cannot listen on {address}: {error}")))
}

/// Ends the program, which cannot do what it was started for.
pub fn fail(why: impl Display) -> ! {
    eprintln!("{why}");
    exit(1)
}
