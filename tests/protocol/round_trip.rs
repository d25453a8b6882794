//! What goes in comes out: values by way of packets, and of a whole hub.

use proptest::prelude::*;
use roomwire::socketio::{Args, Arguments, EventData, is_reserved};
use serde_json::{Map, Number, Value};

use crate::app::App;
use crate::client::{Client, Frame, MAIN_3};
use crate::world::{Told, World, open_config, secs};

fn cases(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Any JSON value; fractions are few, since the parser at hand does not read every one exactly.
fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::Bool),
        any::<i64>().prop_map(|number| Value::Number(number.into())),
        any::<u64>().prop_map(|number| Value::Number(number.into())),
        any::<i32>().prop_map(|number| Value::Number(Number::from_f64(f64::from(number) / 4.0).unwrap())),
        any::<String>().prop_map(Value::String),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
            prop::collection::vec((any::<String>(), inner), 0..4)
                .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
        ]
    })
}

fn values() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(value(), 0..5)
}

fn name() -> impl Strategy<Value = String> {
    any::<String>().prop_filter("reserved", |name| !is_reserved(name))
}

/// JSON with white space wherever it may stand.
fn spaced(values: &[Value], space: &str) -> String {
    let mut out = String::from(space);
    for (at, value) in values.iter().enumerate() {
        if at > 0 {
            out.push(',');
        }
        out.push_str(space);
        out.push_str(&value.to_string());
        out.push_str(space);
    }
    out
}

/// Whether two texts of arguments are the same but for the spaces around them.
fn same(one: &str, other: &str) -> bool {
    one.trim_ascii() == other.trim_ascii()
}

/// No valid payload begins with a slash; still, what was read must not become a namespace when it is written.
#[test]
fn a_payload_that_looks_like_a_namespace() {
    use roomwire::socketio::Packet;
    let packet = Packet::parse("2/,/b,").unwrap();
    assert_eq!((packet.namespace, packet.data), ("/", "/b,"));
    let mut out = Vec::new();
    packet.write(&mut out);
    assert_eq!(Packet::parse(std::str::from_utf8(&out).unwrap()), Ok(packet));
}

proptest! {
    #![proptest_config(cases(400))]

    #[test]
    fn arguments(values in values(), space in "[ \t\r\n]{0,2}") {
        let text = spaced(&values, &space);
        let args = Args::new(text.as_str()).unwrap();
        prop_assert_eq!(args.len(), values.len());
        prop_assert_eq!(args.is_empty(), values.is_empty());
        prop_assert_eq!(&args.parse::<Vec<Value>>().unwrap(), &values);
        let parts: Vec<Value> = args.iter().map(|part| serde_json::from_str(part).unwrap()).collect();
        prop_assert_eq!(&parts, &values);
        let mut out = Vec::new();
        args.write(&mut out).unwrap();
        prop_assert!(same(&String::from_utf8(out).unwrap(), &text));
    }

    #[test]
    fn tuples(a: String, b: i64, c: Option<bool>, d in value()) {
        let mut out = Vec::new();
        (&a, b, c, &d).write(&mut out).unwrap();
        let args = Args::new(String::from_utf8(out).unwrap()).unwrap();
        let back: (String, i64, Option<bool>, Value) = args.parse().unwrap();
        prop_assert_eq!(back, (a, b, c, d));
    }

    #[test]
    fn event_payloads(name in name(), values in values(), space in "[ \t]{0,2}") {
        let comma = if values.is_empty() { "" } else { "," };
        let name_text = Value::String(name.clone()).to_string();
        let payload = format!("[{space}{name_text}{space}{comma}{}]", spaced(&values, &space));
        let event = EventData::parse(&payload).unwrap();
        prop_assert_eq!(&*event.name, name.as_str());
        prop_assert_eq!(event.args.parse::<Vec<Value>>().unwrap(), values);
    }
}

proptest! {
    #![proptest_config(cases(100))]

    /// From one client through the hub to all, in both protocols: the text of the arguments is not touched, the name
    /// means the same.
    #[test]
    fn events_through_a_hub(name in name(), values in values(), space in "[ \t\r\n]{0,2}") {
        let mut world = World::captured();
        let mut client = Client::connected(&mut world);
        let mut other = Client::connected_3(&mut world);
        other.frames(&mut world);
        world.news();
        let comma = if values.is_empty() { "" } else { "," };
        let args = if values.is_empty() { String::new() } else { spaced(&values, &space) };
        let packet = format!("42[{}{comma}{args}]", Value::String(name.clone()));
        client.say(&mut world, &packet);
        let told = world.news();
        let [Told::Emit { socket, name: seen, args: seen_args, .. }] = &told[..] else { panic!("{told:?}") };
        let args = args.trim_ascii().to_owned();
        prop_assert_eq!((seen, seen_args), (&name, &args));
        client.frames(&mut world);
        let forwarded = Args::new(seen_args.as_str()).unwrap();
        world.hub.emit(world.now, roomwire::hub::Target::all().except(*socket), &name, forwarded).unwrap();
        world.settle();
        let sent = other.texts(&mut world);
        prop_assert_eq!(sent.len(), 1);
        let event = EventData::parse(&sent[0][2..]).unwrap();
        prop_assert_eq!((&*event.name, event.args.as_str()), (name.as_str(), args.as_str()));
    }

    /// A question with any arguments, and an answer with any.
    #[test]
    fn acknowledgements_through_a_hub(values in values(), space in "[ \t\r\n]{0,2}") {
        let mut world = World::new(open_config(), App::Accepting);
        let mut client = Client::open(&mut world, MAIN_3);
        let args = spaced(&values, &space);
        client.say(&mut world, &format!(r#"4277["e",{}]"#, if values.is_empty() { "0" } else { &args }));
        let reply = world.ear.replies.pop().unwrap();
        client.frames(&mut world);
        world.hub.ack(world.now, reply, Args::new(args.as_str()).unwrap()).unwrap();
        world.settle();
        let frames = client.frames(&mut world);
        let [Frame::Text(sent)] = &frames[..] else { panic!("{frames:?}") };
        let sent = sent.strip_prefix("4377[").and_then(|sent| sent.strip_suffix(']'));
        prop_assert!(same(sent.unwrap(), &args), "{:?}", frames);
        world.hub.emit_with_ack(world.now, world.last_socket(), "q", (), secs(1)).unwrap();
        world.settle();
        world.news();
        client.say(&mut world, &format!("430[{args}]"));
        let told = world.news();
        let [Told::Ack { answer: Ok(answer), .. }] = &told[..] else { panic!("{told:?}") };
        prop_assert!(same(answer, &args), "{}", answer);
    }

    /// The answer to a question, passed on by an application that does not look at it, is JSON for whoever gets it.
    #[test]
    fn answers_passed_on(values in values(), space in "[ \t\r\n]{0,2}") {
        let mut world = World::captured();
        let mut client = Client::connected(&mut world);
        client.ask(&mut world, r#"42["ask"]"#);
        let sent = client.ask(&mut world, &format!("430[{}]", spaced(&values, &space)));
        let [Frame::Text(sent)] = &sent[..] else { panic!("{sent:?}") };
        let mut expected = vec![Value::from("got")];
        expected.extend(values);
        prop_assert_eq!(serde_json::from_str::<Vec<Value>>(&sent[2..]).ok(), Some(expected), "{}", sent);
    }
}
