//! The page and its files, which are part of the program.

use roomwire::http::{HeaderError, Request, Response};

const HTML: &str = include_str!("../page/index.html");
const STYLE: &str = include_str!("../page/chat.css");
const CHAT: &str = include_str!("../page/chat.js");
const CLIENT: &str = include_str!("../page/roomwire.js");

pub fn respond(request: &Request) -> Response {
    if !matches!(request.method(), "GET" | "HEAD") {
        return not_allowed().unwrap_or_else(failed);
    }
    let file = match request.path() {
        "/" => Some((HTML, "text/html; charset=utf-8")),
        "/chat.css" => Some((STYLE, "text/css; charset=utf-8")),
        "/chat.js" => Some((CHAT, "text/javascript; charset=utf-8")),
        "/roomwire.js" => Some((CLIENT, "text/javascript; charset=utf-8")),
        _ => None,
    };
    match file {
        Some((text, kind)) => serve(text, kind).unwrap_or_else(failed),
        None => Response::new(404).text("not found\n"),
    }
}

/// A 405 names what is allowed (RFC 9110 section 15.5.6).
fn not_allowed() -> Result<Response, HeaderError> {
    Ok(Response::new(405).header("allow", "GET, HEAD")?.text("only GET\n"))
}

fn failed(error: HeaderError) -> Response {
    Response::new(500).text(&error.to_string())
}

fn serve(text: &'static str, kind: &str) -> Result<Response, HeaderError> {
    let response = Response::new(200)
        .header("content-type", kind)?
        .header("cache-control", "no-cache")?
        .header("x-content-type-options", "nosniff")?
        .header("content-security-policy", "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:")?;
    Ok(response.body(text.as_bytes()))
}
