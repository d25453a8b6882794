//! What a session has asked the server for: which namespaces, and which answers are still to come.

use alloc::collections::{BTreeMap, BTreeSet};
use alloc::sync::Arc;

/// A session remembers so many names; of more it takes for granted that they were asked for before.
const NAMES_MAX: usize = 1024;

/// Every CONNECT gets one answer, and nothing in it tells which CONNECT it answers. So there is one under way for a name at
/// any time: who is left before the answer comes, and asked for again, waits for it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    names: BTreeSet<Arc<str>>,
    forgot: bool,
    /// For each name whose CONNECT awaits its answer the life of the socket that sent it.
    awaited: BTreeMap<Arc<str>, u64>,
}

impl Asked {
    /// Remembers a name; whether it may have been asked for before.
    pub(super) fn note(&mut self, name: &Arc<str>) -> bool {
        if !self.names.insert(name.clone()) {
            return true;
        }
        let forgot = self.forgot;
        if self.names.len() > NAMES_MAX {
            self.forgot = true;
            self.names.pop_first();
        }
        forgot
    }

    /// Whether CONNECT is to be sent now. Otherwise an earlier one awaits its answer.
    pub(super) fn ask(&mut self, name: &Arc<str>, life: u64) -> bool {
        let free = !self.awaited.contains_key(name);
        if free {
            self.awaited.insert(name.clone(), life);
        }
        free
    }

    /// An answer is there: for which life, if for any.
    pub(super) fn answered(&mut self, name: &str) -> Option<u64> {
        self.awaited.remove(name)
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_question_at_a_time() {
        let name = Arc::from("/a");
        let mut asked = Asked::default();
        assert!(!asked.note(&name) && asked.note(&name));
        assert!(asked.ask(&name, 1) && !asked.ask(&name, 2));
        assert_eq!((asked.answered("/a"), asked.answered("/a"), asked.answered("/b")), (Some(1), None, None));
        assert!(asked.ask(&name, 2));
        asked.clear();
        assert!(!asked.note(&name) && asked.ask(&name, 3));
    }

    #[test]
    fn m05_names_without_end_are_forgotten() {
        let mut asked = Asked::default();
        for nth in 0..2 * NAMES_MAX {
            let name = alloc::format!("/{nth}").into();
            assert_eq!(asked.note(&name), nth > NAMES_MAX);
            assert!(asked.ask(&name, 1));
        }
        assert_eq!(asked.names.len(), NAMES_MAX);
        for nth in 0..2 * NAMES_MAX {
            assert_eq!(asked.answered(&alloc::format!("/{nth}")), Some(1), "who waits is not forgotten");
        }
        assert!(asked.awaited.is_empty());
    }
}
