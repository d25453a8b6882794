//! Engine.IO, revisions 3 and 4: packets, the payloads of long polling, the opening request, sessions and their heartbeat.
//!
//! Nothing here knows sockets or time of its own: a [`Session`] is told what was received and when.
//!
//! ```
//! use roomwire::engineio::{Config, Received, Revision, Session, Sid, Transport};
//! use roomwire::{Entropy, Instant};
//!
//! let (config, now) = (Config::default(), Instant::ORIGIN);
//! let mut session = Session::new(Sid::new(&mut Entropy::new([7; 32])), Revision::V4, &config, now);
//! assert!(session.open_packet(&config, Transport::WebSocket).starts_with(r#"0{"sid":""#));
//! assert_eq!(session.receive(now, &config, "4hello"), Ok(Received::Message("hello")));
//! assert!(session.receive(now, &config, "2").is_err(), "in revision 4 it is the server that pings");
//! ```

mod base64;
mod compression;
mod config;
mod cookie;
mod jsonp;
mod packet;
mod payload;
mod request;
mod session;

pub(crate) use base64::{read_base64, write_base64};
pub use compression::HttpCompression;
pub(crate) use compression::takes_gzip;
pub(crate) use config::is_path_of;
pub use config::{Config, Transports};
pub use cookie::{Cookie, CookieError, SameSite};
pub use jsonp::{read_jsonp, write_jsonp};
pub use packet::{Packet, PacketError, PacketType, Revision};
pub(crate) use payload::SEPARATOR;
pub use payload::{PayloadError, PayloadForm, PayloadPacket, read_payload, write_payload};
pub use request::{RequestError, SessionRequest, Transport};
pub use session::{Due, Received, Session, SessionError, Sid};
