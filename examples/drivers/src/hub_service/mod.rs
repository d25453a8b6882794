//! A [`Hub`] that tasks share: whatever carries a client, it is in the same rooms.
//!
//! The hub stands behind a mutex with its application. Who has bytes, a request or a deadline for it locks it, passes that in,
//! and lets go before anything is awaited. A task keeps the time; each byte stream has a task ([`streams`]); a request that
//! another HTTP server has read waits in that server's own task ([`requests`]).

mod requests;
mod streams;

use std::collections::HashMap;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::Waker;
use std::time::Duration;

use roomwire::Instant;
use roomwire::http::Response;
use roomwire::hub::{Config, ConfigError, ConnId, ConnectError, Event, Hub, Peer, RequestId};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{Notify, oneshot};
use tokio::time::sleep;

use crate::{now, seed};
pub use requests::{from_axum, respond};
use streams::Registered;

/// What the hub tells its events to.
pub trait Application: Send + 'static {
    /// A byte stream was registered; nothing was told of it yet.
    fn connected(&mut self, conn: ConnId, peer: Peer);
    /// Something happened.
    fn handle(&mut self, hub: &mut Hub, now: Instant, event: Event<'_>);
}

/// A hub with its application, for all tasks of a server. Clones are the same hub.
pub struct HubService<A>(Arc<Shared<A>>);

struct Shared<A> {
    state: Mutex<State<A>>,
    /// A deadline came that is earlier than the one that is waited for.
    earlier: Notify,
    /// The hub was shut down and the last stream is over.
    finished: Notify,
    body_bytes_max: usize,
    body_timeout: Duration,
}

struct State<A> {
    hub: Hub,
    application: A,
    /// The tasks of the byte streams.
    streams: HashMap<ConnId, Option<Waker>>,
    /// The tasks that wait for a response.
    parked: HashMap<RequestId, oneshot::Sender<Response>>,
    /// What the task that keeps the time waits for.
    alarm: Option<Instant>,
}

impl<A> Clone for HubService<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Application> HubService<A> {
    /// A hub without connections, whose time is kept from now on. To be called within a runtime of tokio's.
    ///
    /// # Errors
    /// If the configuration cannot work.
    pub fn start(config: Config, application: A) -> Result<Self, ConfigError> {
        let (body_bytes_max, body_timeout) = (config.engine.max_payload, config.http.body_timeout);
        let hub = Hub::new(config, seed(), now())?;
        let state = State { hub, application, streams: HashMap::new(), parked: HashMap::new(), alarm: None };
        let service = Self(Arc::new(Shared {
            state: Mutex::new(state),
            earlier: Notify::new(),
            finished: Notify::new(),
            body_bytes_max,
            body_timeout,
        }));
        tokio::spawn(service.clone().keep_time());
        Ok(service)
    }

    /// Serves a byte stream that the hub reads HTTP from itself, to its end.
    ///
    /// # Errors
    /// If there are too many, the hub shuts down, or the stream breaks.
    pub async fn serve(&self, stream: impl AsyncRead + AsyncWrite, peer: Peer) -> io::Result<()> {
        self.register(peer, Hub::connect_from)?.drive(stream).await
    }

    /// Serves a byte stream that carries Socket.IO packets as lines, to its end.
    ///
    /// # Errors
    /// As for [`serve`](Self::serve).
    pub async fn serve_lines(&self, stream: impl AsyncRead + AsyncWrite, peer: Peer) -> io::Result<()> {
        self.register(peer, Hub::connect_lines)?.drive(stream).await
    }

    /// Ends everything in order, and waits until it is; the hub bounds that.
    pub async fn shutdown(&self) {
        {
            let mut state = self.lock();
            state.hub.shutdown(now());
            self.settle(state, None);
        }
        self.0.finished.notified().await;
    }

    fn register(
        &self,
        peer: Peer,
        connect: fn(&mut Hub, Instant, Peer) -> Result<ConnId, ConnectError>,
    ) -> io::Result<Registered<A>> {
        let mut state = self.lock();
        let conn = connect(&mut state.hub, now(), peer).map_err(io::Error::other)?;
        let registered = state.registered(self, conn, peer);
        self.settle(state, None);
        Ok(registered)
    }

    fn lock(&self) -> MutexGuard<'_, State<A>> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// After every call to the hub: takes the events that are left, and wakes whoever has something to do, but for the stream
    /// whose task asks.
    fn settle(&self, mut state: MutexGuard<'_, State<A>>, asking: Option<ConnId>) {
        let State { hub, application, streams, parked, alarm } = &mut *state;
        while let Some(event) = hub.poll_event() {
            application.handle(hub, now(), event);
        }
        while let Some((request, response)) = hub.poll_response() {
            if let Some(waiting) = parked.remove(&request) {
                // Who waited may be gone.
                let _ = waiting.send(response);
            }
        }
        while let Some(conn) = hub.poll_transmit() {
            if let Some(Some(waker)) = streams.get(&conn).filter(|_| asking != Some(conn)) {
                waker.wake_by_ref();
            }
        }
        if hub.poll_timeout().is_some_and(|due| alarm.is_none_or(|alarm| due < alarm)) {
            self.0.earlier.notify_one();
        }
        if hub.is_finished() && streams.is_empty() {
            self.0.finished.notify_one();
        }
    }

    /// Does what is due, when it is due, until the hub is finished.
    async fn keep_time(self) {
        while let Some(patience) = self.catch_up() {
            tokio::select! {
                () = sleep(patience) => {}
                () = self.0.earlier.notified() => {}
            }
        }
    }

    /// Does what is due; for how long nothing else is.
    fn catch_up(&self) -> Option<Duration> {
        let mut state = self.lock();
        let now = now();
        if state.hub.poll_timeout().is_some_and(|due| due <= now) {
            state.hub.handle_timeout(now);
            self.settle(state, None);
            state = self.lock();
        }
        state.alarm = state.hub.poll_timeout();
        (!state.hub.is_finished()).then(|| state.alarm.map_or(Duration::MAX, |due| due.saturating_since(now)))
    }
}

impl<A: Application> State<A> {
    /// Notes a byte stream that the hub knows.
    fn registered(&mut self, service: &HubService<A>, conn: ConnId, peer: Peer) -> Registered<A> {
        self.streams.insert(conn, None);
        self.application.connected(conn, peer);
        Registered { service: service.clone(), conn }
    }
}
