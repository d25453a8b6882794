//! Whom an event is for, and whom it reached.

use alloc::vec::Vec;

use super::ids::SocketId;

/// Whom an event is for.
///
/// ```
/// use roomwire::hub::Target;
/// # fn example(sender: roomwire::hub::SocketId) {
/// let others = Target::room("lobby").except(sender);
/// let operators = Target::namespace("/admin").volatile();
/// let two_rooms = Target::room("red").and_room("blue").except_room("muted");
/// let room_and_sender = Target::room("lobby").and_socket(sender);
/// # let _ = (others, operators, two_rooms, room_and_sender); }
/// ```
#[derive(Clone, Debug)]
pub struct Target<'a> {
    pub(super) to: To<'a>,
    /// Further ones: whoever is meant by any.
    pub(super) and: Vec<To<'a>>,
    pub(super) namespace: Option<&'a str>,
    pub(super) except: Vec<SocketId>,
    pub(super) except_rooms: Vec<&'a str>,
    pub(super) when_congested: WhenCongested<'a>,
    pub(super) uncompressed: bool,
}

/// What becomes of an event for a connection that is congested.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhenCongested<'a> {
    Queue,
    Drop,
    /// It waits, in the place of another under the same key.
    Replace(&'a str),
}

#[derive(Clone, Debug)]
pub(super) enum To<'a> {
    Socket(SocketId),
    Sockets(Vec<SocketId>),
    Room(&'a str),
    User(&'a str),
    Everyone,
}

impl<'a> Target<'a> {
    const fn new(to: To<'a>, namespace: Option<&'a str>) -> Self {
        Self {
            to,
            and: Vec::new(),
            namespace,
            except: Vec::new(),
            except_rooms: Vec::new(),
            when_congested: WhenCongested::Queue,
            uncompressed: false,
        }
    }

    /// One socket.
    #[must_use]
    pub const fn socket(socket: SocketId) -> Self {
        Self::new(To::Socket(socket), None)
    }

    /// These sockets, whichever of them there still are; without any it is nobody.
    #[must_use]
    pub fn sockets(sockets: impl IntoIterator<Item = SocketId>) -> Self {
        Self::new(To::Sockets(sockets.into_iter().collect()), None)
    }

    /// All in a room of the namespace `/`; see [`of`](Self::of) for others.
    #[must_use]
    pub const fn room(name: &'a str) -> Self {
        Self::new(To::Room(name), None)
    }

    /// All in a namespace.
    #[must_use]
    pub const fn namespace(name: &'a str) -> Self {
        Self::new(To::Everyone, Some(name))
    }

    /// All devices of a user, in all namespaces unless [`of`](Self::of) names one.
    #[must_use]
    pub const fn user(name: &'a str) -> Self {
        Self::new(To::User(name), None)
    }

    /// All, in all namespaces.
    #[must_use]
    pub const fn all() -> Self {
        Self::new(To::Everyone, None)
    }

    /// Also all in a room, of the namespace `/` unless [`of`](Self::of) names another; each socket gets the event once,
    /// however often it is meant.
    #[must_use]
    pub fn and_room(mut self, name: &'a str) -> Self {
        self.and.push(To::Room(name));
        self
    }

    /// Also this socket.
    #[must_use]
    pub fn and_socket(mut self, socket: SocketId) -> Self {
        self.and.push(To::Socket(socket));
        self
    }

    /// Also all devices of a user, as for [`user`](Self::user).
    #[must_use]
    pub fn and_user(mut self, name: &'a str) -> Self {
        self.and.push(To::User(name));
        self
    }

    /// Names the namespace: only sockets there are meant, and rooms there.
    #[must_use]
    pub const fn of(mut self, namespace: &'a str) -> Self {
        self.namespace = Some(namespace);
        self
    }

    /// Not this socket.
    #[must_use]
    pub fn except(mut self, socket: SocketId) -> Self {
        self.except.push(socket);
        self
    }

    /// Nobody who is in a room of this name, in the namespace that is meant, or in each that is.
    #[must_use]
    pub fn except_room(mut self, name: &'a str) -> Self {
        self.except_rooms.push(name);
        self
    }

    /// Only who can take it now: for a congested connection it is dropped, not queued.
    #[must_use]
    pub const fn volatile(mut self) -> Self {
        self.when_congested = WhenCongested::Drop;
        self
    }

    /// Only the newest under this key: while a connection is congested the event waits, in the place of one that waits under the
    /// same key for the same socket, and goes out when the connection has caught up. So who reads slowly gets fewer points of a
    /// live graph, each key in order, and always the last. What waits so may stand behind what was emitted after it.
    ///
    /// It holds in the place of [`volatile`](Self::volatile), and not for events that ask for an acknowledgement.
    /// ```
    /// # use roomwire::{Instant, hub::{EmitError, Hub, Target}};
    /// # fn sampled(hub: &mut Hub, now: Instant, load: f64) -> Result<(), EmitError> {
    /// hub.emit(now, Target::room("graph").latest("cpu"), "point", ("cpu", load))?;
    /// # Ok(()) }
    /// ```
    #[must_use]
    pub const fn latest(mut self, key: &'a str) -> Self {
        self.when_congested = WhenCongested::Replace(key);
        self
    }

    /// Whether everybody who is meant is to get it sooner or later.
    pub(super) fn is_reliable(&self) -> bool {
        self.when_congested == WhenCongested::Queue
    }

    /// The socket, if the target is nothing but one.
    pub(super) const fn one_socket(&self) -> Option<SocketId> {
        match self.to {
            To::Socket(socket) if self.and.is_empty() => Some(socket),
            _ => None,
        }
    }

    /// All that it is the union of.
    pub(super) fn parts(&self) -> impl Iterator<Item = &To<'a>> {
        core::iter::once(&self.to).chain(&self.and)
    }
}

/// What becomes of it on its way.
impl Target<'_> {
    /// Not compressed, whatever is configured: for what holds a secret beside text of somebody else's choice, whose compressed
    /// size would tell of it; or for what is compressed already.
    #[must_use]
    pub const fn uncompressed(mut self) -> Self {
        self.uncompressed = true;
        self
    }
}

impl From<SocketId> for Target<'_> {
    fn from(socket: SocketId) -> Self {
        Self::socket(socket)
    }
}

/// What became of an event: how many sockets it was for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Receipt {
    /// It is queued for so many, or waits as the [latest](Target::latest).
    pub queued: usize,
    /// It was volatile, and so many could not take it now; or there was no room for it to wait as the latest; or in the form in
    /// which they take it, it is longer than an outbox may be.
    pub dropped: usize,
    /// So many are away.
    pub away: usize,
    /// So many fell too far behind and were cut off.
    pub cut_off: usize,
    /// For so many of those who are away or were cut off it is kept: they get it if they come back before it is dropped, see
    /// [recovery](super#recovery). Who was cut off mostly lacks more than can be sent again, and is told that.
    pub kept: usize,
}
