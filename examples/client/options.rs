//! The command line.

use std::error::Error;

use roomwire::client::Config;
use roomwire::engineio::Transports;
use roomwire::socketio::Protocol;

pub const USAGE: &str = "usage: client [--polling | --websocket] [--protocol 4 | 5] [--namespace /NAME]... [--auth JSON] \
    [--retries N] [URL]";

pub struct Options {
    pub config: Config,
    /// One at least; the last is spoken to.
    pub namespaces: Vec<String>,
    /// JSON, or nothing.
    pub auth: String,
}

impl Options {
    pub fn parse() -> Result<Self, Box<dyn Error>> {
        let mut args = std::env::args().skip(1);
        let (mut url, mut namespaces, mut auth) = (None, Vec::new(), String::new());
        let (mut transports, mut protocol, mut retries) = (Transports::ALL, Protocol::V5, 0);
        while let Some(arg) = args.next() {
            let mut value = || args.next().ok_or_else(|| format!("{arg} needs a value"));
            match arg.as_str() {
                "--polling" => transports.websocket = false,
                "--websocket" => transports.polling = false,
                "--protocol" => {
                    protocol = match value()?.as_str() {
                        "4" => Protocol::V4,
                        "5" => Protocol::V5,
                        _ => return Err("--protocol is 4 or 5".into()),
                    }
                }
                "--namespace" => namespaces.push(value()?),
                "--auth" => auth = value()?,
                "--retries" => retries = value()?.parse().map_err(|_| "--retries is a number")?,
                _ if arg.starts_with('-') => return Err(format!("unknown option {arg}").into()),
                _ if url.is_some() => return Err(format!("a second URL: {arg}").into()),
                _ => url = Some(arg),
            }
        }
        if namespaces.is_empty() {
            namespaces.push("/".into());
        }
        let mut config = Config::new(url.as_deref().unwrap_or("http://127.0.0.1:8888"))?;
        if config.is_secure() {
            return Err("this example has no TLS".into());
        }
        config.transports = transports;
        config.protocol = protocol;
        config.retries = retries;
        Ok(Self { config, namespaces, auth })
    }
}
