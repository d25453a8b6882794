//! What a driver owes the byte stream under a connection.

/// What is to be done with the byte stream *once everything in `outgoing` has been written*.
///
/// It only ever moves down this list. A driver that cannot shut down one direction may treat
/// `HalfClosed` as `Open`: the connection's own deadline turns it into `Closed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stream {
    /// Go on reading and writing.
    Open,
    /// Nothing more will be sent: shut down the writing direction (again and again is harmless) and go on
    /// reading until the peer ends. What is read is discarded: closing a stream with unread
    /// bytes makes TCP reset it, and the peer might then never see the last words sent to it.
    HalfClosed,
    /// Close it and forget the connection.
    Closed,
}
