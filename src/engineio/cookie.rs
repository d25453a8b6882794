//! The cookie by which load balancers know a session.

use alloc::format;
use alloc::string::String;
use core::time::Duration;

use super::Sid;
use crate::http::is_token;

/// A cookie with the session's id, for load balancers that keep a client on one server by it (RFC 6265). It is set by the first
/// response of long polling.
///
/// ```
/// use roomwire::engineio::{Cookie, SameSite};
/// let own_pages = Cookie::new("io");
/// let pages_from_elsewhere = Cookie { same_site: SameSite::None, secure: true, ..Cookie::new("io") };
/// assert!(own_pages.validate().is_ok() && pages_from_elsewhere.validate().is_ok());
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    /// Its name, a token.
    pub name: String,
    /// To requests below which path browsers return it. Default `/`.
    pub path: String,
    /// To which host and all below it browsers return it. Default none: to the host that set it alone.
    pub domain: Option<String>,
    /// How long browsers keep it, in whole seconds. Default none: until they are closed.
    pub max_age: Option<Duration>,
    /// Whether scripts cannot read it. Default true.
    pub http_only: bool,
    /// Whether browsers return it by TLS alone. Default false.
    pub secure: bool,
    /// From which pages browsers return it. Default [`SameSite::Lax`].
    pub same_site: SameSite,
}

/// From which pages browsers return a cookie (RFC 6265bis section 4.1.2.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SameSite {
    /// From those of the same site.
    Strict,
    /// From those of the same site, and when somebody follows a link to it.
    Lax,
    /// From all; browsers want [`Cookie::secure`] for that.
    None,
}

/// A cookie that no browser would keep, or that would be another than is meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CookieError {
    /// The name is no token.
    #[error("name of a cookie is not a token")]
    Name,
    /// The path does not begin with a slash, or has a semicolon or a control character.
    #[error("invalid path of a cookie")]
    Path,
    /// The domain is no host's name.
    #[error("invalid domain of a cookie")]
    Domain,
    /// `SameSite=None` and names that begin with `__Secure-` or `__Host-` want [`Cookie::secure`]
    /// (RFC 6265bis sections 4.1.2.7 and 4.1.3).
    #[error("cookie has to be secure")]
    Insecure,
    /// Names that begin with `__Host-` want the path `/` and no domain (RFC 6265bis section 4.1.3.2).
    #[error("cookie has to be the host's own")]
    NotOfHost,
}

impl Cookie {
    /// The defaults with this name.
    #[must_use]
    pub fn new(name: &str) -> Self {
        Self {
            name: name.into(),
            path: "/".into(),
            domain: None,
            max_age: None,
            http_only: true,
            secure: false,
            same_site: SameSite::Lax,
        }
    }

    /// Whether browsers keep it.
    ///
    /// # Errors
    /// What they would not take, or misread.
    pub fn validate(&self) -> Result<(), CookieError> {
        if !is_token(&self.name) {
            return Err(CookieError::Name);
        }
        let plain = |byte: u8| matches!(byte, b' '..=b'~') && byte != b';';
        if !self.path.starts_with('/') || !self.path.bytes().all(plain) {
            return Err(CookieError::Path);
        }
        if self.domain.as_ref().is_some_and(|domain| !is_domain(domain)) {
            return Err(CookieError::Domain);
        }
        // Browsers look at these prefixes in any case of letters.
        let begins =
            |prefix: &str| self.name.get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix));
        if !self.secure && (self.same_site == SameSite::None || begins("__Secure-") || begins("__Host-")) {
            return Err(CookieError::Insecure);
        }
        if begins("__Host-") && (self.path != "/" || self.domain.is_some()) {
            return Err(CookieError::NotOfHost);
        }
        Ok(())
    }

    /// The value of `Set-Cookie` for a session (RFC 6265 section 4.1).
    pub(crate) fn set(&self, sid: &Sid) -> String {
        let mut line = format!("{}={}", self.name, sid.as_str());
        if let Some(max_age) = self.max_age {
            line.push_str(&format!("; Max-Age={}", max_age.as_secs()));
        }
        if let Some(domain) = &self.domain {
            line.push_str("; Domain=");
            line.push_str(domain);
        }
        line.push_str("; Path=");
        line.push_str(&self.path);
        if self.http_only {
            line.push_str("; HttpOnly");
        }
        if self.secure {
            line.push_str("; Secure");
        }
        line.push_str(match self.same_site {
            SameSite::Strict => "; SameSite=Strict",
            SameSite::Lax => "; SameSite=Lax",
            SameSite::None => "; SameSite=None",
        });
        line
    }
}

/// Whether it is a host's name; a dot before it means the same without it (RFC 6265 section 5.2.3).
fn is_domain(domain: &str) -> bool {
    let name = domain.strip_prefix('.').unwrap_or(domain);
    name.split('.').all(|label| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::entropy::Entropy;

    #[test]
    fn lines() {
        let sid = Sid::new(&mut Entropy::new([1; 32]));
        let plain = Cookie::new("io");
        let full = Cookie {
            path: "/chat dir".into(),
            domain: Some("example.org".into()),
            max_age: Some(Duration::from_millis(3_600_900)),
            secure: true,
            same_site: SameSite::None,
            ..plain.clone()
        };
        let strict = Cookie { http_only: false, same_site: SameSite::Strict, ..plain.clone() };
        for (cookie, rest) in [
            (plain, "; Path=/; HttpOnly; SameSite=Lax"),
            (full, "; Max-Age=3600; Domain=example.org; Path=/chat dir; HttpOnly; Secure; SameSite=None"),
            (strict, "; Path=/; SameSite=Strict"),
        ] {
            assert_eq!(cookie.validate(), Ok(()));
            assert_eq!(cookie.set(&sid), format!("io={}{rest}", sid.as_str()));
        }
    }

    /// What would become another attribute, another header, or nothing in a browser.
    #[test]
    fn what_no_browser_would_keep() {
        let io = || Cookie::new("io");
        for name in ["", "io; Domain=x", "io\r\nX: y", "a b", "a=b", "a,b", "\u{e9}"] {
            assert_eq!(Cookie::new(name).validate(), Err(CookieError::Name), "{name:?}");
        }
        for path in ["", "chat", "/a;b", "/a\r\nX: y", "/\u{e9}", "/\u{7f}"] {
            assert_eq!(Cookie { path: path.into(), ..io() }.validate(), Err(CookieError::Path), "{path:?}");
        }
        for domain in ["", ".", "..a", "a..b", "a.", "a; Path=/", "a\r\nX: y", "-a", "a-", "https://a", "a:80", "a_b"] {
            let cookie = Cookie { domain: Some(domain.into()), ..io() };
            assert_eq!(cookie.validate(), Err(CookieError::Domain), "{domain:?}");
        }
        for domain in ["localhost", "a.b-c.example", ".example.org"] {
            assert_eq!(Cookie { domain: Some(domain.into()), ..io() }.validate(), Ok(()), "{domain:?}");
        }
        let none = Cookie { same_site: SameSite::None, ..io() };
        for insecure in [none, Cookie::new("__Secure-io"), Cookie::new("__host-io")] {
            assert_eq!(insecure.validate(), Err(CookieError::Insecure));
            assert_eq!(Cookie { secure: true, ..insecure }.validate(), Ok(()));
        }
        let host = Cookie { secure: true, ..Cookie::new("__Host-io") };
        assert_eq!(Cookie { path: "/a".into(), ..host.clone() }.validate(), Err(CookieError::NotOfHost));
        assert_eq!(Cookie { domain: Some("a".into()), ..host }.validate(), Err(CookieError::NotOfHost));
    }
}
