//! The grammar of `Sec-WebSocket-Extensions` (RFC 6455 section 9.1), in one pass.

use alloc::vec::Vec;

use crate::http::{is_token, split_unquoted};

/// An extension and its parameters, as offered or chosen.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Extension<'a> {
    pub(super) name: &'a str,
    pub(super) params: Vec<(&'a str, Option<&'a str>)>,
}

/// The extensions of one header line; `None` if it breaks the grammar.
///
/// A quoted value must be a token too, so that no escape in it can mean anything: values with one are refused.
pub(super) fn parse(line: &str) -> Option<Vec<Extension<'_>>> {
    let mut extensions = Vec::new();
    for element in split_unquoted(line, b',') {
        let mut parts = split_unquoted(element, b';').map(|part| part.trim_matches([' ', '\t']));
        let name = parts.next()?;
        if name.is_empty() && parts.next().is_none() {
            continue; // an empty member of the list
        }
        if !is_token(name) {
            return None;
        }
        let params = parts.map(param).collect::<Option<Vec<_>>>()?;
        extensions.push(Extension { name, params });
    }
    Some(extensions)
}

fn param(part: &str) -> Option<(&str, Option<&str>)> {
    let Some((name, value)) = part.split_once('=') else {
        return is_token(part).then_some((part, None));
    };
    let (name, value) = (name.trim_end_matches([' ', '\t']), value.trim_start_matches([' ', '\t']));
    let value = match value.strip_prefix('"') {
        Some(quoted) => quoted.strip_suffix('"')?,
        None => value,
    };
    (is_token(name) && is_token(value)).then_some((name, Some(value)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec;

    #[test]
    fn the_grammar() {
        let parsed =
            parse("permessage-deflate; client_max_window_bits; server_max_window_bits=\"10\" , x;a = 1,,").unwrap();
        assert_eq!(
            parsed,
            vec![
                Extension {
                    name: "permessage-deflate",
                    params: vec![("client_max_window_bits", None), ("server_max_window_bits", Some("10"))],
                },
                Extension { name: "x", params: vec![("a", Some("1"))] },
            ]
        );
        assert_eq!(parse(""), Some(vec![]));
        for bad in ["a;", "a b", ";a", "a;=1", "a;b=", "a;b=\"", "a;b=\"c,d", "a;b=\"c\\\"d\"", "a;b=\"\"", "a=b"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn a05_an_unclosed_quote_is_read_once() {
        let long = alloc::format!("a; b=\"{}", "\\c".repeat(32 * 1024));
        assert_eq!(parse(&long), None);
        assert_eq!(parse(&"a,".repeat(32 * 1024)).map(|list| list.len()), Some(32 * 1024));
    }
}
