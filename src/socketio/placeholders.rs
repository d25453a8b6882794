//! The places of binary attachments in JSON text.

use alloc::string::String;
use alloc::vec::Vec;

use super::Error;

/// Whether every placeholder in a text that is valid JSON names one of `count` attachments.
///
/// Strings are not decoded, but for keys with escapes, and numbers not read: what has no place in Rust's types, such as half
/// of a surrogate pair, is as good here as where nothing is attached.
pub(crate) fn check_placeholders(text: &str, count: usize) -> Result<(), Error> {
    let mut open: Vec<Open> = Vec::new();
    let mut rest = text;
    while let Some(token) = next(&mut rest) {
        match token {
            "[" => open.push(Open::Array),
            "{" => open.push(Open::Object(Object::default())),
            "]" | "}" => {
                if let Some(Open::Object(object)) = open.pop() {
                    object.check(count)?;
                }
                value(&mut open, "");
            }
            token => value(&mut open, token),
        }
    }
    Ok(())
}

/// An array or an object whose end is still to come.
enum Open {
    Array,
    Object(Object),
}

#[derive(Default)]
struct Object {
    /// The key whose value is to come.
    key: Option<Key>,
    marked: bool,
    num: Option<u64>,
}

/// The keys that make a placeholder.
#[derive(Clone, Copy)]
enum Key {
    Mark,
    Num,
    Other,
}

impl Object {
    fn check(&self, count: usize) -> Result<(), Error> {
        let is_there = |num: u64| usize::try_from(num).is_ok_and(|num| num < count);
        if !self.marked || self.num.is_some_and(is_there) { Ok(()) } else { Err(Error::Placeholder) }
    }
}

impl Key {
    fn new(quoted: &str) -> Self {
        let decoded: String;
        let name = if quoted.contains('\\') {
            decoded = serde_json::from_str(quoted).unwrap_or_default();
            &decoded
        } else {
            quoted.trim_matches('"')
        };
        match name {
            "_placeholder" => Self::Mark,
            "num" => Self::Num,
            _ => Self::Other,
        }
    }
}

/// A token that is a key or a value; of an array or an object nothing.
fn value(open: &mut [Open], token: &str) {
    let Some(Open::Object(object)) = open.last_mut() else { return };
    // Of a key that stands there twice the last one counts, as in JavaScript.
    match object.key.take() {
        None => object.key = Some(Key::new(token)),
        Some(Key::Mark) => object.marked = token == "true",
        Some(Key::Num) => object.num = token.parse().ok(),
        Some(Key::Other) => {}
    }
}

/// Takes the next token: a bracket, a string with its quotation marks, or another scalar.
fn next<'t>(rest: &mut &'t str) -> Option<&'t str> {
    let is_between = |c: char| matches!(c, ' ' | '\t' | '\n' | '\r' | ',' | ':');
    let text = rest.trim_start_matches(is_between);
    let size = match text.as_bytes() {
        [] => return None,
        [b'[' | b'{' | b']' | b'}', ..] => 1,
        [b'"', string @ ..] => {
            let mut escaped = false;
            let end = string.iter().position(|byte| {
                let ends = *byte == b'"' && !escaped;
                escaped = *byte == b'\\' && !escaped;
                ends
            });
            end.map_or(text.len(), |end| end.saturating_add(2))
        }
        _ => text.find(|c| is_between(c) || matches!(c, '[' | '{' | ']' | '}' | '"')).unwrap_or(text.len()),
    };
    let (token, after) = text.split_at_checked(size)?;
    *rest = after;
    Some(token)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;
    use alloc::string::ToString;
    use proptest::prelude::*;
    use serde_json::{Map, Value};

    #[test]
    fn s01_placeholders_name_what_is_there() {
        let check = |text: &str| check_placeholders(text, 2);
        for text in [
            "[]",
            r#"["e",{"_placeholder":true,"num":0},[{"a":{"num":1,"_placeholder":true}}]]"#,
            r#"["e",{"_placeholder":true,"num":1},{"_placeholder":true,"num":1}]"#,
            r#"["e",{"_placeholder":false,"num":7},{"num":7},{"_placeholder":1,"num":7}]"#,
            r#"["e",{"_placeholder":true,"num":9,"num":1}]"#,
            r#"["e",{"_placeholder":"true","num":9},{"x":"_placeholder","y":true,"num":9}]"#,
            r#"["e","{\"_placeholder\":true}",{"a":"\\"},{"_placeholder":true,"_placeholder":{},"num":9}]"#,
        ] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        for num in ["2", "-1", "1.5", "1e0", "\"splice\"", "\"1\"", "null", "[0]", "{}", "18446744073709551616", "true"]
        {
            let text = format!(r#"["e",{{"x":[{{"_placeholder":true,"num":{num}}}]}}]"#);
            assert_eq!(check(&text), Err(Error::Placeholder), "{text}");
        }
        assert_eq!(check(r#"["e",{"_placeholder":true}]"#), Err(Error::Placeholder));
        assert_eq!(check(r#"[{"_placeholder":true,"num":0,"num":null}]"#), Err(Error::Placeholder));
        assert_eq!(check("[ { \"_placeholder\" : true ,\n\"num\"\t: 2 } ]"), Err(Error::Placeholder));
        assert_eq!(
            check(r#"["e",{"\u005fplaceholder":true,"num":2}]"#),
            Err(Error::Placeholder),
            "escapes do not hide it"
        );
        assert_eq!(check_placeholders(r#"[{"_placeholder":true,"num":0}]"#, 0), Err(Error::Placeholder));
    }

    /// What passes without attachments passes with them.
    #[test]
    fn s11_odd_values_beside_attachments() {
        for text in [r#"["\ud800",{"_placeholder":true,"num":0}]"#, r#"[{"\udc00":1e999}]"#, "[-1e999]"] {
            assert_eq!(crate::socketio::json::check(text, '['), Ok(()), "{text}");
            assert_eq!(check_placeholders(text, 1), Ok(()), "{text}");
            let beside = format!(r#"[{text},{{"_placeholder":true,"num":1}}]"#);
            assert_eq!(check_placeholders(&beside, 1), Err(Error::Placeholder), "{beside}");
        }
    }

    fn json() -> impl Strategy<Value = Value> {
        let key = || prop_oneof![Just("_placeholder".to_string()), Just("num".into()), "[a\"\\\\,:{}\\[\\]é]{0,3}"];
        let leaf = prop_oneof![
            2 => Just(Value::Bool(true)),
            2 => (0_u64..3).prop_map(Value::from),
            1 => Just(Value::Null),
            1 => key().prop_map(Value::from),
        ];
        leaf.prop_recursive(4, 24, 4, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..4).prop_map(Value::Array),
                prop::collection::vec((key(), inner), 0..4)
                    .prop_map(|members| Value::Object(members.into_iter().collect::<Map<_, _>>())),
            ]
        })
    }

    /// The same by a tree of values.
    fn fits(value: &Value, count: u64) -> bool {
        match value {
            Value::Array(items) => items.iter().all(|item| fits(item, count)),
            Value::Object(members) => {
                let marked = members.get("_placeholder") == Some(&Value::Bool(true));
                let named = members.get("num").and_then(Value::as_u64).is_some_and(|num| num < count);
                (!marked || named) && members.values().all(|member| fits(member, count))
            }
            _ => true,
        }
    }

    proptest! {
        #[test]
        fn as_a_tree_of_values_says(value in json(), pretty: bool) {
            let text = if pretty { serde_json::to_string_pretty(&value) } else { serde_json::to_string(&value) }.unwrap();
            prop_assert_eq!(check_placeholders(&text, 2).is_ok(), fits(&value, 2), "{}", text);
        }

        #[test]
        fn any_text_is_read_to_its_end(text in "[\\[\\]{}\",:\\\\a1 ]{0,20}") {
            let _ = check_placeholders(&text, 1);
        }
    }
}
