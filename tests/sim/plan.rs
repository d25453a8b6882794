use std::time::Duration;

use roomwire::client;
use roomwire::engineio::Transports;
use roomwire::hub::{self, Namespaces, Origins, Recovery};
use roomwire::socketio::Protocol;

use crate::chance::Chance;

/// What a slow network takes where nothing may be given up.
const PATIENCE: Duration = Duration::from_secs(1000);

/// What kind of story a seed tells.
#[derive(Clone, Debug)]
pub struct Plan {
    /// Nothing breaks and nobody leaves: then nothing at all may be lost.
    pub calm: bool,
    pub users: usize,
    /// How long the first part is.
    pub span: Duration,
    /// The longest pause between two actions.
    pub pause: Duration,
    /// The longest that bytes are on their way.
    pub latency: Duration,
    /// How many bytes one direction of a stream takes before they arrive.
    pub window: usize,
    /// Of a hundred actions so many are faults of the network.
    pub faults: u64,
    /// Of a hundred pieces that are sent so many are cut into single bytes.
    pub crumbs: u64,
}

impl Plan {
    pub fn new(chance: &mut Chance) -> Self {
        let calm = chance.percent(30);
        Self {
            calm,
            users: 1 + chance.index(4),
            span: Duration::from_secs(1 + chance.below(40)),
            pause: Duration::from_millis(chance.pick(&[50, 100, 500])),
            latency: Duration::from_millis(chance.pick(&[1, 20, 150, 400])),
            window: if calm { chance.pick(&[4000, 70_000]) } else { chance.pick(&[300, 2000, 70_000]) },
            faults: if calm { 0 } else { chance.pick(&[1, 4, 12]) },
            crumbs: chance.pick(&[0, 1, 10]),
        }
    }

    pub fn hub(&self, chance: &mut Chance) -> hub::Config {
        let mut config = hub::Config::new(Origins::Any);
        config.namespaces = Namespaces::Listed(vec!["/".into(), "/b".into()]);
        config.engine.ping_interval = Duration::from_secs(chance.pick(&[3, 10, 25]));
        // In calm nobody may be taken for dead because a ping stands behind what is said.
        config.engine.ping_timeout = Duration::from_secs(if self.calm { 1000 } else { chance.pick(&[2, 5, 20]) });
        config.engine.poll_packets_max = chance.pick(&[1, 2, 16]);
        if self.calm {
            config.engine.upgrade_timeout = PATIENCE;
            config.write_timeout = PATIENCE;
            config.limits.outbox_bytes_max = 64 << 20;
        }
        config.away_timeout = Duration::from_secs(chance.pick(&[0, 3, 30, 120]));
        if !self.calm {
            config.limits.outbox_bytes_max = chance.pick(&[150_000, 1 << 20]);
        }
        let room_bytes_max = chance.pick(&[0, 20_000, 1 << 20]);
        config.recovery = (room_bytes_max > 0).then(|| Recovery { room_bytes_max, ..Recovery::default() });
        config
    }

    pub fn client(&self, chance: &mut Chance) -> client::Config {
        let mut config = client::Config::new("http://server:3000").unwrap();
        config.transports = chance.pick(&[
            Transports::ALL,
            Transports::ALL,
            Transports { polling: true, websocket: false },
            Transports { polling: false, websocket: true },
        ]);
        config.protocol = chance.pick(&[Protocol::V5, Protocol::V4]);
        if self.calm {
            config.limits.outbox_bytes_max = 64 << 20;
            config.upgrade_timeout = PATIENCE;
            config.request_timeout = PATIENCE;
            config.write_timeout = PATIENCE;
        }
        config.limits.post_packets_max = chance.pick(&[1, 3, 16]);
        config.limits.post_bytes_max = chance.pick(&[500, 1_000_000]);
        config
    }
}
