//! The page and its files, which are part of the program.

use roomwire::http::{HeaderError, Request, Response};

const HTML: &str = include_str!("../page/index.html");
const STYLE: &str = include_str!("../page/chat.css");
const CHAT: &str = include_str!("../page/chat.js");
const CLIENT: &str = include_str!("../page/roomwire.js");

pub fn respond(request: &Request) -> Response {
    if !matches!(request.method(), "GET" | "HEAD") {
        return Response::new(405).text("only GET\n");
    }
    let file = match request.path() {
        "/" => Some((HTML, "text/html; charset=utf-8")),
        "/chat.css" => Some((STYLE, "text/css; charset=utf-8")),
        "/chat.js" => Some((CHAT, "text/javascript; charset=utf-8")),
        "/roomwire.js" => Some((CLIENT, "text/javascript; charset=utf-8")),
        _ => None,
    };
    match file {
        Some((text, kind)) => serve(text, kind).unwrap_or_else(|error| Response::new(500).text(&error.to_string())),
        None => Response::new(404).text("not found\n"),
    }
}

fn serve(text: &'static str, kind: &str) -> Result<Response, HeaderError> {
    let response = Response::new(200)
        .header("content-type", kind)?
        .header("cache-control", "no-cache")?
        .header("x-content-type-options", "nosniff")?
        .header("content-security-policy", "default-src 'self'; connect-src 'self' ws: wss:; img-src 'self' data:")?;
    Ok(response.body(text.as_bytes()))
}
