//! Who gets an event, in the model: every socket is asked whether it is meant.

use super::reference::{CONGESTED, Phase, Reference};
use super::transition::{To, resolve};

/// The argument of a large event.
pub fn text(large: bool) -> String {
    "x".repeat(if large { 1800 } else { 3 })
}

impl Reference {
    /// As text: the receipt, or the error.
    pub fn emit(
        &mut self,
        to: &To,
        except: Option<usize>,
        except_room: Option<&str>,
        volatile: bool,
        large: bool,
    ) -> String {
        let count = self.sockets.len();
        let except = except.and_then(|except| resolve(except, count));
        if let To::Socket(socket) = to {
            match resolve(*socket, count).map(|socket| self.sockets[socket].phase) {
                None => return "Ok".into(),
                Some(Phase::Gone) => return "Socket(Gone)".into(),
                Some(Phase::Connecting(_)) => return "Socket(NotAccepted)".into(),
                Some(Phase::Away(_)) => return "Socket(Away)".into(),
                Some(Phase::Live) => {}
            }
        }
        let (mut live, mut dropped, mut away) = (Vec::new(), 0, 0);
        for socket in 0..count {
            let entry = &self.sockets[socket];
            let muted = except_room.is_some_and(|room| entry.rooms.contains(room));
            if !self.is_meant(to, socket) || except == Some(socket) || muted {
                continue;
            }
            match (entry.phase, entry.client) {
                (Phase::Away(_), _) => away += 1,
                (Phase::Live, Some(client)) if volatile && self.clients[client].bytes > CONGESTED => dropped += 1,
                (Phase::Live, Some(client)) => live.push((client, socket)),
                _ => {}
            }
        }
        let body = format!("[\"event\",\"{}\"]", text(large));
        let (mut queued, mut cut_off) = (0, 0);
        if volatile {
            // One after the other: the first may be what congests a client that has two of them.
            for (client, socket) in live {
                if self.clients[client].bytes > CONGESTED {
                    dropped += 1;
                } else {
                    queued += self.deliver(&[(client, socket)], &body).0;
                }
            }
        } else {
            (queued, cut_off) = self.deliver(&live, &body);
        }
        format!("queued {queued} dropped {dropped} away {away} cut off {cut_off}")
    }

    fn is_meant(&self, to: &To, socket: usize) -> bool {
        let entry = &self.sockets[socket];
        if !matches!(entry.phase, Phase::Live | Phase::Away(_)) {
            return false;
        }
        match to {
            To::Socket(target) => resolve(*target, self.sockets.len()) == Some(socket),
            To::Rooms(rooms, namespace) => {
                entry.namespace == *namespace && rooms.iter().any(|room| entry.rooms.contains(room))
            }
            To::Namespace(namespace) => entry.namespace == *namespace,
            To::User(user, namespace) => {
                entry.user == Some(user) && namespace.is_none_or(|namespace| entry.namespace == namespace)
            }
            To::All => true,
        }
    }
}
