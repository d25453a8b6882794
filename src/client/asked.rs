//! What a session has asked the server for: which namespaces, and which answers are still to come.

use alloc::collections::BTreeMap;
use alloc::sync::Arc;

/// A session remembers so many names; of more it takes for granted that they were asked for before.
const NAMES_MAX: usize = 1024;

/// Every CONNECT gets one answer, and nothing in it tells which CONNECT it answers. So there is one under way for a name at
/// any time: who is left before the answer comes, and asked for again, waits for it.
#[derive(Debug, Default)]
pub(super) struct Asked {
    /// For each name the life of the socket whose CONNECT awaits its answer, if one does.
    names: BTreeMap<Arc<str>, Option<u64>>,
    forgot: bool,
}

impl Asked {
    /// Remembers a name; whether it may have been asked for before.
    pub(super) fn note(&mut self, name: &Arc<str>) -> bool {
        if self.names.contains_key(name) {
            return true;
        }
        if self.names.len() >= NAMES_MAX {
            self.forgot = true;
            self.names.pop_first();
        }
        self.names.insert(name.clone(), None);
        self.forgot
    }

    /// Whether CONNECT is to be sent now for a name that is remembered. Otherwise an earlier one awaits its answer.
    pub(super) fn ask(&mut self, name: &Arc<str>, life: u64) -> bool {
        let awaited = self.names.entry(name.clone()).or_default();
        let free = awaited.is_none();
        awaited.get_or_insert(life);
        free
    }

    /// An answer is there: for which life.
    pub(super) fn answered(&mut self, name: &str) -> Option<u64> {
        self.names.get_mut(name)?.take()
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
            assert_eq!(asked.note(&alloc::format!("/{nth}").into()), nth >= NAMES_MAX);
        }
        assert_eq!(asked.names.len(), NAMES_MAX);
    }
}
