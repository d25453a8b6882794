//! The body of the fuzz target for the payloads of long polling. `cargo test` runs it over the seeds of
//! `fuzz/corpus/payloads`.

use roomwire::engineio::{
    PayloadError, PayloadForm, PayloadPacket, read_jsonp, read_payload, write_jsonp, write_payload,
};

/// Bodies in every form: what is read is written again as it was, nothing comes after an error, no more packets than are
/// taken, and a script or a form hands over the text that it was made of. The first byte chooses the form and the limit.
pub fn payloads(data: &[u8]) {
    let Some((&choice, body)) = data.split_first() else { return };
    let form = [PayloadForm::V4, PayloadForm::V3Text, PayloadForm::V3Binary][usize::from(choice % 3)];
    read(form, body, usize::from(choice / 3));
    read(form, body, usize::MAX);
    let text = String::from_utf8_lossy(body);
    script(u32::from(choice), &text);
    if let Ok(unpacked) = read_jsonp(body) {
        read(PayloadForm::V3Text, unpacked.as_bytes(), usize::MAX);
    }
    form_of(&text);
}

fn read(form: PayloadForm, body: &[u8], packets_max: usize) {
    let mut packets = Vec::new();
    let mut error = None;
    for packet in read_payload(form, body, packets_max) {
        assert!(error.is_none(), "something after an error");
        match packet {
            Ok(packet) => packets.push(packet),
            Err(failed) => error = Some(failed),
        }
    }
    assert!(packets.len() <= packets_max);
    assert!(error != Some(PayloadError::TooManyPackets) || packets_max <= body.len());
    for packet in &packets {
        assert!(!matches!(packet, PayloadPacket::Text(text) if text.is_empty()));
    }
    let mut again = Vec::new();
    packets.iter().for_each(|packet| write_payload(form, packet, &mut again));
    match error {
        // Up to the packets that stand for none,
        // and with the padding of base64 that was left out, and a digit for it.
        None if form == PayloadForm::V3Text => assert!(again.len() <= body.len().saturating_add(3 * packets.len())),
        // The padding of base64 is written, also where it was not there.
        None => assert!(again == body || padded(form, &again, body)),
        Some(_) => assert!(form == PayloadForm::V3Text || body.starts_with(&again) || again.contains(&b'=')),
    }
    if !packets.is_empty() {
        let read: Result<Vec<_>, _> = read_payload(form, &again, packets.len()).collect();
        assert_eq!(read, Ok(packets));
    }
}

/// Whether the first is the second with padding that was left out.
fn padded(form: PayloadForm, with: &[u8], without: &[u8]) -> bool {
    let unpadded = |bytes: &[u8]| bytes.iter().copied().filter(|byte| *byte != b'=').collect::<Vec<_>>();
    form == PayloadForm::V4 && with.len() > without.len() && unpadded(with) == unpadded(without)
}

/// A script is a call with one string, which is the text, and has nothing in it that could end it early.
fn script(index: u32, text: &str) {
    let mut script = Vec::new();
    write_jsonp(index, text, &mut script);
    let script = String::from_utf8(script).expect("a script is text");
    let inner = script.strip_prefix(&format!("___eio[{index}](\"")).and_then(|rest| rest.strip_suffix("\");"));
    let inner = inner.expect("a call");
    assert!(!inner.contains("</") && !inner.contains(['\n', '\r', '\u{2028}', '\u{2029}']));
    assert_eq!(unescaped(inner), text);
}

/// What a script's string means; an escape that is none is a failure.
fn unescaped(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars();
    while let Some(character) = characters.next() {
        assert!(character != '"' && character >= ' ', "{character:?} is not escaped");
        if character != '\\' {
            out.push(character);
            continue;
        }
        out.push(match characters.next().expect("an escape") {
            'n' => '\n',
            'r' => '\r',
            't' => '\t',
            'b' => '\u{8}',
            'f' => '\u{c}',
            'u' => {
                let digits: String = characters.by_ref().take(4).collect();
                char::from_u32(u32::from_str_radix(&digits, 16).expect("four digits")).expect("a character")
            }
            literal @ ('"' | '\\' | '/') => literal,
            other => panic!("\\{other} is no escape"),
        });
    }
    out
}

/// A form as a client sends it means the text, whatever is in it.
fn form_of(text: &str) {
    // What stood as a backslash and an `n` gets another backslash, then line feeds are written as that pair.
    let mut escaped = String::new();
    let mut backslashes = 0;
    for character in text.chars() {
        if character == 'n' && backslashes > 0 {
            escaped.push('\\');
        }
        backslashes = if character == '\\' { backslashes + 1 } else { 0 };
        match character {
            '\n' if escaped.ends_with('\\') => return,
            '\n' => escaped.push_str("\\n"),
            character => escaped.push(character),
        }
    }
    let form: String = escaped.bytes().map(|byte| format!("%{byte:02x}")).collect();
    assert_eq!(read_jsonp(format!("d={form}").as_bytes()).as_deref(), Ok(text));
}
