//! Why a packet breaks the protocol.

/// Why a packet breaks the protocol. The transport is closed for it, as the official server does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// The packet begins with no type from 0 to 6.
    #[error("unknown packet type")]
    PacketType,
    /// The number of attachments is missing, no number, or more than are allowed.
    #[error("invalid number of attachments")]
    Attachments,
    /// An acknowledgement id beyond 64 bits.
    #[error("invalid acknowledgement id")]
    AckId,
    /// The payload is not the JSON that the packet's type asks for.
    #[error("invalid payload")]
    Payload,
    /// JSON nested deeper than 127 levels.
    #[error("payload nested too deeply")]
    TooDeep,
    /// An event whose name is neither a string nor a number.
    #[error("invalid event name")]
    EventName,
    /// An event with a name that clients and servers use for themselves.
    #[error("reserved event name")]
    ReservedName,
    /// A packet that only servers send.
    #[error("packet type is the server's")]
    ServerPacket,
    /// A packet for a namespace that is not connected.
    #[error("namespace is not connected")]
    NotConnected,
    /// A second CONNECT for the same namespace.
    #[error("namespace is connected already")]
    AlreadyConnected,
    /// A namespace with a longer name than the server takes.
    #[error("namespace name too long")]
    NamespaceTooLong,
    /// More namespaces at once than a session may have.
    #[error("too many namespaces")]
    TooManyNamespaces,
    /// No CONNECT in time.
    #[error("no namespace was connected in time")]
    ConnectTimeout,
    /// Binary data that no packet announced.
    #[error("unannounced binary data")]
    Binary,
    /// A packet with more bytes than are taken, its attachments included.
    #[error("packet too long with its attachments")]
    AttachmentsTooLong,
    /// Another packet before all attachments of the last one have come.
    #[error("packet before the attachments of the last one")]
    AttachmentsMissing,
    /// The attachments of a packet did not come in time.
    #[error("attachments did not come in time")]
    AttachmentsTimeout,
    /// A placeholder that names no attachment.
    #[error("placeholder names no attachment")]
    Placeholder,
    /// A binary message that is no packet in MessagePack.
    #[error("not a MessagePack packet")]
    MessagePack,
    /// A text message where packets are MessagePack.
    #[error("text in place of MessagePack")]
    Text,
    /// A namespace that does not begin with a slash, or holds a comma.
    #[error("invalid namespace")]
    Namespace,
}
