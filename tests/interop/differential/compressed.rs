//! Beside sockudo-ws, with compression as both negotiate it; and what is sent held to its window, which zlib does not do.

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use roomwire::ws::{DeflateConfig, Role};
use sockudo_ws::deflate::{self, DeflateWindowBits};

use crate::ends::{End, Item, Mode, Ours, Sockudo};
use crate::inflate::inflate;
use crate::script::{cases, play, turns};
use crate::wire::frames;

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn our_client_and_their_server(ours in ours(8), theirs in theirs(), mode in mode(), turns in turns()) {
        let mut negotiated = None;
        let mut client = Ours::client(ours, mode, |offers| {
            let chosen = deflate::negotiate_server_deflate(offers, &theirs).expect("nothing that it can take");
            let answer = chosen.to_response_header();
            negotiated = Some(chosen.config);
            answer
        });
        play(&mut client, &mut Sockudo::new(Role::Server, negotiated.unwrap()), &turns);
    }

    /// It knows no window of 256 bytes, so our server may not choose that.
    #[test]
    fn our_server_and_their_client(ours in ours(9), theirs in theirs(), hint: bool, mode in mode(), turns in turns()) {
        let offer = offer(&theirs, hint);
        let (mut server, answer) = Ours::server(ours, mode, &offer);
        let answer = answer.expect("an offer that can be taken");
        let params = deflate::parse_deflate_offer(&answer).expect("an answer in the grammar");
        let mut agreed = sockudo_ws::DeflateConfig::from_params(&params).unwrap();
        agreed.compression_level = theirs.compression_level;
        agreed.compression_threshold = theirs.compression_threshold;
        play(&mut server, &mut Sockudo::new(Role::Client, agreed), &turns);
    }

    /// What a small window has forgotten is not referred to, nor an earlier message where each stands alone.
    #[test]
    fn what_we_send_keeps_to_its_window(
        is_server: bool, bits in 8u32..=15, level in 1u8..=9, alone: bool, messages in vec(repetitive(), 1..5),
    ) {
        let (size, takeover) = (bits as u8, if alone { "; server_no_context_takeover" } else { "" });
        let config = DeflateConfig { level, threshold_bytes: 0, ..Default::default() };
        let mut ours = if is_server {
            Ours::server(config, Mode::Whole, &format!("permessage-deflate; server_max_window_bits={size}{takeover}")).0
        } else {
            let config = DeflateConfig { client_max_window_bits: size, ..config };
            let takeover = takeover.replace("server", "client");
            Ours::client(config, Mode::Whole, |_| format!("permessage-deflate; client_max_window_bits={size}{takeover}"))
        };
        let mut window = Vec::new();
        for message in messages {
            ours.write(&Item::Binary(message.clone()));
            let frame = frames(&ours.take()).remove(0);
            prop_assert_eq!(frame.first, 0xC2);
            if alone {
                window.clear();
            }
            let start = window.len();
            inflate(&[&frame.payload[..], b"\0\0\xFF\xFF"].concat(), 1 << bits, &mut window);
            prop_assert!(window[start..] == message, "another message");
        }
    }
}

/// A block that comes again, at a distance that some windows have and others do not.
fn repetitive() -> impl Strategy<Value = Vec<u8>> {
    let block = prop_oneof![4 => vec(any::<u8>(), 1..2000), 1 => vec(any::<u8>(), 4000..36_000)];
    (block, 1usize..4, 0usize..300)
        .prop_map(|(block, count, more)| [block.repeat(count), vec![b'x'; more]].concat())
        .prop_filter("an empty message is not compressed", |message| !message.is_empty())
}

fn mode() -> impl Strategy<Value = Mode> {
    select(Mode::ALL.to_vec())
}

fn ours(bits_min: u8) -> impl Strategy<Value = DeflateConfig> {
    (1u8..=9, 0usize..200, any::<bool>(), any::<bool>(), bits_min..=15, bits_min..=15).prop_map(
        |(level, threshold_bytes, server_alone, client_alone, server_bits, client_bits)| DeflateConfig {
            level,
            threshold_bytes,
            server_no_context_takeover: server_alone,
            client_no_context_takeover: client_alone,
            server_max_window_bits: server_bits,
            client_max_window_bits: client_bits,
        },
    )
}

fn theirs() -> impl Strategy<Value = sockudo_ws::DeflateConfig> {
    (0u32..=9, 0usize..200, any::<bool>(), any::<bool>(), 9u8..=15, 9u8..=15).prop_map(
        |(level, threshold, server_alone, client_alone, server_bits, client_bits)| sockudo_ws::DeflateConfig {
            compression_level: level,
            compression_threshold: threshold,
            server_no_context_takeover: server_alone,
            client_no_context_takeover: client_alone,
            server_max_window_bits: DeflateWindowBits::try_from(server_bits).unwrap(),
            client_max_window_bits: DeflateWindowBits::try_from(client_bits).unwrap(),
        },
    )
}

/// What a client of theirs would ask for. Without the hint its window stays the largest.
fn offer(theirs: &sockudo_ws::DeflateConfig, hint: bool) -> String {
    let mut offer = String::from("permessage-deflate");
    if theirs.server_no_context_takeover {
        offer.push_str("; server_no_context_takeover");
    }
    if theirs.client_no_context_takeover {
        offer.push_str("; client_no_context_takeover");
    }
    let bits = u8::from(theirs.server_max_window_bits);
    if bits < 15 {
        offer.push_str(&format!("; server_max_window_bits={bits}"));
    }
    if hint {
        offer.push_str(&format!("; client_max_window_bits={}", u8::from(theirs.client_max_window_bits)));
    }
    offer
}
