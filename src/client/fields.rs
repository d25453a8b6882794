//! Single members of a JSON object, without building the rest.

use alloc::string::String;
use core::fmt;

use serde::de::{Deserializer as _, MapAccess, Visitor};
use serde_json::value::RawValue;

/// The members of an object that have these names, as their JSON text; `None` if the text is no object.
pub(super) fn fields<'j, const N: usize>(json: &'j str, names: [&str; N]) -> Option<[Option<&'j str>; N]> {
    let mut parser = serde_json::Deserializer::from_str(json);
    let found = parser.deserialize_map(Named(names)).ok()?;
    parser.end().ok()?;
    Some(found)
}

/// The string that a JSON text is.
pub(super) fn string(json: Option<&str>) -> Option<String> {
    serde_json::from_str(json?).ok()
}

struct Named<'n, const N: usize>([&'n str; N]);

impl<'j, const N: usize> Visitor<'j> for Named<'_, N> {
    type Value = [Option<&'j str>; N];

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut found = [None; N];
        while let Some(key) = map.next_key::<String>()? {
            let value = map.next_value::<&RawValue>()?;
            for (name, place) in self.0.iter().zip(&mut found) {
                if **name == key {
                    *place = Some(value.get());
                }
            }
        }
        Ok(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn members() {
        let found = fields(r#"{"a":1,"sid":"x\"y","b":{"sid":2}}"#, ["sid", "b", "c"]);
        assert_eq!(found, Some([Some(r#""x\"y""#), Some(r#"{"sid":2}"#), None]));
        assert_eq!(string(found.unwrap()[0]).as_deref(), Some("x\"y"));
        for text in ["", "[]", "1", "{", "{}x", "{\"a\"}", "null"] {
            assert_eq!(fields(text, ["a"]), None, "{text}");
        }
    }
}
