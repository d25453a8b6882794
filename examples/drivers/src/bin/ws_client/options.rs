use std::error::Error;
use std::time::Duration;

use roomwire::ws::Opening;

/// The command line.
pub struct Options {
    pub opening: Opening,
    pub ping: Option<Duration>,
    pub ca: Option<String>,
}

pub const USAGE: &str =
    "usage: ws_client URL [--ping SECONDS] [--subprotocol NAME] [--header 'Name: value'] [--ca FILE]";

impl Options {
    pub fn parse() -> Result<Self, Box<dyn Error>> {
        let mut args = std::env::args().skip(1);
        let url = args.next().ok_or("URL is missing")?;
        if url.starts_with('-') {
            return Err(format!("{url} in the place of the URL").into());
        }
        let opening = Opening::url(&url)?;
        let mut options = Self { opening, ping: None, ca: None };
        while let Some(name) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{name} needs a value"));
            match name.as_str() {
                "--ping" => options.ping = Some(Duration::try_from_secs_f64(value()?.parse()?)?),
                "--subprotocol" => options.opening = options.opening.subprotocol(&value()?)?,
                "--header" => {
                    let header = value()?;
                    let (name, value) = header.split_once(':').ok_or("a header is 'Name: value'")?;
                    options.opening = options.opening.header(name, value.trim())?;
                }
                "--ca" => options.ca = Some(value()?),
                _ => return Err(format!("unknown option {name}").into()),
            }
        }
        if options.ping.is_some_and(|interval| interval.is_zero()) {
            return Err("--ping: too often".into());
        }
        Ok(options)
    }
}
