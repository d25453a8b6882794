//! Options, each a name and a value.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::process::exit;
use std::time::Duration;

use roomwire::engineio::Cookie;
use roomwire::hub::{Config, Namespaces, Origins, Recovery};

/// Where to listen, and how.
pub fn parse() -> (String, Config) {
    let mut listen = "127.0.0.1:0".to_owned();
    let mut config = Config::new(Origins::Any);
    config.away_timeout = Duration::ZERO;
    config.namespaces = Namespaces::Listed(["/", "/open", "/admin"].map(String::from).to_vec());
    let mut args = std::env::args().skip(1);
    while let Some(name) = args.next() {
        let value = args.next().unwrap_or_else(|| usage(&name));
        let number = || value.parse::<u64>().unwrap_or_else(|_| usage(&name));
        let millis = || Duration::from_millis(number());
        match name.as_str() {
            "--listen" => listen = value,
            "--allow-eio3" => config.engine.allow_revision_3 = value == "true",
            "--ping-interval" => config.engine.ping_interval = millis(),
            "--ping-timeout" => config.engine.ping_timeout = millis(),
            "--connect-timeout" => config.connect_timeout = millis(),
            "--max-payload" => config.engine.max_payload = number() as usize,
            "--upgrade-timeout" => config.engine.upgrade_timeout = millis(),
            "--recovery" => {
                config.recovery = (value == "true").then(Recovery::default);
                config.away_timeout = Duration::from_secs(120);
            }
            "--cookie" => config.engine.cookie = Some(Cookie::new(&value)),
            "--origin" => config.origins = Origins::Listed(vec![value]),
            _ => usage(&name),
        }
    }
    (listen, config)
}

fn usage(wrong: &str) -> ! {
    eprintln!("{wrong}: not understood");
    exit(2);
}

/// 32 bytes out of the one random source that `std` offers.
pub fn seed() -> [u8; 32] {
    let mut seed = [0; 32];
    let keyed = RandomState::new();
    for (at, part) in seed.chunks_exact_mut(8).enumerate() {
        let mut hasher = keyed.build_hasher();
        hasher.write_usize(at);
        part.copy_from_slice(&hasher.finish().to_ne_bytes());
    }
    seed
}
