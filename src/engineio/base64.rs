//! Binary data as text: in the bodies of long polling, and on a WebSocket from and to clients that are set to have no binary
//! messages.

use alloc::vec::Vec;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::{PayloadError, Revision};

/// Written with padding, which some clients leave out.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// Appends the data of a binary message as text: `b`, in revision 3 the type of a message, and base64 (RFC 4648 section 4).
pub(crate) fn write_base64(revision: Revision, data: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(match revision {
        Revision::V4 => b"b",
        Revision::V3 => b"b4",
    });
    out.extend_from_slice(BASE64.encode(data).as_bytes());
}

/// The data of a packet that is text, if it has the form of binary data: if it begins with `b`.
///
/// # Errors
/// [`PayloadError::Kind`] in revision 3 for another packet than a message, [`PayloadError::Base64`] for what is none.
pub(crate) fn read_base64(revision: Revision, text: &str) -> Option<Result<Vec<u8>, PayloadError>> {
    let data = text.strip_prefix('b')?;
    let data = match revision {
        Revision::V4 => Ok(data),
        Revision::V3 => data.strip_prefix('4').ok_or(PayloadError::Kind),
    };
    Some(data.and_then(|data| BASE64.decode(data).map_err(|_| PayloadError::Base64)))
}
