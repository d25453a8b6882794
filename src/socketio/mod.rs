//! Socket.IO, protocols 4 and 5: packets, arguments, acknowledgements.
//!
//! JSON stays what it is on the wire, text: it is checked once, and parsed when the application
//! wants to. An event that is passed on is not encoded again.
//!
//! ```
//! use roomwire::socketio::{EventData, Packet, PacketType};
//!
//! let packet = Packet::parse(r#"2/chat,7["say","hello",{"bold":true}]"#)?;
//! assert_eq!((packet.kind, packet.namespace, packet.id), (PacketType::Event, "/chat", Some(7)));
//! let event = EventData::parse(packet.data)?;
//! assert_eq!(event.name, "say");
//! let (text, style): (&str, serde_json::Value) = event.args.parse()?;
//! assert_eq!((text, &style["bold"]), ("hello", &true.into()));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

mod acks;
mod args;
mod binary;
mod error;
mod event;
mod json;
#[cfg(feature = "msgpack")]
pub mod msgpack;
mod packet;
mod parser;
mod placeholders;

pub(crate) use acks::Acks;
pub use args::{Args, Arguments, ArgumentsError};
pub(crate) use binary::Assembly;
pub use binary::{Attached, Attachment, Placeholder, attach};
pub use error::Error;
pub use event::{EventData, is_reserved};
pub(crate) use event::{ack_array, event_array, write_name};
pub(crate) use json::check_object;
pub use packet::{Packet, PacketType};
pub use parser::Parser;
pub(crate) use placeholders::check_placeholders;

/// The version of the protocol; it follows from the revision of Engine.IO below.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Protocol {
    /// Protocol 4 (clients 1.x and 2.x): the namespace `/` is connected unasked, errors are any value.
    V4,
    /// Protocol 5 (clients 3.x and 4.x): each namespace is asked for, with a payload for authentication.
    V5,
}
