//! Compression of the answers of long polling.

use crate::http::{Request, Response, list};

/// Which answers of long polling are compressed by gzip (RFC 9110 section 8.4.1.3): those to clients that say that they take it.
///
/// Where an answer holds both a secret and a text of somebody else's choice, its length tells of the secret to who sees
/// it on its way and can choose the text often enough (the BREACH attack).
#[cfg(feature = "deflate")]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HttpCompression {
    /// Bytes of a body from which on it is compressed. Default 1,024, the official server's.
    pub threshold: usize,
}

/// Which answers of long polling are compressed: without the feature `deflate` none, so that there is no value of it.
#[cfg(not(feature = "deflate"))]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HttpCompression {}

#[cfg(feature = "deflate")]
impl Default for HttpCompression {
    fn default() -> Self {
        Self { threshold: 1024 }
    }
}

impl HttpCompression {
    /// The compressed form of an answer, if it has the length for it and is shorter then.
    #[cfg(feature = "deflate")]
    pub(crate) fn apply(self, response: Response) -> Response {
        if response.body_bytes().len() < self.threshold {
            return response;
        }
        match gzip(response.body_bytes()) {
            Some(body) => response.own_header("content-encoding", "gzip").body(body),
            None => response,
        }
    }

    #[cfg(not(feature = "deflate"))]
    pub(crate) fn apply(self, _: Response) -> Response {
        match self {}
    }
}

/// Whether the client takes gzip, as it says (RFC 9110 section 12.5.3). One that says nothing gets none.
pub(crate) fn takes_gzip(request: &Request) -> bool {
    let mut by_star = false;
    let mut by_name = None;
    for member in request.header_values("accept-encoding").flat_map(list) {
        let (coding, parameters) = member.split_once(';').unwrap_or((member, ""));
        let taken = is_taken(parameters);
        match coding.trim_ascii() {
            "*" => by_star = taken,
            name if name.eq_ignore_ascii_case("gzip") || name.eq_ignore_ascii_case("x-gzip") => {
                by_name = Some(by_name.unwrap_or(true) && taken);
            }
            _ => {}
        }
    }
    by_name.unwrap_or(by_star)
}

/// Whether a weight is more than zero; none is one, and what is no weight is zero.
fn is_taken(parameters: &str) -> bool {
    let parameters = parameters.trim_ascii();
    if parameters.is_empty() {
        return true;
    }
    let Some((name, value)) = parameters.split_once('=') else { return false };
    let (name, value) = (name.trim_ascii(), value.trim_ascii());
    let weight = match value.split_once('.') {
        Some((whole, fraction)) if fraction.len() <= 3 => (whole, fraction),
        Some(_) => return false,
        None => (value, ""),
    };
    let digits = |text: &str| text.bytes().all(|byte| byte.is_ascii_digit());
    name.eq_ignore_ascii_case("q")
        && match weight {
            ("0", fraction) => digits(fraction) && fraction.bytes().any(|digit| digit != b'0'),
            ("1", fraction) => fraction.bytes().all(|digit| digit == b'0'),
            _ => false,
        }
}

/// The gzip form of a body (RFC 1952); none if that would not be shorter.
#[cfg(feature = "deflate")]
fn gzip(body: &[u8]) -> Option<alloc::vec::Vec<u8>> {
    use zlib_rs::{DeflateConfig, ReturnCode, compress_slice};

    let mut out = alloc::vec![0; body.len().saturating_sub(1)];
    // 16 beyond the largest window: the front and the end of gzip around it, as in zlib's deflateInit2.
    let config = DeflateConfig { window_bits: 31, ..DeflateConfig::default() };
    let (packed, code) = compress_slice(&mut out, body, config);
    let length = packed.len();
    if code != ReturnCode::Ok {
        return None;
    }
    out.truncate(length);
    out.shrink_to_fit();
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::vec::Vec;

    #[test]
    fn who_takes_gzip() {
        let takes = |lines: &[&str]| {
            let headers = lines.iter().map(|line| ("accept-encoding", line.as_bytes()));
            let headers: Vec<_> = headers.chain([("host", &b"a"[..])]).collect();
            takes_gzip(&Request::from_parts("GET", "/", 1, headers).unwrap())
        };
        for lines in [
            &["gzip"][..],
            &["gzip, deflate, br"],
            &["br;q=1.0, GZIP;q=0.8, *;q=0.1"],
            &["*"],
            &["identity, *;q=0.5"],
            &["x-gzip"],
            &["gzip;q=0.001"],
            &["gzip ; q = 1.000"],
            &["gzip;Q=1"],
            &["br", "gzip"],
            &["gzip;q=0.5, *;q=0"],
            &[" gzip\t"],
        ] {
            assert!(takes(lines), "{lines:?}");
        }
        for lines in [
            &[][..],
            &[""],
            &["identity"],
            &["deflate, br"],
            &["gzip;q=0"],
            &["gzip;q=0.000, *"],
            &["*;q=0"],
            &["gzip;q=0."],
            &["gzip;q="],
            &["gzip;q=2"],
            &["gzip;q=-1"],
            &["gzip;q=0.0001"],
            &["gzip;q=1.1"],
            &["gzip;q=.5"],
            &["gzip;level=9"],
            &["gzip;q=0.x"],
            &["gzip;q"],
            &["gzip, gzip;q=0"],
            &["gzipped"],
            &["not gzip"],
            &["gzip;q=1;q=0"],
        ] {
            assert!(!takes(lines), "{lines:?}");
        }
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn bodies_come_back() {
        let inflated = |packed: &[u8], length: usize| {
            let mut out = alloc::vec![0; length];
            let config = zlib_rs::InflateConfig { window_bits: 31 };
            let (out, code) = zlib_rs::decompress_slice(&mut out, packed, config);
            assert_eq!(code, zlib_rs::ReturnCode::Ok);
            out.to_vec()
        };
        for length in [100, 1024, 100_000, 3_000_000] {
            let body: Vec<u8> = (0..length).map(|at: usize| b"room wire "[at % 10]).collect();
            let packed = gzip(&body).unwrap();
            assert!(packed.starts_with(&[0x1F, 0x8B, 8]) && packed.len() < body.len());
            assert_eq!(inflated(&packed, length), body);
        }
        // What does not become shorter stays as it is.
        let mut random = crate::Entropy::new([1; 32]);
        let noise: Vec<u8> = (0..100).flat_map(|_| random.bytes::<32>()).collect();
        assert!(gzip(b"").is_none() && gzip(b"abc").is_none() && gzip(&noise).is_none());
    }

    #[cfg(feature = "deflate")]
    #[test]
    fn only_what_is_long_enough() {
        let compression = HttpCompression { threshold: 100 };
        let encoding = |length: usize| {
            let response = compression.apply(Response::new(200).body(alloc::vec![b'x'; length]));
            (response.headers().find(|(name, _)| *name == "content-encoding").is_some(), response.body_bytes().len())
        };
        assert_eq!(encoding(99), (false, 99));
        assert!(matches!(encoding(100), (true, ..100)));
    }
}
