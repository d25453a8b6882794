use bytes::Bytes;
use roomwire::socketio::{Args, Arguments, ArgumentsError};

use crate::chance::mix;

/// What an event with a number carries: its number decides, so that whoever gets it can tell whether it is whole.
#[derive(Clone, Debug)]
pub struct Payload {
    pub text: String,
    pub attachments: Vec<Bytes>,
}

impl Payload {
    pub fn new(id: u64) -> Self {
        let dice = mix(id);
        let size = match dice % 40 {
            0 => 4000 + dice % 6000,
            1..4 => 200 + dice % 2000,
            _ => dice % 40,
        };
        let letter = ["x", "é", "€", "😀"][(dice >> 32) as usize % 4];
        let filler = letter.repeat(size as usize);
        let count = if (dice >> 16).is_multiple_of(5) { 1 + (dice >> 24) as usize % 3 } else { 0 };
        let places: String = (0..count).map(|nth| format!(r#",{{"_placeholder":true,"num":{nth}}}"#)).collect();
        let attachments = (0..count).map(|nth| vec![id as u8; nth * 40].into()).collect();
        Self { text: format!(r#"{id},"{filler}"{places}"#), attachments }
    }

    /// The number of what came, which must be whole.
    pub fn read(args: &Args<'_>) -> u64 {
        let id = args.iter().next().and_then(|first| first.parse().ok()).expect("a number stands first");
        let expected = Self::new(id);
        // A server that keeps what it says adds an offset.
        let rest = args.as_str().strip_prefix(&expected.text).expect("what was said");
        assert!(rest.is_empty() || rest.starts_with(",\"") && rest.len() <= 32, "{rest}");
        assert_eq!(args.attachments(), expected.attachments);
        id
    }
}

impl Arguments for Payload {
    fn write(&self, out: &mut Vec<u8>) -> Result<(), ArgumentsError> {
        out.extend_from_slice(self.text.as_bytes());
        Ok(())
    }

    fn attachments(&self) -> &[Bytes] {
        &self.attachments
    }
}
