//! What an application keeps for each socket.

use alloc::vec::Vec;
use core::fmt;

use super::ids::SocketId;
use super::socket::socket_place;

/// What an application keeps for each socket, of a type of its own.
///
/// Access costs an index. What was kept for a socket that is gone is found by nobody, and dropped when its place is used
/// again; take it out when the socket has left for good ([`Event::Disconnected`](super::Event::Disconnected) without
/// `away_until`, or [`Event::Left`](super::Event::Left)).
///
/// ```
/// # use roomwire::hub::{Event, SocketMap};
/// # struct Player { score: u32 }
/// # fn handle(players: &mut SocketMap<Player>, event: Event<'_>) {
/// match event {
///     Event::Connected { socket, resumed: false, .. } => drop(players.insert(socket, Player { score: 0 })),
///     Event::Emit { socket, .. } => players.get_mut(socket).into_iter().for_each(|player| player.score += 1),
///     Event::Left { socket } | Event::Disconnected { socket, away_until: None, .. } => drop(players.remove(socket)),
///     _ => {}
/// }
/// # }
/// ```
#[derive(Clone)]
pub struct SocketMap<T> {
    slots: Vec<Option<(SocketId, T)>>,
    len: usize,
}

impl<T> Default for SocketMap<T> {
    fn default() -> Self {
        Self::new()
    }
}

impl<T: fmt::Debug> fmt::Debug for SocketMap<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.iter()).finish()
    }
}

impl<T> SocketMap<T> {
    /// An empty map.
    #[must_use]
    pub const fn new() -> Self {
        Self { slots: Vec::new(), len: 0 }
    }

    /// Keeps a value for a socket, and gives back the one that was kept for it before. Where a newer socket has the place of one
    /// that is gone, nothing is kept for the old one.
    pub fn insert(&mut self, socket: SocketId, value: T) -> Option<T> {
        let place = socket_place(socket) as usize;
        // Of two in one place the later has the greater id.
        if self.slots.get(place).and_then(Option::as_ref).is_some_and(|(known, _)| *known > socket) {
            return None;
        }
        if place >= self.slots.len() {
            self.slots.resize_with(place.saturating_add(1), || None);
        }
        let before = self.slots.get_mut(place)?.replace((socket, value));
        if before.is_none() {
            self.len = self.len.saturating_add(1);
        }
        before.filter(|(known, _)| *known == socket).map(|(_, value)| value)
    }

    /// The value of a socket.
    #[must_use]
    pub fn get(&self, socket: SocketId) -> Option<&T> {
        let (known, value) = self.slots.get(socket_place(socket) as usize)?.as_ref()?;
        (*known == socket).then_some(value)
    }

    /// The value of a socket.
    pub fn get_mut(&mut self, socket: SocketId) -> Option<&mut T> {
        let (known, value) = self.slots.get_mut(socket_place(socket) as usize)?.as_mut()?;
        (*known == socket).then_some(value)
    }

    /// Takes the value of a socket out.
    pub fn remove(&mut self, socket: SocketId) -> Option<T> {
        let slot = self.slots.get_mut(socket_place(socket) as usize)?;
        if slot.as_ref().is_none_or(|(known, _)| *known != socket) {
            return None;
        }
        self.len = self.len.saturating_sub(1);
        let value = slot.take().map(|(_, value)| value);
        if self.len == 0 {
            self.slots = Vec::new();
        }
        value
    }

    /// All sockets with their values, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = (SocketId, &T)> {
        self.slots.iter().flatten().map(|(socket, value)| (*socket, value))
    }

    /// How many values there are.
    #[must_use]
    pub const fn len(&self) -> usize {
        self.len
    }

    /// Whether there are none.
    #[must_use]
    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::hub::slab::Key as _;

    fn socket(place: u64, generation: u64) -> SocketId {
        SocketId::from_raw(generation << 32 | place)
    }

    #[test]
    fn a_stale_id_finds_nothing() {
        let mut map = SocketMap::new();
        assert_eq!(map.insert(socket(3, 0), "old"), None);
        assert_eq!(map.get(socket(3, 1)), None);
        assert_eq!(map.remove(socket(3, 1)), None);
        assert_eq!(map.insert(socket(3, 1), "new"), None, "the old one's is dropped, not given to another");
        assert_eq!((map.get(socket(3, 0)), map.get(socket(3, 1)), map.len()), (None, Some(&"new"), 1));
        assert_eq!(map.insert(socket(3, 0), "late"), None);
        assert_eq!(
            (map.get(socket(3, 0)), map.get(socket(3, 1)), map.len()),
            (None, Some(&"new"), 1),
            "the old one is gone"
        );
        assert_eq!(map.insert(socket(3, 1), "newer"), Some("new"));
        *map.get_mut(socket(3, 1)).unwrap() = "newest";
        assert_eq!(map.iter().collect::<Vec<_>>(), [(socket(3, 1), &"newest")]);
        assert_eq!((map.remove(socket(3, 1)), map.len(), map.is_empty()), (Some("newest"), 0, true));
        assert_eq!(map.get(socket(9, 0)), None);
    }
}
