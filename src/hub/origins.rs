//! Pages: which may connect, and what tells their browser so.

use alloc::string::String;
use alloc::vec::Vec;
use core::time::Duration;

use super::config::Config;
use crate::http::{Request, Response};

/// Which pages may connect (RFC 6455 section 10.2). Browsers say truthfully from where a page came; a server
/// that knows its users by cookies must refuse all but its own pages, or any page can speak for them.
#[derive(Clone, Debug)]
pub enum Origins {
    /// All. Right where nothing that the browser adds by itself, like a cookie, identifies anybody; see also
    /// [`Cors::credentials`].
    Any,
    /// Those that were served under the host and port that the request itself names.
    SameHost,
    /// These, each written as browsers write it: `https://example.org`, in lower case, with the port only if it is not the
    /// scheme's own, and without a slash behind it.
    Listed(Vec<String>),
    /// Those for which the function says so. It is given what the browser wrote, or what somebody wrote who is none: compare
    /// all of it, from the scheme to the end. `|origin| origin.ends_with("example.org")` lets in `https://evilexample.org`.
    Matching(fn(&str) -> bool),
}

/// What browsers are told of the answers of long polling to pages from elsewhere (the CORS protocol of the Fetch standard,
/// section 3.3). WebSocket has no use for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cors {
    /// Whether pages may read answers to requests with credentials, such as cookies. Default true: the clients of revision 3
    /// send them unless they are told not to, and cannot connect from elsewhere without. With false and [`Origins::Any`] the
    /// answer to all is `*`: public, for nobody in particular.
    pub credentials: bool,
    /// How long a browser need not ask again whether it may send a request, in whole seconds. Default none: as long as
    /// browsers like, which is 5 s.
    pub max_age: Option<Duration>,
}

impl Default for Cors {
    fn default() -> Self {
        Self { credentials: true, max_age: None }
    }
}

impl Config {
    /// Adds to the answer to a request what tells a browser that the page may read it, if it may.
    pub(super) fn admit(&self, request: &Request, response: Response) -> Response {
        if matches!(self.origins, Origins::Any) && !self.cors.credentials {
            return response.own_lines("access-control-allow-origin: *\r\n");
        }
        // Whatever stands there: what is kept for one page is not another's.
        let response = response.own_lines("vary: Origin\r\n");
        let Some(origin) = request.header("origin").filter(|_| self.origins.allow(request)) else { return response };
        match response.try_header("access-control-allow-origin", origin) {
            Ok(response) if self.cors.credentials => response.own_lines("access-control-allow-credentials: true\r\n"),
            Ok(response) | Err(response) => response,
        }
    }

    /// The answer to a browser that asks whether a page from elsewhere may send its request.
    pub(super) fn preflight(&self, request: &Request) -> Option<Response> {
        if request.method() != "OPTIONS" || request.header("access-control-request-method").is_none() {
            return None;
        }
        if !self.origins.allow(request) {
            return None;
        }
        let mut response = self.admit(request, Response::new(204));
        response = response.own_lines("access-control-allow-methods: GET, POST\r\n");
        if let Some(max_age) = self.cors.max_age {
            response = response.own_header("access-control-max-age", &alloc::format!("{}", max_age.as_secs()));
        }
        let asked = request.header("access-control-request-headers");
        Some(match asked.map(|names| response.clone().header("access-control-allow-headers", names)) {
            Some(Ok(with_headers)) => with_headers,
            _ => response,
        })
    }
}

impl Origins {
    /// Whether a request may pass. One without `Origin` comes from no page and may.
    #[must_use]
    pub fn allow(&self, request: &Request) -> bool {
        if matches!(self, Self::Any) {
            return true;
        }
        let mut origins = request.header_bytes("origin");
        let Some(first) = origins.next() else { return true };
        let (Ok(origin), None) = (core::str::from_utf8(first), origins.next()) else { return false };
        self.contain(origin, request)
    }

    /// Whether the answer to a request may be a script. A page takes in scripts from anywhere and can read what they hand
    /// over, and its browser sends no `Origin` for them: what it says by other headers has to do (`Referer`, RFC 9110 section
    /// 10.1.3, which a page can keep back but not forge; `Sec-Fetch-Site`, Fetch Metadata).
    pub(super) fn allow_script(&self, request: &Request) -> bool {
        if matches!(self, Self::Any) || request.header_bytes("origin").next().is_some() {
            return self.allow(request);
        }
        let referer = request.header("referer").and_then(|page| {
            let (scheme, rest) = page.split_once("://")?;
            let authority = rest.split(['/', '?', '#']).next()?;
            Some(alloc::format!("{scheme}://{authority}"))
        });
        request.header("sec-fetch-site") == Some("same-origin")
            || referer.is_some_and(|origin| self.contain(&origin, request))
    }

    fn contain(&self, origin: &str, request: &Request) -> bool {
        match self {
            Self::Any => true,
            Self::SameHost => request.header("host").is_some_and(|host| is_under(origin, host)),
            Self::Listed(listed) => listed.iter().any(|allowed| allowed == origin),
            Self::Matching(matches) => matches(origin),
        }
    }
}

/// Whether an origin is that of a page under `host`. Browsers write both alike; what stands between may write the host in
/// other letters, or with the scheme's own port (RFC 9110 section 4.2.3).
fn is_under(origin: &str, host: &str) -> bool {
    let Some((scheme, authority)) = origin.split_once("://") else { return false };
    let port = match scheme {
        "http" => ":80",
        "https" => ":443",
        _ => "",
    };
    let same = |host: &str| authority.bytes().eq(host.bytes().map(|byte| byte.to_ascii_lowercase()));
    same(host) || host.strip_suffix(port).is_some_and(same)
}
