//! Membership, stored in both directions with back-positions.
//!
//! A group lists its members with the place at which each lists the group, and the reverse: 16
//! bytes a membership. Joining appends to both lists; leaving swaps the last entry into the gap
//! and corrects one back-position on each side. A disconnect costs the socket's own groups.

use alloc::boxed::Box;
use alloc::sync::Arc;
use alloc::vec::Vec;
use core::fmt;
use core::hash::{Hash, Hasher as _};

use hashbrown::HashTable;
use siphasher::sip::SipHasher13;

use super::ids::{GroupId, SocketId};
use super::presence::Roster;
use super::slab::Slab;
use super::socket::Socket;
use super::timers::Scheduled;
use crate::entropy::Entropy;

pub(super) type Sockets = Slab<SocketId, Socket>;

/// What kind of group; rooms belong to a namespace.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Scope {
    Namespace,
    Room { namespace: u32 },
    User,
}

/// A set of sockets with a name.
#[derive(Debug)]
pub(super) struct Group {
    pub(super) scope: Scope,
    pub(super) name: Arc<str>,
    pub(super) members: Vec<Link>,
    /// Who is present; only rooms that somebody has entered.
    pub(super) roster: Option<Box<Roster>>,
    pub(super) scheduled: Scheduled,
}

/// The other end of a membership, and the position of this end in its list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Link {
    pub(super) place: u32,
    position: u32,
}

/// The keys of the hash: who knows them can make names that collide.
#[derive(Clone, Copy)]
struct Keys(u64, u64);

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Keys(..)")
    }
}

/// All groups of a hub, by place and by name.
#[derive(Debug)]
pub(super) struct Groups {
    slab: Slab<GroupId, Group>,
    /// Places by name. The hash is keyed from the seed: names come from peers.
    names: HashTable<u32>,
    keys: Keys,
    /// The places of the namespaces, which are few.
    namespaces: Vec<u32>,
    rooms: usize,
    users: usize,
}

impl Groups {
    pub(super) fn new(entropy: &mut Entropy) -> Self {
        let keys = Keys(u64::from_ne_bytes(entropy.bytes()), u64::from_ne_bytes(entropy.bytes()));
        Self { slab: Slab::new(), names: HashTable::new(), keys, namespaces: Vec::new(), rooms: 0, users: 0 }
    }

    fn hash(keys: Keys, scope: Scope, name: &str) -> u64 {
        let mut hasher = SipHasher13::new_with_keys(keys.0, keys.1);
        scope.hash(&mut hasher);
        name.hash(&mut hasher);
        hasher.finish()
    }

    pub(super) fn find(&self, scope: Scope, name: &str) -> Option<u32> {
        let hash = Self::hash(self.keys, scope, name);
        let same = |place: &u32| self.slab.at(*place).is_some_and(|g| g.scope == scope && *g.name == *name);
        self.names.find(hash, same).copied()
    }

    /// The group of this name, made if there is none.
    pub(super) fn find_or_make(&mut self, scope: Scope, name: &str) -> Option<u32> {
        if let Some(place) = self.find(scope, name) {
            return Some(place);
        }
        let group =
            Group { scope, name: name.into(), members: Vec::new(), roster: None, scheduled: Scheduled::default() };
        let place = Slab::<GroupId, Group>::place(self.slab.insert(group)?);
        let (keys, slab) = (self.keys, &self.slab);
        let rehash = |place: &u32| slab.at(*place).map_or(0, |g| Self::hash(keys, g.scope, &g.name));
        self.names.insert_unique(Self::hash(keys, scope, name), place, rehash);
        match self.count(scope) {
            Some(count) => *count = count.saturating_add(1),
            None => self.namespaces.push(place),
        }
        Some(place)
    }

    pub(super) fn at(&self, place: u32) -> Option<&Group> {
        self.slab.at(place)
    }

    /// The name of a group that there is.
    pub(super) fn name(&self, place: u32) -> Arc<str> {
        self.at(place).map(|group| group.name.clone()).unwrap_or_default()
    }

    pub(super) fn at_mut(&mut self, place: u32) -> Option<&mut Group> {
        self.slab.at_mut(place)
    }

    pub(super) fn id(&self, place: u32) -> Option<GroupId> {
        self.slab.key_at(place)
    }

    pub(super) fn len(&self) -> usize {
        self.slab.len()
    }

    pub(super) fn get(&self, id: GroupId) -> Option<&Group> {
        self.slab.get(id)
    }

    pub(super) fn get_mut(&mut self, id: GroupId) -> Option<&mut Group> {
        self.slab.get_mut(id)
    }

    pub(super) fn place(id: GroupId) -> u32 {
        Slab::<GroupId, Group>::place(id)
    }

    /// The places of all namespaces.
    pub(super) fn namespaces(&self) -> &[u32] {
        &self.namespaces
    }

    pub(super) const fn rooms(&self) -> usize {
        self.rooms
    }

    pub(super) const fn users(&self) -> usize {
        self.users
    }

    fn count(&mut self, scope: Scope) -> Option<&mut usize> {
        match scope {
            Scope::Namespace => None,
            Scope::Room { .. } => Some(&mut self.rooms),
            Scope::User => Some(&mut self.users),
        }
    }

    /// Whether the socket is a member; it looks through the shorter of the two lists.
    pub(super) fn contains(&self, sockets: &Sockets, group: u32, socket: u32) -> bool {
        self.position(sockets, group, socket).is_some()
    }

    /// At which place of the socket's list the group stands.
    fn position(&self, sockets: &Sockets, group: u32, socket: u32) -> Option<u32> {
        let (own, members) = (&sockets.at(socket)?.groups, &self.slab.at(group)?.members);
        if own.len() <= members.len() {
            own.iter().position(|link| link.place == group).and_then(|at| u32::try_from(at).ok())
        } else {
            members.iter().find(|link| link.place == socket).map(|link| link.position)
        }
    }

    /// Makes the socket a member. False if it was one.
    pub(super) fn join(&mut self, sockets: &mut Sockets, group: u32, socket: u32) -> bool {
        if self.contains(sockets, group, socket) {
            return false;
        }
        let (Some(into), Some(member)) = (self.slab.at_mut(group), sockets.at_mut(socket)) else { return false };
        let (Ok(here), Ok(there)) = (u32::try_from(into.members.len()), u32::try_from(member.groups.len())) else {
            return false;
        };
        into.members.push(Link { place: socket, position: there });
        member.groups.push(Link { place: group, position: here });
        true
    }

    /// Ends the membership. False if there was none. A group that nobody is in any more stays until
    /// [`release`](Self::release).
    pub(super) fn leave(&mut self, sockets: &mut Sockets, group: u32, socket: u32) -> bool {
        let Some(there) = self.position(sockets, group, socket) else { return false };
        let Some(member) = sockets.at_mut(socket) else { return false };
        let Some(&Link { position: here, .. }) = member.groups.get(there as usize) else { return false };
        member.groups.swap_remove(there as usize);
        // What was last in the socket's list stands where the group stood: its back-position follows.
        if let Some(moved) = member.groups.get(there as usize).copied()
            && let Some(back) = self.link_mut(moved.place, moved.position)
        {
            back.position = there;
        }
        let Some(from) = self.slab.at_mut(group) else { return false };
        from.members.swap_remove(here as usize);
        if let Some(moved) = from.members.get(here as usize).copied()
            && let Some(other) = sockets.at_mut(moved.place)
            && let Some(back) = other.groups.get_mut(moved.position as usize)
        {
            back.position = here;
        }
        // A list that was long once does not keep its memory.
        if from.members.capacity() > 64 && from.members.len() < from.members.capacity() / 4 {
            from.members.shrink_to(from.members.len().saturating_mul(2));
        }
        true
    }

    fn link_mut(&mut self, group: u32, position: u32) -> Option<&mut Link> {
        self.slab.at_mut(group)?.members.get_mut(position as usize)
    }

    /// Forgets a group that nobody is in.
    pub(super) fn release(&mut self, place: u32) {
        let Some(group) = self.slab.at(place) else { return };
        if !group.members.is_empty() {
            return;
        }
        let (scope, hash) = (group.scope, Self::hash(self.keys, group.scope, &group.name));
        if let Ok(entry) = self.names.find_entry(hash, |found| *found == place) {
            entry.remove();
        }
        if let Some(id) = self.slab.key_at(place) {
            self.slab.remove(id);
        }
        match self.count(scope) {
            Some(count) => *count = count.saturating_sub(1),
            None => self.namespaces.retain(|namespace| *namespace != place),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Instant;
    use alloc::collections::BTreeSet;
    use proptest::prelude::*;

    proptest! {
        /// Both directions agree with each other and with plain sets, whatever is done.
        #[test]
        fn equals_plain_sets(ops in prop::collection::vec((0u32..6, 0u32..8, any::<bool>()), 0..300)) {
            let mut groups = Groups::new(&mut Entropy::new([1; 32]));
            let mut sockets = Sockets::new();
            for _ in 0..8 {
                sockets.insert(Socket::connecting(0, None, Instant::NEVER, &mut Entropy::new([2; 32]))).unwrap();
            }
            let mut plain = BTreeSet::new();
            for (room, socket, join) in ops {
                let name = alloc::format!("room {room}");
                let scope = Scope::Room { namespace: 0 };
                if join {
                    let place = groups.find_or_make(scope, &name).unwrap();
                    prop_assert_eq!(groups.join(&mut sockets, place, socket), plain.insert((room, socket)));
                } else if let Some(place) = groups.find(scope, &name) {
                    prop_assert_eq!(groups.leave(&mut sockets, place, socket), plain.remove(&(room, socket)));
                    groups.release(place);
                }
                let mut seen = BTreeSet::new();
                for room in 0..6 {
                    let Some(place) = groups.find(scope, &alloc::format!("room {room}")) else { continue };
                    for (here, link) in groups.at(place).unwrap().members.iter().enumerate() {
                        let back = sockets.at(link.place).unwrap().groups[link.position as usize];
                        prop_assert_eq!((back.place, back.position as usize), (place, here));
                        seen.insert((room, link.place));
                    }
                }
                prop_assert_eq!(&seen, &plain);
                let listed: usize = (0..8).map(|socket| sockets.at(socket).unwrap().groups.len()).sum();
                prop_assert_eq!(listed, plain.len());
                prop_assert_eq!(groups.rooms(), plain.iter().map(|(room, _)| room).collect::<BTreeSet<_>>().len());
            }
        }
    }

    /// Names come from peers: which of them collide must not be known before the seed is.
    #[test]
    fn m04_the_hash_is_keyed_from_the_seed() {
        let hashes = |seed: u8| -> BTreeSet<u64> {
            let groups = Groups::new(&mut Entropy::new([seed; 32]));
            (0..1000).map(|n| Groups::hash(groups.keys, Scope::User, &alloc::format!("user {n}"))).collect()
        };
        let (one, other) = (hashes(1), hashes(2));
        assert_eq!((one.len(), other.len()), (1000, 1000));
        assert_eq!(one.intersection(&other).count(), 0);
        let groups = Groups::new(&mut Entropy::new([1; 32]));
        let room = |namespace| Groups::hash(groups.keys, Scope::Room { namespace }, "lobby");
        assert_ne!(room(0), room(1));
    }

    #[test]
    fn a_membership_has_sixteen_bytes() {
        assert_eq!(size_of::<Link>() * 2, 16);
    }
}
