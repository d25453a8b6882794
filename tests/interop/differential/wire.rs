//! Frames (RFC 6455 section 5.2), taken apart and put together by neither of the implementations.

/// A frame with its payload unmasked.
#[derive(Clone, Debug)]
pub struct Frame {
    /// FIN, reserved bits and opcode.
    pub first: u8,
    pub key: Option<[u8; 4]>,
    pub payload: Vec<u8>,
}

impl Frame {
    pub fn is_control(&self) -> bool {
        self.first & 0x08 != 0
    }

    /// Whether it is a control frame or the first of a message.
    pub fn begins(&self) -> bool {
        self.first & 0x0F != 0
    }

    pub fn write(&self, out: &mut Vec<u8>) {
        let masked = if self.key.is_some() { 0x80 } else { 0 };
        out.push(self.first);
        match self.payload.len() {
            size @ 0..126 => out.push(masked | size as u8),
            size @ 126..65_536 => {
                out.push(masked | 126);
                out.extend((size as u16).to_be_bytes());
            }
            size => {
                out.push(masked | 127);
                out.extend((size as u64).to_be_bytes());
            }
        }
        out.extend(self.key.unwrap_or_default().iter().take(if self.key.is_some() { 4 } else { 0 }));
        out.extend(masking(&self.payload, self.key));
    }
}

fn masking(payload: &[u8], key: Option<[u8; 4]>) -> Vec<u8> {
    let key = key.unwrap_or_default();
    payload.iter().enumerate().map(|(at, byte)| byte ^ key[at % 4]).collect()
}

/// Takes a stream of whole frames apart; panics on a length that is not minimal, and on anything left over.
pub fn frames(mut bytes: &[u8]) -> Vec<Frame> {
    let mut frames = Vec::new();
    while !bytes.is_empty() {
        let (size, mut at) = match bytes[1] & 0x7F {
            126 => (u64::from(u16::from_be_bytes([bytes[2], bytes[3]])), 4),
            127 => (u64::from_be_bytes(bytes[2..10].try_into().unwrap()), 10),
            size => (u64::from(size), 2),
        };
        assert_eq!(
            at,
            if size < 126 {
                2
            } else if size < 65_536 {
                4
            } else {
                10
            },
            "length is not minimal"
        );
        let key = (bytes[1] & 0x80 != 0).then(|| <[u8; 4]>::try_from(&bytes[at..at + 4]).unwrap());
        at += if key.is_some() { 4 } else { 0 };
        let end = at + size as usize;
        frames.push(Frame { first: bytes[0], key, payload: masking(&bytes[at..end], key) });
        bytes = &bytes[end..];
    }
    frames
}

/// Writes a message's one frame as fragments that end at `ends`, `between` after each but the last.
pub fn fragmented(frame: &Frame, ends: &[usize], between: &[Frame], out: &mut Vec<u8>) {
    let mut start = 0;
    for (nth, end) in ends.iter().copied().chain([frame.payload.len()]).enumerate() {
        let fin = if nth == ends.len() { frame.first & 0x80 } else { 0 };
        // The reserved bits and the opcode stand in the first fragment alone.
        let kind = if nth == 0 { frame.first & 0x7F } else { 0 };
        let key = frame.key.map(|[a, b, c, d]| [b ^ nth as u8, c, d, a]);
        Frame { first: fin | kind, key, payload: frame.payload[start..end].to_vec() }.write(out);
        if nth < ends.len() {
            for control in between.iter().skip(nth).step_by(ends.len()) {
                Frame { key: frame.key, ..control.clone() }.write(out);
            }
        }
        start = end;
    }
}
