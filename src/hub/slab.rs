use alloc::vec::Vec;
use core::marker::PhantomData;

/// A key into a [`Slab`]: an index and the generation of what stands there.
pub(crate) trait Key: Copy {
    fn from_raw(raw: u64) -> Self;
    fn raw(self) -> u64;
}

/// Values under keys that are never given twice: a key whose value is gone finds nothing, never
/// the value that took its place.
#[derive(Debug)]
pub(crate) struct Slab<K, T> {
    slots: Vec<Slot<T>>,
    free: Vec<u32>,
    keys: PhantomData<K>,
}

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
        Self { slots: Vec::new(), free: Vec::new(), keys: PhantomData }
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len().saturating_sub(self.free.len())
    }

    /// Stores a value; `None` when there are four billion already.
    pub(crate) fn insert(&mut self, value: T) -> Option<K> {
        let at = match self.free.pop() {
            Some(at) => at,
            None => {
                let at = u32::try_from(self.slots.len()).ok()?;
                self.slots.push(Slot { generation: 0, value: None });
                at
            }
        };
        let slot = self.slots.get_mut(at as usize)?;
        slot.value = Some(value);
        Some(K::from_raw(u64::from(slot.generation) << 32 | u64::from(at)))
    }

    pub(crate) fn get(&self, key: K) -> Option<&T> {
        let slot = self.slots.get(index(key.raw()))?;
        if u64::from(slot.generation) == key.raw() >> 32 { slot.value.as_ref() } else { None }
    }

    pub(crate) fn get_mut(&mut self, key: K) -> Option<&mut T> {
        let slot = self.slots.get_mut(index(key.raw()))?;
        if u64::from(slot.generation) == key.raw() >> 32 { slot.value.as_mut() } else { None }
    }

    pub(crate) fn remove(&mut self, key: K) -> Option<T> {
        let slot = self.slots.get_mut(index(key.raw()))?;
        if u64::from(slot.generation) != key.raw() >> 32 {
            return None;
        }
        let value = slot.value.take()?;
        slot.generation = slot.generation.wrapping_add(1);
        // The last generation of a slot is not used: its keys would come again.
        if slot.generation != u32::MAX {
            self.free.push(index(key.raw()) as u32);
        }
        Some(value)
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = K> {
        self.slots
            .iter()
            .enumerate()
            .filter(|(_, slot)| slot.value.is_some())
            .map(|(at, slot)| K::from_raw(u64::from(slot.generation) << 32 | at as u64))
    }
}

/// What stands at a place within this hub that is known to be in use: the lower half of a key.
/// Memberships store it, since 8 bytes for both directions are half of 16.
impl<K: Key, T> Slab<K, T> {
    pub(crate) fn at(&self, at: u32) -> Option<&T> {
        self.slots.get(at as usize)?.value.as_ref()
    }

    pub(crate) fn at_mut(&mut self, at: u32) -> Option<&mut T> {
        self.slots.get_mut(at as usize)?.value.as_mut()
    }

    pub(crate) fn key_at(&self, at: u32) -> Option<K> {
        let slot = self.slots.get(at as usize)?;
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
}
