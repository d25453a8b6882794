//! What was said and what arrived: within a session a prefix of it, in order, each once.

use std::collections::{BTreeMap, BTreeSet};

/// What one side said to the other while a namespace was connected once.
#[derive(Debug, Default)]
pub struct Spell {
    pub said: Vec<u64>,
    /// How many of what the server said came, the greeting included.
    pub heard: usize,
    /// With which of the server's sockets, once its greeting came.
    pub with: Option<usize>,
    /// Whether the server had connected the namespace before the client wanted it, as in protocol 4: what came before is
    /// nobody's.
    pub late: bool,
    /// What came before it was clear with whom that is.
    early: Vec<u64>,
}

/// A namespace as one client has it.
#[derive(Debug, Default)]
pub struct Speaker {
    pub connected: bool,
    pub spells: Vec<Spell>,
    /// What was said while it was not connected.
    pub waiting: Vec<u64>,
    /// See [`Spell::late`].
    pub late: bool,
    /// Spells of which the server heard something; of an earlier one that may be later, when a stream was held up.
    heard: BTreeSet<usize>,
}

/// A socket of the server's.
#[derive(Debug)]
pub struct Listener {
    pub live: bool,
    pub gone: bool,
    pub said: Vec<u64>,
    pub heard: usize,
    /// Who it is, once it has said something, and in which spell.
    pub from: Option<(usize, usize)>,
}

#[derive(Debug, Default)]
pub struct Ledger {
    pub speakers: Vec<Speaker>,
    pub listeners: Vec<Listener>,
    /// Who said what, of what clients said.
    authors: BTreeMap<u64, usize>,
    /// What the server said that need not come.
    pub volatile: BTreeSet<u64>,
    /// What it asked an acknowledgement of, which is not said again to who was lost meanwhile.
    pub asked: BTreeSet<u64>,
    next: u64,
}

impl Ledger {
    /// A number that nothing else has.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// A client said something, and was told that it goes out or waits.
    pub fn client_said(&mut self, speaker: usize, id: u64, connected: bool) {
        self.authors.insert(id, speaker);
        let speaker = &mut self.speakers[speaker];
        match speaker.spells.last_mut() {
            Some(spell) if speaker.connected && connected => spell.said.push(id),
            _ => speaker.waiting.push(id),
        }
    }

    /// What was not acknowledged in time is not sent any more, if it still waits.
    pub fn gave_up(&mut self, id: u64) {
        self.speakers[self.authors[&id]].waiting.retain(|waiting| *waiting != id);
    }

    /// A namespace is connected: what waited goes out first.
    pub fn connected(&mut self, speaker: usize) {
        let speaker = &mut self.speakers[speaker];
        assert!(!std::mem::replace(&mut speaker.connected, true), "connected twice");
        let said = std::mem::take(&mut speaker.waiting);
        let late = std::mem::take(&mut speaker.late);
        speaker.spells.push(Spell { said, late, ..Spell::default() });
    }

    /// A namespace is connected again, and nothing that was said to it is lost.
    pub fn recovered(&mut self, speaker: usize) {
        let before = self.speakers[speaker].spells.last().expect("it was connected before");
        let (heard, with) = (before.heard, before.with);
        assert!(with.is_some(), "what it began with is lost");
        self.connected(speaker);
        if let Some(spell) = self.speakers[speaker].spells.last_mut() {
            (spell.heard, spell.with) = (heard, with);
        }
    }

    /// The same at the server's end.
    pub fn listener_recovered(&mut self, listener: usize) {
        let listener = &mut self.listeners[listener];
        assert!(!listener.live && !listener.gone, "recovered what was not away");
        (listener.live, listener.from, listener.heard) = (true, None, 0);
        self.volatile.extend(listener.said.iter().filter(|id| self.asked.contains(id)));
    }

    pub fn disconnected(&mut self, speaker: usize) {
        assert!(std::mem::replace(&mut self.speakers[speaker].connected, false), "disconnected twice");
    }

    pub fn client_heard(&mut self, speaker: usize, id: u64, greeting: Option<usize>, recovers: bool) {
        let speaker = &mut self.speakers[speaker];
        // The hub says nothing before it answers CONNECT but what was missed.
        assert!(speaker.connected || recovers, "heard while not connected");
        let spell = speaker.spells.last_mut().expect("connected");
        if let Some(greeting) = greeting {
            assert_eq!(spell.with.replace(greeting), None, "greeted twice");
        }
        let mut heard = vec![id];
        if spell.late && spell.with.is_none() {
            spell.early.push(id);
            let said_all = |listener: &Listener| spell.early.iter().all(|id| listener.said.contains(id));
            let mut found = self.listeners.iter().enumerate().filter(|(_, listener)| said_all(listener));
            let (with, listener) = found.next().expect("nobody said that");
            if found.next().is_some() {
                // What is said to many does not tell who it is.
                return;
            }
            heard = std::mem::take(&mut spell.early);
            spell.heard = listener.said.iter().position(|said| *said == heard[0]).expect("it said that");
            spell.with = Some(with);
        }
        let with = spell.with.expect("the greeting comes first");
        let said = &self.listeners[with].said;
        for id in heard {
            while said.get(spell.heard).is_some_and(|next| *next != id && self.volatile.contains(next)) {
                spell.heard += 1;
            }
            let expected = said.get(spell.heard);
            assert_eq!(Some(&id), expected, "event {} of socket {with} is lost, repeated or out of order", spell.heard);
            spell.heard += 1;
        }
    }

    pub fn server_heard(&mut self, listener: usize, id: u64) {
        let author = *self.authors.get(&id).expect("nobody said that");
        let speaker = &mut self.speakers[author];
        let listener = &mut self.listeners[listener];
        let (known, spell) = *listener.from.get_or_insert_with(|| {
            let begins = |spell: &Spell| spell.said.first() == Some(&id);
            let spell = speaker.spells.iter().rposition(begins).expect("what a session begins with is lost");
            assert!(speaker.heard.insert(spell), "a session comes twice");
            (author, spell)
        });
        assert_eq!(known, author, "somebody else's event");
        let expected = speaker.spells[spell].said.get(listener.heard);
        assert_eq!(Some(&id), expected, "event {} of a client is lost, repeated or out of order", listener.heard);
        listener.heard += 1;
    }
}
