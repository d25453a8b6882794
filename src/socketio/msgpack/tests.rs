//! Packets as MessagePack: what is written, and what is read of what others write.

use super::*;
use alloc::format;
use alloc::vec;
use proptest::prelude::*;
use serde_json::Value;

const PLACE: &str = r#"{"_placeholder":true,"num":0}"#;

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|byte| *byte != b' ').collect();
    digits.chunks(2).map(|pair| u8::from_str_radix(core::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

/// An event for `/` with these data.
fn event(data: &[u8]) -> Vec<u8> {
    [&b"\x83\xa4type\x02\xa3nsp\xa1/\xa4data"[..], data].concat()
}

fn parse(message: &[u8]) -> Result<Unpacked<'_>, Error> {
    Unpacked::parse(message, 10, 1_000_000)
}

/// What an event with these data becomes.
fn text(data: &str) -> Result<String, Error> {
    parse(&event(&hex(data))).map(|packet| packet.data)
}

/// The MessagePack that JSON becomes.
fn packed(json: &str, attachments: &[Bytes]) -> Result<Vec<u8>, Error> {
    let mut out = Vec::new();
    json::write(json, attachments, &mut out).map(|()| out)
}

fn written(packet: &Packet<'_>, attachments: &[Bytes]) -> Vec<u8> {
    let mut out = Vec::new();
    write_packet(packet, attachments, &mut out).unwrap();
    out
}

/// What the parser on both sides was recorded to say: 30-msgpack.
#[test]
fn recorded_packets() {
    let bin = r#"["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]"#;
    for (message, kind, id, data, attachments) in [
        (
            "83a47479706500a46461746181a5746f6b656ea6736563726574a36e7370a62f61646d696e",
            0,
            None,
            r#"{"token":"secret"}"#,
            vec![],
        ),
        (
            "83a47479706500a46461746182a3736964b4354f33783363514269546142583350774141416ba3706964d40000a36e7370a62f61646d696e",
            0,
            None,
            r#"{"sid":"5O3x3cQBiTaBX3PwAAAk"}"#,
            vec![],
        ),
        (
            "83a47479706502a46461746195a568656c6c6fa5776f726c6401c381a16191c0a36e7370a62f61646d696e",
            2,
            None,
            r#"["hello","world",1,true,{"a":[null]}]"#,
            vec![],
        ),
        (
            "84a47479706502a46461746196a36d7367a5706c61696ecb3ff8000000000000c2c081a16ba176a76f7074696f6e7381a8636f6d7072657373c3a36e7370a62f61646d696e",
            2,
            None,
            r#"["msg","plain",1.5,false,null,{"k":"v"}]"#,
            vec![],
        ),
        (
            "85a47479706502a46461746193a46563686fa8776974682061636b81a17801a76f7074696f6e7381a8636f6d7072657373c3a2696400a36e7370a62f61646d696e",
            2,
            Some(0),
            r#"["echo","with ack",{"x":1}]"#,
            vec![],
        ),
        (
            "84a2696400a47479706503a46461746192a8776974682061636b81a17801a36e7370a62f61646d696e",
            3,
            Some(0),
            r#"["with ack",{"x":1}]"#,
            vec![],
        ),
        (
            "85a47479706502a46461746192a46563686fc402deada76f7074696f6e7381a8636f6d7072657373c3a2696401a36e7370a62f61646d696e",
            2,
            Some(1),
            &format!(r#"["echo",{PLACE}]"#),
            vec![&[0xDE, 0xAD][..]],
        ),
        (
            "84a2696401a47479706503a46461746191c402deada36e7370a62f61646d696e",
            3,
            Some(1),
            &format!("[{PLACE}]"),
            vec![&[0xDE, 0xAD]],
        ),
        (
            "83a47479706502a46461746193a362696ec4040102030481a16ec40105a36e7370a62f61646d696e",
            2,
            None,
            bin,
            vec![&[1, 2, 3, 4], &[5]],
        ),
        (
            "83a47479706502a46461746192a86d73672d6261636bace282ac20f09f988020e280a8a36e7370a62f61646d696e",
            2,
            None,
            "[\"msg-back\",\"€ 😀 \u{2028}\"]",
            vec![],
        ),
        ("82a47479706501a36e7370a62f61646d696e", 1, None, "", vec![]),
        ("83a47479706500a464617461d40000a36e7370a52f6e6f7065", 0, None, "", vec![]),
        (
            "83a47479706504a36e7370a52f6e6f7065a46461746181a76d657373616765b1496e76616c6964206e616d657370616365",
            4,
            None,
            r#"{"message":"Invalid namespace"}"#,
            vec![],
        ),
    ] {
        let bytes = hex(message);
        let packet = parse(&bytes).unwrap();
        let attachments: Vec<Bytes> = attachments.into_iter().map(Bytes::copy_from_slice).collect();
        assert_eq!((number_of(packet.kind), packet.id, packet.data.as_str()), (kind, id, data));
        assert_eq!(packet.attachments, attachments);
        assert_eq!(
            &*packet.namespace,
            if message.contains("nope") || message.ends_with("6f7065") || kind == 4 { "/nope" } else { "/admin" }
        );
        // Written the same again, but for the order of members, and members that mean nothing.
        let again = written(&packet.packet(), &packet.attachments);
        assert_eq!(parse(&again).unwrap(), packet);
        let ours = message.starts_with("83a4747970650") && !message.contains("d40000") && kind != 4
            || message.starts_with("82");
        assert!(!ours || again == bytes, "{message}");
    }
}

/// The forms that `notepack.io` 2.2 gives them.
#[test]
fn shortest_forms() {
    let long = |length: usize| "x".repeat(length);
    for (json, expected) in [
        ("0", "00"),
        ("127", "7f"),
        ("128", "cc80"),
        ("255", "ccff"),
        ("256", "cd0100"),
        ("65535", "cdffff"),
        ("65536", "ce00010000"),
        ("4294967295", "ceffffffff"),
        ("4294967296", "cf0000000100000000"),
        ("18446744073709551615", "cfffffffffffffffff"),
        ("18446744073709551616", "cb43f0000000000000"),
        ("-1", "ff"),
        ("-32", "e0"),
        ("-33", "d0df"),
        ("-128", "d080"),
        ("-129", "d1ff7f"),
        ("-32768", "d18000"),
        ("-32769", "d2ffff7fff"),
        ("-2147483648", "d280000000"),
        ("-2147483649", "d3ffffffff7fffffff"),
        ("-9223372036854775808", "d38000000000000000"),
        ("-9223372036854775809", "cbc3e0000000000000"),
        ("-0", "00"),
        ("0.5", "cb3fe0000000000000"),
        ("1.0", "cb3ff0000000000000"),
        ("1e999", "cb7ff0000000000000"),
        ("null", "c0"),
        ("false", "c2"),
        ("true", "c3"),
        ("[]", "90"),
        ("{}", "80"),
        (" [ 1 , [ ] ] ", "920190"),
        (r#"{"a":{"b":[]},"c":[[],{}]}"#, "82a16181a16290a163929080"),
        (r#""""#, "a0"),
        (r#""\u0041\n\"\\\/""#, "a5410a225c2f"),
        (r#""\b\f\r\t""#, "a4080c0d09"),
        (r#""\u20ac\ud83d\ude00""#, "a7e282acf09f9880"),
    ] {
        assert_eq!(packed(json, &[]), Ok(hex(expected)), "{json}");
    }
    for (length, head) in
        [(31, "bf"), (32, "d920"), (255, "d9ff"), (256, "da0100"), (65535, "daffff"), (65536, "db00010000")]
    {
        let expected = [hex(head), long(length).into_bytes()].concat();
        assert_eq!(packed(&format!("\"{}\"", long(length)), &[]), Ok(expected), "{length}");
    }
    for (length, array, map) in
        [(15, "9f", "8f"), (16, "dc0010", "de0010"), (65535, "dcffff", "deffff"), (65536, "dd00010000", "df00010000")]
    {
        let json = format!("[{}]", vec!["1"; length].join(","));
        assert!(packed(&json, &[]).unwrap() == [hex(array), vec![1; length]].concat(), "{length}");
        let json = format!("{{{}}}", vec![r#""":1"#; length].join(","));
        assert!(packed(&json, &[]).unwrap() == [hex(map), [0xA0, 1].repeat(length)].concat(), "{length}");
    }
    for (length, head) in [(0, "c400"), (255, "c4ff"), (256, "c50100"), (65535, "c5ffff"), (65536, "c600010000")] {
        let bytes = Bytes::from(vec![7; length]);
        let expected = [hex(head), bytes.to_vec()].concat();
        assert!(packed(PLACE, &[bytes]) == Ok(expected), "{length}");
    }
}

#[test]
fn every_form_is_read() {
    for (data, expected) in [
        ("dc000201d90161", r#"[1,"a"]"#),
        ("dd00000001db0000000161", r#"["a"]"#),
        ("91da000161", r#"["a"]"#),
        ("de0001a16101", r#"{"a":1}"#),
        ("df00000001a161ff", r#"{"a":-1}"#),
        (
            "96ccffcdffffceffffffffcfffffffffffffffffd080d18000",
            "[255,65535,4294967295,18446744073709551615,-128,-32768]",
        ),
        ("93d280000000d38000000000000000d37fffffffffffffff", "[-2147483648,-9223372036854775808,9223372036854775807]"),
        // Longer than need be, and the sign where none is: still the same number.
        ("94cc05cd0005d00ad30000000000000005", "[5,5,10,5]"),
        ("93ca3fc00000cb3ff0000000000000cb8000000000000000", "[1.5,1.0,-0.0]"),
        ("92ca3dcccccdcb4059000000000000", "[0.10000000149011612,100.0]"),
    ] {
        assert_eq!(text(data), Ok(expected.into()), "{data}");
    }
    // No number is no number in JSON.
    assert_eq!(text("94ca7fc00000cb7ff8000000000000cb7ff0000000000000caff800000"), Ok("[null,null,null,null]".into()));
}

#[test]
fn undefined_is_what_it_is_for_json() {
    assert_eq!(text("93d4000001d400ff"), Ok("[null,1,null]".into()));
    assert_eq!(text("83a161d40000a16201a163d40000"), Ok(r#"{"b":1}"#.into()));
    assert_eq!(text("81a161d40000"), Ok("{}".into()));
}

#[test]
fn extensions() {
    let date = [&hex("91d700")[..], &1_763_773_201_007_i64.to_be_bytes()].concat();
    assert_eq!(parse(&event(&date)).unwrap().data, r#"["2025-11-22T01:00:01.007Z"]"#);
    assert_eq!(text("91d7007fffffffffffffff"), Ok("[null]".into()));
    for (data, length) in [("91c70100ff", 1), ("91c8000200ffff", 2), ("91c90000000000", 0)] {
        let message = event(&hex(data));
        let packet = parse(&message).unwrap();
        assert_eq!((packet.data, packet.attachments), (format!("[{PLACE}]"), vec![Bytes::from(vec![0xFF; length])]));
    }
    for data in [
        "91d40100",
        "91d4ff00",
        "91d5000000",
        "91d60000000000",
        "91d6ff00000000",
        "91d701000000000000000000",
        "91d80000000000000000000000000000000000",
        "91c7010100",
        "91c70cff000000000000000000000000",
        "91c1",
    ] {
        assert_eq!(text(data), Err(Error::MessagePack), "{data}");
    }
}

#[test]
fn keys_are_strings_in_json() {
    assert_eq!(
        text("8501c0ffc0c2c0c0c0cb3ff8000000000000c0"),
        Ok(r#"{"1":null,"-1":null,"false":null,"null":null,"1.5":null}"#.into())
    );
    assert_eq!(text("81cb7ff8000000000000c0"), Ok(r#"{"null":null}"#.into()));
    for key in ["90", "80", "c400", "d40000", "d7000000000000000000", "c70000"] {
        assert_eq!(text(&format!("81{key}c0")), Err(Error::MessagePack), "{key}");
    }
}

#[test]
fn s11_keys_that_stand_twice() {
    let twice = "82a16101a16102";
    assert_eq!(text(twice), Ok(r#"{"a":1,"a":2}"#.into()));
    assert_eq!(packed(r#"{"a":1,"a":2}"#, &[]), Ok(hex(twice)));
    // Of the packet itself no member stands twice: which one would count?
    for member in ["a47479706502", "a36e7370a12f", "a26964d40000", "a46461746190"] {
        let body = "a47479706502a36e7370a12fa2696401a46461746191a161";
        let twice = hex(&format!("85{body}{member}"));
        assert_eq!(parse(&twice), Err(Error::MessagePack), "{member}");
        assert!(parse(&hex(&format!("84{body}"))).is_ok());
    }
}

#[test]
fn s01_what_looks_like_a_placeholder() {
    let map = "82ac5f706c616365686f6c646572c3a36e756d00";
    // By itself it is data, as it is in an event without attachments.
    assert_eq!(text(&format!("92a161{map}")), Ok(format!(r#"["a",{PLACE}]"#)));
    assert_eq!(packed(&format!(r#"["a",{PLACE}]"#), &[]), Ok(hex(&format!("92a161{map}"))));
    // Beside an attachment, before or behind it and at any depth, it would be one more place of it.
    for data in [format!("92{map}c40101"), format!("92c40101{map}"), format!("92c4010181a16191{map}")] {
        assert_eq!(text(&data), Err(Error::Placeholder));
    }
    let unnumbered = "81ac5f706c616365686f6c646572c3";
    assert_eq!(text(&format!("92c40101{unnumbered}")), Err(Error::Placeholder));
    assert!(packed(r#"[{"_placeholder":true}]"#, &[]).is_ok());
    // What is not marked as one is none.
    assert!(text("92c4010182ac5f706c616365686f6c646572c2a36e756d00").is_ok());
}

#[test]
fn placeholders_are_replaced() {
    let bytes = [Bytes::from_static(b"a"), Bytes::from_static(b"b")];
    for (json, expected) in [
        (r#"[{"_placeholder":true,"num":1},{"_placeholder":true,"num":0}]"#, "92c40162c40161"),
        (r#"[{"_placeholder":true,"num":1},{"num":1,"_placeholder":true}]"#, "92c40162c40162"),
        // As other parsers take it: by these two members, whatever stands beside them, and the last of each.
        (r#"{"x":[{"y":[]}],"num":7,"num":0,"\u005fplaceholder":true}"#, "c40161"),
        (r#"[{"x":[[1]],"_placeholder":true,"num":0},{"a":1,"b":2},[3]]"#, "93c4016182a16101a162029103"),
        (r#"[{"_placeholder":false,"num":1},[[2]]]"#, "9282ac5f706c616365686f6c646572c2a36e756d01919102"),
        (
            r#"[{"_placeholder":true,"_placeholder":false}]"#,
            "9182ac5f706c616365686f6c646572c3ac5f706c616365686f6c646572c2",
        ),
        (
            r#"["_placeholder",true,{"a":"_placeholder","b":true}]"#,
            "93ac5f706c616365686f6c646572c382a161ac5f706c616365686f6c646572a162c3",
        ),
        (r#"[{"_placeholder":{"x":true,"num":0}}]"#, "9181ac5f706c616365686f6c64657282a178c3a36e756d00"),
    ] {
        assert_eq!(packed(json, &bytes), Ok(hex(expected)), "{json}");
    }
    for num in ["2", "-1", "1.5", "\"0\"", "null", "[0]", "18446744073709551616"] {
        let json = format!(r#"[{{"_placeholder":true,"num":{num}}}]"#);
        assert_eq!(packed(&json, &bytes), Err(Error::Placeholder), "{json}");
    }
    assert_eq!(packed(r#"[{"_placeholder":true}]"#, &bytes), Err(Error::Placeholder));
}

#[test]
fn s11_half_characters() {
    for json in [r#""\ud800""#, r#""\udc00""#, r#""\ud800x""#, r#""\ud800\u0041""#, r#""\ud800\ud800\udc00""#] {
        let message = [b"\x91", &packed(json, &[]).unwrap()[..]].concat();
        let expected = match json {
            r#""\ud800x""# => "\"\u{fffd}x\"",
            r#""\ud800\u0041""# => "\"\u{fffd}A\"",
            r#""\ud800\ud800\udc00""# => "\"\u{fffd}\u{10000}\"",
            _ => "\"\u{fffd}\"",
        };
        assert_eq!(parse(&event(&message)).unwrap().data, format!("[{expected}]"), "{json}");
    }
}

#[test]
fn s17_lengths_are_claims() {
    for data in [
        "ddffffffff",
        "dcffff",
        "dfffffffff",
        "deffff",
        "dbffffffff",
        "daffff",
        "d9ff",
        "c6ffffffff",
        "c5ffff",
        "c4ff",
        "c9ffffffff00",
        "c8ffff00",
        "c7ff00",
        "bf",
        "9f",
        "8f",
        "cf00",
        "cb00",
        "d7",
        "d4",
        "",
        "ddffffffff01",
        "dfffffffffa161",
        "91ddffffffff",
    ] {
        assert_eq!(text(data), Err(Error::MessagePack), "{data}");
        // The same in a member that nobody reads.
        let skipped = [&hex("83a36e7370a12fa47479706502a178")[..], &hex(data)].concat();
        assert_eq!(parse(&skipped), Err(Error::MessagePack), "{data}");
    }
}

#[test]
fn s10_s17_depth_is_bounded() {
    let nested = |depth: usize, front: &[u8]| parse(&event(&[front.repeat(depth), vec![0x90]].concat())).map(|_| ());
    for front in [&b"\x91"[..], b"\x81\xa0", b"\xdd\x00\x00\x00\x01"] {
        assert_eq!(nested(126, front), Ok(()));
        assert_eq!(nested(127, front), Err(Error::TooDeep));
        assert_eq!(nested(1_000_000, front), Err(Error::TooDeep));
    }
    // What is not read may be as deep as it likes.
    let skipped = [&hex("83a36e7370a12fa47479706501a178")[..], &[0x91].repeat(1_000_000), &[0x90]].concat();
    assert!(parse(&skipped).is_ok());
    // What the application says is walked without recursion.
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    assert_eq!(packed(&deep, &[]).unwrap().len(), 100_000);
}

#[test]
fn s05_s17_sizes_are_bounded() {
    let bins = |count: u8| event(&[vec![0x90 | count], [0xC4, 0].repeat(count.into())].concat());
    assert_eq!(Unpacked::parse(&bins(2), 2, 1000).unwrap().attachments.len(), 2);
    assert_eq!(Unpacked::parse(&bins(3), 2, 1000), Err(Error::Attachments));
    // Text and bytes together.
    let message = event(&[&[0x91, 0xC4, 100][..], &[0; 100]].concat());
    let size = PLACE.len() + 2 + 100;
    assert!(Unpacked::parse(&message, 1, size).is_ok());
    assert_eq!(Unpacked::parse(&message, 1, size - 1), Err(Error::AttachmentsTooLong));
    // Text that grows: a byte becomes five or six.
    let nils = event(&[&[0xDC, 0x10, 0x00][..], &[0xC0; 4096]].concat());
    assert_eq!(Unpacked::parse(&nils, 1, 5 * 4096), Err(Error::AttachmentsTooLong));
    assert!(Unpacked::parse(&nils, 1, 5 * 4096 + 1).is_ok());
    let keys = event(&[&[0xDE, 0x10, 0x00][..], &b"\xa1\x01\xc0".repeat(4096)].concat());
    assert_eq!(Unpacked::parse(&keys, 1, 1000), Err(Error::AttachmentsTooLong));
}

#[test]
fn packets_that_are_none() {
    for (message, error) in [
        ("", Error::MessagePack),
        ("90", Error::MessagePack),
        ("c0", Error::MessagePack),
        ("a161", Error::MessagePack),
        ("80", Error::PacketType),
        ("81a36e7370a12f", Error::PacketType),
        ("81a47479706502", Error::Namespace),
        ("82a47479706507a36e7370a12f", Error::PacketType),
        ("82a474797065ffa36e7370a12f", Error::PacketType),
        ("82a474797065a132a36e7370a12f", Error::PacketType),
        ("82a474797065cb4000000000000000a36e7370a12f", Error::PacketType),
        ("82a47479706501a36e7370c0", Error::Namespace),
        ("82a47479706501a36e7370a0", Error::Namespace),
        ("82a47479706501a36e7370a161", Error::Namespace),
        ("82a47479706501a36e7370a42f612c62", Error::Namespace),
        ("83a47479706501a36e7370a12fa26964ff", Error::AckId),
        ("83a47479706501a36e7370a12fa26964a131", Error::AckId),
        ("8200c0a47479706501", Error::MessagePack),
        // Bytes behind it, and bytes that are no UTF-8.
        ("82a47479706501a36e7370a12fc0", Error::MessagePack),
        ("83a47479706502a36e7370a12fa46461746191a1ff", Error::MessagePack),
        ("82a47479706501a36e7370a32feda0", Error::MessagePack),
        // Attachments where none can be.
        ("83a47479706500a36e7370a12fa46461746181a161c400", Error::Attachments),
        ("83a47479706501a36e7370a12fa46461746191c400", Error::Attachments),
    ] {
        assert_eq!(parse(&hex(message)), Err(error), "{message}");
    }
    // The other types of protocol 4, a query, and ids as they may be.
    let message = hex("84a47479706505a36e7370a52f613f623da26964cfffffffffffffffffa46461746191a161");
    let packet = parse(&message).unwrap();
    assert_eq!((packet.kind, &*packet.namespace, packet.id), (PacketType::Event, "/a?b=", Some(u64::MAX)));
    assert_eq!(parse(&written(&packet.packet(), &[])), Ok(packet));
    for nothing in ["c0", "d40000"] {
        let message = hex(&format!("84a47479706506a36e7370a12fa26964{nothing}a464617461{nothing}"));
        let packet = parse(&message).unwrap();
        assert_eq!((packet.kind, packet.id, packet.data.as_str()), (PacketType::Ack, None, ""));
    }
}

#[test]
fn packets_of_protocol_4_that_are_text() {
    let packet = Unpacked::parse_text(r#"{"type":0,"query":"a=b","nsp":"/admin?a=b","options":{"x":[{}]}}"#).unwrap();
    assert_eq!((packet.kind, &*packet.namespace), (PacketType::Connect, "/admin?a=b"));
    let packet = Unpacked::parse_text(r#" {"nsp":"/\u0061?\",","type":1} "#).unwrap();
    assert_eq!((packet.kind, &*packet.namespace), (PacketType::Disconnect, "/a?\","));
    for (message, error) in [
        (r#"{"type":2,"nsp":"/","data":["a"]}"#, Error::Text),
        (r#"{"type":6,"nsp":"/","data":["a"]}"#, Error::Text),
        (r#"{"type":7,"nsp":"/"}"#, Error::PacketType),
        (r#"{"nsp":"/"}"#, Error::PacketType),
        (r#"{"type":0}"#, Error::Namespace),
        (r#"{"type":0,"nsp":"a"}"#, Error::Namespace),
        (r#"{"type":0,"nsp":"/,"}"#, Error::Namespace),
        (r#"{"type":0,"type":0,"nsp":"/"}"#, Error::Payload),
        (r#"{"type":0,"nsp":"/","nsp":"/"}"#, Error::Payload),
        (r#"{"type":"0","nsp":"/"}"#, Error::Payload),
        (r#"{"type":0,"nsp":"/"}x"#, Error::Payload),
        ("0", Error::Payload),
        ("", Error::Payload),
        ("2[\"a\"]", Error::Payload),
    ] {
        assert_eq!(Unpacked::parse_text(message), Err(error), "{message}");
    }
    let mut out = Vec::new();
    write_packet_as_text(&Packet { data: r#""no""#, ..Packet::new(PacketType::ConnectError, "/a\"") }, &mut out);
    assert_eq!(core::str::from_utf8(&out), Ok(r#"{"type":4,"nsp":"/a\"","data":"no"}"#));
}

/// JSON with attachments: each has one place, in their order.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-40_i64..300).prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<String>().prop_map(Value::from),
        "[ -~]{28,36}".prop_map(Value::from),
        Just(serde_json::json!({"_placeholder": true, "num": 0})),
    ];
    leaf.prop_recursive(5, 60, 20, |inner| {
        let key = prop_oneof![4 => any::<String>(), 1 => Just("_placeholder".into()), 1 => Just("num".into())];
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..20).prop_map(Value::from),
            prop::collection::vec((key, inner), 0..20)
                .prop_map(|members| members.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Gives the placeholders in a value their numbers; how many there are. Other maps must not look like them.
fn number(value: &mut Value, count: &mut usize) {
    match value {
        Value::Array(members) => members.iter_mut().for_each(|member| number(member, count)),
        Value::Object(members) if members.get("_placeholder") == Some(&true.into()) => {
            *value = serde_json::json!({"_placeholder": true, "num": *count});
            *count += 1;
        }
        Value::Object(members) => members.values_mut().for_each(|member| number(member, count)),
        _ => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 150, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn parse_inverts_write(
        is_ack: bool,
        namespace in "/[a-z€/-]{0,40}([?].{0,5})?",
        id: Option<u64>,
        mut members in prop::collection::vec(value(), 0..20),
    ) {
        let mut count = 0;
        members.iter_mut().for_each(|member| number(member, &mut count));
        let attachments: Vec<Bytes> = (0..count).map(|nth| Bytes::from(vec![1; nth])).collect();
        let data = format!("{}", Value::from(members));
        let kind = if is_ack { PacketType::Ack } else { PacketType::Event };
        let packet = Packet { id, data: &data, ..Packet::new(kind, &namespace) };
        let message = written(&packet, &attachments);
        let read = Unpacked::parse(&message, count, usize::MAX).unwrap();
        prop_assert_eq!(read.packet(), packet);
        prop_assert_eq!(&read.attachments, &attachments);
        // Every beginning of it is an error, and so is anything behind it.
        for end in 0..message.len().min(200) {
            prop_assert!(parse(&message[..end]).is_err());
        }
        prop_assert!(parse(&[&message[..], b"\xc0"].concat()).is_err());
    }

    /// Whatever is read is valid JSON, is written, and read again as the same.
    #[test]
    fn s17_any_bytes_are_a_packet_or_an_error(data in prop_oneof![
        prop::collection::vec(any::<u8>(), 0..80),
        prop::collection::vec(prop_oneof![
            prop::sample::select(&b"\x80\x81\x82\x90\x91\x93\xa0\xa1\xc0\xc2\xc3\xc4\xc7\xca\xcb\xcc\xd4\xd7\xd9\xdc\xde\0\x01a"[..]),
            any::<u8>(),
        ], 0..80),
    ]) {
        let _ = parse(&data);
        let message = event(&[&[0x9F][..], &data, &[0xC0; 15]].concat());
        // As many as there are: what is left over ends the message.
        for length in 0..message.len() {
            let Ok(packet) = parse(&message[..length]) else { continue };
            prop_assert!(packet.data.is_empty() || serde_json::from_str::<&serde_json::value::RawValue>(&packet.data).is_ok());
            let again = written(&packet.packet(), &packet.attachments);
            prop_assert_eq!(parse(&again), Ok(packet));
        }
    }

    #[test]
    fn any_text_is_written_or_refused(text: String, pieces in prop::collection::vec(prop::sample::select(
        &["[", "]", "{", "}", ",", ":", "\"", "\\", "\\u", "d800", "1", "-", "e", "_placeholder", "true", "num", " "][..]), 0..20)) {
        for attachments in [&[][..], &[Bytes::from_static(b"x")]] {
            let _ = packed(&text, attachments);
            let _ = packed(&pieces.concat(), attachments);
        }
        let _ = Unpacked::parse_text(&text);
    }
}
