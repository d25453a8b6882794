//! MessagePack values, each in its shortest form.

use alloc::vec::Vec;

pub(super) const NIL: u8 = 0xC0;
pub(super) const FALSE: u8 = 0xC2;
pub(super) const TRUE: u8 = 0xC3;

pub(super) fn unsigned(number: u64, out: &mut Vec<u8>) {
    if let Ok(small) = u8::try_from(number) {
        if small >= 0x80 {
            out.push(0xCC);
        }
        out.push(small);
    } else if let Ok(small) = u16::try_from(number) {
        headed(0xCD, &small.to_be_bytes(), out);
    } else if let Ok(small) = u32::try_from(number) {
        headed(0xCE, &small.to_be_bytes(), out);
    } else {
        headed(0xCF, &number.to_be_bytes(), out);
    }
}

pub(super) fn signed(number: i64, out: &mut Vec<u8>) {
    if let Ok(number) = u64::try_from(number) {
        unsigned(number, out);
    } else if let Ok(small) = i8::try_from(number) {
        if small < -0x20 {
            out.push(0xD0);
        }
        out.extend_from_slice(&small.to_be_bytes());
    } else if let Ok(small) = i16::try_from(number) {
        headed(0xD1, &small.to_be_bytes(), out);
    } else if let Ok(small) = i32::try_from(number) {
        headed(0xD2, &small.to_be_bytes(), out);
    } else {
        headed(0xD3, &number.to_be_bytes(), out);
    }
}

pub(super) fn float(number: f64, out: &mut Vec<u8>) {
    headed(0xCB, &number.to_be_bytes(), out);
}

pub(super) fn string(text: &str, out: &mut Vec<u8>) {
    match u8::try_from(text.len()) {
        Ok(short @ 0..32) => out.push(0xA0 | short),
        Ok(short) => headed(0xD9, &[short], out),
        Err(_) => long(text.len(), [0xDA, 0xDB], out),
    }
    out.extend_from_slice(text.as_bytes());
}

pub(super) fn binary(bytes: &[u8], out: &mut Vec<u8>) {
    match u8::try_from(bytes.len()) {
        Ok(short) => headed(0xC4, &[short], out),
        Err(_) => long(bytes.len(), [0xC5, 0xC6], out),
    }
    out.extend_from_slice(bytes);
}

/// The front of an array; its members follow.
pub(super) fn array(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short @ 0..16) => out.push(0x90 | short),
        _ => long(length, [0xDC, 0xDD], out),
    }
}

/// The front of a map; so many keys follow, each with its value.
pub(super) fn map(length: usize, out: &mut Vec<u8>) {
    match u8::try_from(length) {
        Ok(short @ 0..16) => out.push(0x80 | short),
        _ => long(length, [0xDE, 0xDF], out),
    }
}

/// A length of two bytes, or else of four, which is more than an outbox holds.
fn long(length: usize, markers: [u8; 2], out: &mut Vec<u8>) {
    let [two, four] = markers;
    match u16::try_from(length) {
        Ok(length) => headed(two, &length.to_be_bytes(), out),
        Err(_) => headed(four, &u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes(), out),
    }
}

fn headed(marker: u8, bytes: &[u8], out: &mut Vec<u8>) {
    out.push(marker);
    out.extend_from_slice(bytes);
}
