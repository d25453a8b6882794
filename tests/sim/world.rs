use std::fmt::{self, Write as _};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use roomwire::Instant;
use roomwire::client;
use roomwire::hub::{self, Hub};

use crate::chance::Chance;
use crate::ledger::Ledger;
use crate::net::Link;
use crate::plan::Plan;
use crate::server::Server;
use crate::user::User;

/// Everything that there is in a story.
pub struct World {
    pub plan: Plan,
    pub chance: Chance,
    pub now: Instant,
    pub hub: Hub,
    pub server: Server,
    pub users: Vec<User>,
    pub links: Vec<Link>,
    pub ledger: Ledger,
    pub later: Vec<(Instant, Task)>,
    /// Until when no stream can be opened.
    pub refuses_until: Instant,
    /// Whether the hub keeps what it says.
    pub recovers: bool,
    pub healed: bool,
    pub parting: bool,
    pub trace: bool,
    /// Of all that happened.
    pub digest: u64,
    pub sum: Sum,
}

/// What an application does later.
#[derive(Debug)]
pub enum Task {
    Accept(hub::SocketId),
    ServerReply(hub::Reply, u64),
    UserReply(usize, client::Reply, u64),
    Connect(usize, &'static str),
}

struct Brief(String);

impl fmt::Write for Brief {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = 200_usize.saturating_sub(self.0.len());
        self.0.extend(text.chars().take(room));
        if room == 0 { Err(fmt::Error) } else { Ok(()) }
    }
}

/// How much happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sum {
    pub said_by_clients: u64,
    pub heard_by_server: u64,
    pub said_by_server: u64,
    pub heard_by_clients: u64,
    pub answered: u64,
    pub timed_out: u64,
    pub disconnected: u64,
    pub upgraded: u64,
    pub upgrades_failed: u64,
    pub resumed: u64,
    pub recovered: u64,
    pub faults: u64,
}

impl Sum {
    fn each(&mut self) -> [&mut u64; 12] {
        [
            &mut self.said_by_clients,
            &mut self.heard_by_server,
            &mut self.said_by_server,
            &mut self.heard_by_clients,
            &mut self.answered,
            &mut self.timed_out,
            &mut self.disconnected,
            &mut self.upgraded,
            &mut self.upgrades_failed,
            &mut self.resumed,
            &mut self.recovered,
            &mut self.faults,
        ]
    }

    pub fn add(&mut self, other: &Self) {
        let mut other = *other;
        self.each().into_iter().zip(other.each()).for_each(|(own, other)| *own += *other);
    }

    /// Everything that can happen did.
    pub fn check(mut self) {
        let all = format!("{self:?}");
        assert!(self.each().into_iter().all(|count| *count > 0), "something never happens: {all}");
    }
}

impl World {
    pub fn new(seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let plan = Plan::new(&mut chance);
        let now = Instant::from(Duration::from_secs(1 + chance.below(1000)));
        let config = plan.hub(&mut chance);
        let recovers = config.recovery.is_some();
        let hub = Hub::new(config, chance.seed(), now).unwrap();
        let mut world = Self {
            chance,
            now,
            hub,
            server: Server::default(),
            users: Vec::new(),
            links: Vec::new(),
            ledger: Ledger::default(),
            later: Vec::new(),
            refuses_until: Instant::ORIGIN,
            recovers,
            healed: false,
            parting: false,
            trace: false,
            digest: 0,
            sum: Sum::default(),
            plan,
        };
        for _ in 0..world.plan.users {
            let config = world.plan.client(&mut world.chance);
            let (resumes, seed) = (world.chance.percent(70), world.chance.seed());
            world.users.push(User::new(config, resumes, seed, now));
        }
        world
    }

    /// The beginning of what a value looks like.
    pub fn brief(value: &impl fmt::Debug) -> String {
        let mut brief = Brief(String::new());
        // It ends by an error where it is full.
        let _ = write!(brief, "{value:?}");
        brief.0
    }

    pub fn note(&mut self, what: impl FnOnce() -> String) {
        let what = what();
        let mut hasher = DefaultHasher::new();
        (self.digest, self.now, &what).hash(&mut hasher);
        self.digest = hasher.finish();
        if self.trace {
            eprintln!("{:12.6} {what}", Duration::from_nanos(self.now.as_nanos()).as_secs_f64());
        }
    }

    pub fn after(&mut self, span: Duration) -> Instant {
        let span = self.chance.span(span);
        self.now.saturating_add(span)
    }

    pub fn do_later(&mut self, span: Duration, task: Task) {
        let at = self.after(span);
        self.later.push((at, task));
    }
}
