use std::hint::black_box;

use roomwire::engineio::{PayloadForm, PayloadPacket, read_payload, write_payload};

use super::{Linear, Path, json};
use crate::section::count;

pub const HOT: &[Path] =
    &[Path { name: "engineio: write and read a polling payload of 16 packets, revision 4", times: 200, run: payload }];

pub const LINEAR: &[Linear] = &[
    Linear {
        name: "E01 payload of revision 3, two-byte characters",
        units: 8 << 10,
        run: |n| read(V3, &"2:4é".repeat(n)),
    },
    Linear { name: "E01 payload of revision 3, one long packet", units: 16 << 10, run: long },
    Linear { name: "E18 payload of empty packets", units: 16 << 10, run: |n| separators(&"\u{1e}".repeat(n)) },
    Linear { name: "E18 payload of small packets", units: 8 << 10, run: |n| read(V4, &vec!["2"; n].join("\u{1e}")) },
];

const V3: PayloadForm = PayloadForm::V3Text;
const V4: PayloadForm = PayloadForm::V4;

fn payload(times: usize) {
    let packets = Vec::from_iter((0..16).map(|nth| PayloadPacket::Text(format!("42[\"price\",{}]", json(nth)).into())));
    let mut read = 0;
    count(|| {
        for _ in 0..times {
            let mut body = Vec::new();
            for packet in &packets {
                write_payload(V4, packet, &mut body);
            }
            read += read_payload(V4, &body, 16).map(|packet| black_box(packet).is_ok()).filter(|ok| *ok).count();
        }
    });
    assert_eq!(read, times * 16);
}

/// Every packet of it is in order.
fn read(form: PayloadForm, body: &str) {
    let ends = count(|| read_payload(form, body.as_bytes(), usize::MAX).map(|packet| black_box(packet).is_ok()).last());
    assert_eq!(ends, Some(true));
}

fn long(size: usize) {
    read(V3, &format!("{}:4{}", size + 1, "é".repeat(size)));
}

/// The first packet is refused already, but the body was looked at.
fn separators(body: &str) {
    let ends = count(|| read_payload(V4, body.as_bytes(), usize::MAX).map(|packet| black_box(packet).is_ok()).last());
    assert_eq!(ends, Some(false));
}
