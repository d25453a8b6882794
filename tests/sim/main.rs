//! Clients and a hub in one thread and virtual time, over a network that does what networks do.
//!
//! One number, the seed, decides everything: who comes by which transport and protocol, what is said when, how bytes are cut,
//! delayed and lost. So a story that went wrong is told again by its seed:
//!
//! ```text
//! SIM_SEED=17 cargo test --test sim                       one seed, SIM_TRACE=1 besides tells its story
//! SIM_SEEDS=10000 cargo test --release --test sim         the long run
//! SIM_SECONDS=60 cargo test --release --test sim          as many seeds as fit; SIM_FROM=5000 begins there
//! ```
//!
//! Every story has three parts. In the first all happens at once. Then the network heals, and everybody has to find back.
//! At last everybody leaves, and nothing may be left. What must hold all the while is in `ledger.rs` (what arrives),
//! `user.rs` and `server.rs` (what is told), `run.rs` (time), and at the end of the parts in `end.rs`.

mod actions;
mod chance;
mod end;
mod ledger;
mod net;
mod payload;
mod plan;
mod run;
mod server;
mod user;
mod world;

use std::env;
use std::time::{Duration, Instant};

use world::World;

/// How many `cargo test` runs.
const SEEDS: u64 = 30;

/// Says which seed it was, if it ends in a panic.
struct Named(u64);

impl Drop for Named {
    fn drop(&mut self) {
        if std::thread::panicking() {
            eprintln!("this is seed {}: SIM_SEED={} SIM_TRACE=1 cargo test --test sim", self.0, self.0);
        }
    }
}

fn story(seed: u64) -> World {
    let named = Named(seed);
    let mut world = World::new(seed);
    world.trace = env::var_os("SIM_TRACE").is_some();
    world.act();
    world.heal();
    world.part();
    drop(named);
    world
}

fn number(name: &str) -> Option<u64> {
    env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} is no number")))
}

#[test]
fn stories() {
    if let Some(seed) = number("SIM_SEED") {
        story(seed);
        return;
    }
    let began = Instant::now();
    let span = number("SIM_SECONDS").map(Duration::from_secs);
    let count = number("SIM_SEEDS").unwrap_or(if span.is_some() { u64::MAX } else { SEEDS });
    let count = usize::try_from(count).unwrap_or(usize::MAX);
    let mut sum = world::Sum::default();
    let mut told = 0;
    for seed in (number("SIM_FROM").unwrap_or(0)..).take(count) {
        // How many stories there are may depend on the clock; what happens in one does not.
        if span.is_some_and(|span| began.elapsed() > span) {
            break;
        }
        sum.add(&story(seed).sum);
        told += 1;
    }
    println!("{told} seeds: {sum:?}");
    // Stories in which nothing happens would prove nothing.
    if told >= SEEDS {
        sum.check();
    }
}

#[test]
fn a_seed_tells_the_same_story_every_time() {
    for seed in [1, 2, 3] {
        assert_eq!(story(seed).digest, story(seed).digest, "seed {seed}");
    }
    assert_ne!(story(1).digest, story(2).digest);
}
