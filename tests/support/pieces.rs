//! Messages in pieces, put together again.

use roomwire::ws::{Config, Limits, Message, Piece, PieceLimits};

use super::ws::{Seen, small};

/// What [`small`] refuses is refused, and of the rest most is told in pieces.
pub fn in_pieces() -> Config {
    let Limits { message_bytes_max, fragments_max, .. } = small().limits;
    let limits = Limits { message_bytes_max: 20, fragments_max: 3, ..small().limits };
    let pieces = PieceLimits { message_bytes_max: message_bytes_max as u64, fragments_max: fragments_max.into() };
    Config { limits, pieces: Some(pieces), ..small() }
}

/// Adds what a piece has to what was told of its message.
fn append(message: &mut Message<'static>, piece: &Message<'_>) {
    match (message, piece) {
        (Message::Text(text), Message::Text(piece)) => text.to_mut().push_str(piece),
        (Message::Binary(bytes), Message::Binary(piece)) => bytes.to_mut().extend_from_slice(piece),
        mixed => panic!("pieces of two kinds: {mixed:?}"),
    }
}

/// Joins the pieces of each message where its last one stands, and yields what is left of one that has none. The pieces
/// stand in order.
pub fn joined(seen: Vec<Seen>) -> (Vec<Seen>, Option<Message<'static>>) {
    let mut begun: Option<Message<'static>> = None;
    let mut joined = Vec::new();
    for seen in seen {
        let Seen::Piece(Piece { data, first, last }) = seen else {
            assert!(begun.is_none() || !matches!(seen, Seen::Text(_) | Seen::Binary(_)), "a message within another");
            joined.push(seen);
            continue;
        };
        assert_eq!(first, begun.is_none(), "the first piece and no other is the first");
        assert!(last || !data.as_bytes().is_empty(), "an empty piece");
        match &mut begun {
            Some(message) => append(message, &data),
            None => begun = Some(data),
        }
        if last {
            joined.extend(begun.take().map(whole));
        }
    }
    (joined, begun)
}

pub fn whole(message: Message<'static>) -> Seen {
    match message {
        Message::Text(text) => Seen::Text(text.into_owned()),
        Message::Binary(bytes) => Seen::Binary(bytes.into_owned()),
    }
}

/// Pieces that are told without anything between them are one, for what is cut anywhere.
pub fn merged(seen: Vec<Seen>) -> Vec<Seen> {
    let mut merged: Vec<Seen> = Vec::new();
    for seen in seen {
        match (merged.last_mut(), seen) {
            (Some(Seen::Piece(before)), Seen::Piece(piece)) if !before.last => {
                append(&mut before.data, &piece.data);
                before.last = piece.last;
            }
            (_, seen) => merged.push(seen),
        }
    }
    merged
}
