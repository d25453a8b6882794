//! Values under keys that are never given twice.

use alloc::vec::Vec;
use core::marker::PhantomData;

/// A key into a [`Slab`]: an index and the generation of what stands there.
pub(crate) trait Key: Copy {
    fn from_raw(raw: u64) -> Self;
    fn raw(self) -> u64;
}

/// Values under keys that are never given twice: a key whose value is gone finds nothing, never
/// the value that took its place.
///
/// The slots stand in segments that never move: there is no moment in which all of them are copied, and no half-empty
/// growth of one long array.
#[derive(Debug)]
pub(crate) struct Slab<K, T> {
    segments: Vec<Vec<Slot<T>>>,
    free: Vec<u32>,
    /// How many slots there are, used or free.
    slots: u32,
    /// That of a slot that is new.
    first_generation: u32,
    keys: PhantomData<K>,
}

const SEGMENT: usize = 64;

#[derive(Debug)]
struct Slot<T> {
    generation: u32,
    value: Option<T>,
}

const fn index(raw: u64) -> usize {
    (raw & 0xFFFF_FFFF) as usize
}

impl<K: Key, T> Slab<K, T> {
    pub(crate) const fn new() -> Self {
        Self { segments: Vec::new(), free: Vec::new(), slots: 0, first_generation: 0, keys: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        (self.slots as usize).saturating_sub(self.free.len())
    }

    fn slot(&self, at: usize) -> Option<&Slot<T>> {
        self.segments.get(at / SEGMENT)?.get(at % SEGMENT)
    }

    fn slot_mut(&mut self, at: usize) -> Option<&mut Slot<T>> {
        self.segments.get_mut(at / SEGMENT)?.get_mut(at % SEGMENT)
    }

    /// Stores a value; `None` when there are four billion already.
    pub(crate) fn insert(&mut self, value: T) -> Option<K> {
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                let at = self.slots;
                self.slots = at.checked_add(1)?;
                if (at as usize).is_multiple_of(SEGMENT) {
                    self.segments.push(Vec::with_capacity(SEGMENT));
                }
                self.segments.last_mut()?.push(Slot { generation: self.first_generation, value: None });
                at
            }
        };
        let slot = self.slot_mut(at as usize)?;
        slot.value = Some(value);
        Some(K::from_raw(u64::from(slot.generation) << 32 | u64::from(at)))
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        let slot = self.slot(index(key.raw()))?;
        if u64::from(slot.generation) == key.raw() >> 32 { slot.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let slot = self.slot_mut(index(key.raw()))?;
        if u64::from(slot.generation) == key.raw() >> 32 { slot.value.as_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let slot = self.slot_mut(index(key.raw()))?;
        if u64::from(slot.generation) != key.raw() >> 32 {
            return None;
        }
        let value = slot.value.take()?;
        // After its last generation a slot is given up: its keys would come again.
        if let Some(next) = slot.generation.checked_add(1) {
            slot.generation = next;
            self.free.push(Self::place(key));
        }
        if self.len() == 0 && self.segments.len() > 1 {
            // Many were here once. Those to come begin with a generation that none of them had.
            let generations = self.segments.iter().flatten().map(|slot| slot.generation);
            *self = Self { first_generation: generations.max().unwrap_or(0), ..Self::new() };
        }
        Some(value)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.segments
            .iter()
            .flatten()
            .enumerate()
            .filter(|(_, slot)| slot.value.is_some())
            .map(|(at, slot)| K::from_raw(u64::from(slot.generation) << 32 | at as u64))
    }
}

/// What stands at a place within this hub that is known to be in use: the lower half of a key.
/// Memberships store it, since 8 bytes for both directions are half of 16.
impl<K: Key, T> Slab<K, T> {
    pub(crate) fn at(&self, at: u32) -> Option<&T> {
        self.slot(at as usize)?.value.as_ref()
    }

    pub(crate) fn at_mut(&mut self, at: u32) -> Option<&mut T> {
        self.slot_mut(at as usize)?.value.as_mut()
    }

    pub(crate) fn key_at(&self, at: u32) -> Option<K> {
        let slot = self.slot(at as usize)?;
        slot.value.as_ref().map(|_| K::from_raw(u64::from(slot.generation) << 32 | u64::from(at)))
    }

    pub(crate) fn place(key: K) -> u32 {
        index(key.raw()) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Clone, Copy, Debug, PartialEq)]
    struct Id(u64);
    impl Key for Id {
        fn from_raw(raw: u64) -> Self {
            Self(raw)
        }
        fn raw(self) -> u64 {
            self.0
        }
    }

    #[test]
    fn a_stale_key_finds_nothing() {
        let mut slab = Slab::<Id, &str>::new();
        let first = slab.insert("first").unwrap();
        assert_eq!(slab.remove(first), Some("first"));
        let second = slab.insert("second").unwrap();
        assert_eq!(Slab::<Id, &str>::place(first), Slab::<Id, &str>::place(second), "the place is used again");
        assert_eq!(slab.get(first), None);
        assert_eq!(slab.get_mut(first), None);
        assert_eq!(slab.remove(first), None);
        assert_eq!((slab.get(second), slab.len()), (Some(&"second"), 1));
        assert_eq!(slab.keys().collect::<Vec<_>>(), [second]);
    }

    #[test]
    fn a_slab_that_was_large_begins_anew_with_new_keys() {
        let mut slab = Slab::<Id, usize>::new();
        let old: Vec<Id> = (0..3 * SEGMENT).map(|value| slab.insert(value).unwrap()).collect();
        for key in &old {
            slab.remove(*key);
        }
        assert_eq!((slab.len(), slab.segments.len()), (0, 0));
        let new: Vec<Id> = (0..3 * SEGMENT).map(|value| slab.insert(value).unwrap()).collect();
        assert!(new.iter().all(|key| !old.contains(key)));
        assert!(old.iter().all(|key| slab.get(*key).is_none()));
    }
}
