//! Where this server differs from the recorded ones, and why.

/// What this server says otherwise, on purpose.
pub struct Difference {
    pub scenario: &'static str,
    pub official: &'static str,
    /// Empty if it says nothing.
    pub ours: &'static str,
    #[allow(dead_code)]
    why: &'static str,
}

const fn differs(scenario: &'static str, official: &'static str, ours: &'static str, why: &'static str) -> Difference {
    Difference { scenario, official, ours, why }
}

const CODE: &str = "a close frame says what was wrong, where the official server's is empty";
const MAX: &str = "a server 2.x does not tell its limit; one that serves revision 3 beside 4 does";
const SMALL: &str = "the smallest limit of a hub is 128";
const FORBIDDEN: &str = "there is no message of the application's, and the status is one for all kinds of request";
const LATE: &str = "the official server accepts the upgrade before it refuses the request";

const TOGETHER: &str = "what one turn of the application says, and an event and its attachments, go in one answer";
const CHECK: &str = "a GET behind the probe is answered at once, where the official server looks every 100 ms";
const PUT: &str = "the official server fails";
const PAGES: &str = "a page that may not is refused, where the official server leaves it to the browser";
const METHODS: &str = "these two are all that there are, and a preflight is not cached by what it asks for";

/// All of them, each with its reason. One that never applies fails the test.
pub const DIFFERENCES: &[Difference] = &[
    differs("too large", "S. 1009", "S. 1009 message too big", CODE),
    differs("the client pings", "S.", "S. 1008 Engine.IO: heartbeat in the wrong direction", CODE),
    differs("unknown Engine.IO packet", "S.", "S. 1008 Engine.IO: not an Engine.IO packet", CODE),
    differs("unknown Socket.IO packet", "S.", "S. 1008 Socket.IO: unknown packet type", CODE),
    differs("bad JSON", "S.", "S. 1008 Socket.IO: invalid payload", CODE),
    differs("no array", "S.", "S. 1008 Socket.IO: invalid payload", CODE),
    differs("reserved name", "S.", "S. 1008 Socket.IO: reserved event name", CODE),
    differs("event before CONNECT", "S.", "S. 1008 Socket.IO: namespace is not connected", CODE),
    differs("second CONNECT", "S.", "S. 1008 Socket.IO: namespace is connected already", CODE),
    differs("binary that was not announced", "S.", "S. 1003 Socket.IO: unannounced binary data", CODE),
    differs("CONNECT_ERROR", "S.", "S. 1008 Socket.IO: packet type is the server's", CODE),
    differs("event after DISCONNECT", "S.", "S. 1008 Socket.IO: namespace is not connected", CODE),
    differs(
        "",
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000}"#,
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
        MAX,
    ),
    differs(
        "",
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":400,"pingTimeout":300}"#,
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":400,"pingTimeout":300,"maxPayload":1000000}"#,
        MAX,
    ),
    differs(
        "",
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#,
        r#"S 0{"sid":"<sid>","upgrades":[],"pingInterval":25000,"pingTimeout":20000,"maxPayload":128}"#,
        SMALL,
    ),
    differs(
        "forbidden",
        r#"R 403 application/json {"code":4,"message":"no thanks"}"#,
        r#"R 403 application/json {"code":4,"message":"Forbidden"}"#,
        FORBIDDEN,
    ),
    differs("upgrade: forbidden", "R 400 text/html no thanks", "R 403 text/html Forbidden", FORBIDDEN),
    differs(
        "upgrade: revision 3 where it is not served",
        "R 101",
        "R 400 text/html Unsupported protocol version",
        LATE,
    ),
    differs("upgrade: revision 3 where it is not served", "S.", "", LATE),
    differs("upgrade with the transport polling", "R 101", "R 400 text/html Bad request", LATE),
    differs("upgrade with the transport polling", "S.", "", LATE),
    differs("upgrade with the transport polling", "C.", "", LATE),
    differs(
        "",
        r#"< 200 text/plain; charset=UTF-8 0{"sid":"<sid>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":100}"#,
        r#"< 200 text/plain; charset=UTF-8 0{"sid":"<sid>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":128}"#,
        SMALL,
    ),
    differs(
        "",
        r#"< 200 text/plain; charset=UTF-8 97:0{"sid":"<sid>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000}2:40"#,
        r#"< 200 text/plain; charset=UTF-8 118:0{"sid":"<sid>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}2:4039:42["hello","world",1,true,{"a":[null]}]"#,
        TOGETHER,
    ),
    differs(
        "",
        r#"< 200 text/plain; charset=UTF-8 118:0{"sid":"<sid>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
        r#"< 200 text/plain; charset=UTF-8 118:0{"sid":"<sid>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}2:4039:42["hello","world",1,true,{"a":[null]}]"#,
        TOGETHER,
    ),
    differs(
        "server 2: a client upgrades",
        r#"> 4 GET /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid>"#,
        r#""#,
        TOGETHER,
    ),
    differs(
        "server 2: polling only",
        r#"> 3 GET /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid>"#,
        r#""#,
        TOGETHER,
    ),
    differs(
        "server 2: polling only, base64",
        r#"> 3 GET /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid>"#,
        r#""#,
        TOGETHER,
    ),
    differs(
        "server 4: a client upgrades",
        r#"> 4 GET /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid>"#,
        r#""#,
        TOGETHER,
    ),
    differs("server 4: raw", r#"> 3 GET /socket.io/?EIO=3&transport=polling&sid=<sid>"#, r#""#, TOGETHER),
    differs("server 4: base64", r#"> 15 GET /socket.io/?EIO=3&transport=polling&sid=<sid>&b64=1"#, r#""#, TOGETHER),
    differs("", r#"< 200 text/plain; charset=UTF-8 39:42["hello","world",1,true,{"a":[null]}]"#, r#""#, TOGETHER),
    differs("", r#"< 200 text/plain; charset=UTF-8 2:4039:42["hello","world",1,true,{"a":[null]}]"#, r#""#, TOGETHER),
    differs(
        "server 4: JSONP",
        r#"< 200 text/plain; charset=UTF-8 ___eio[0]("118:0{\"sid\":\"<sid>\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}");"#,
        r#"< 200 text/plain; charset=UTF-8 ___eio[0]("118:0{\"sid\":\"<sid>\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}2:4039:42[\"hello\",\"world\",1,true,{\"a\":[null]}]");"#,
        TOGETHER,
    ),
    differs(
        "server 2: JSONP",
        r#"< 200 text/plain; charset=UTF-8 ___eio[0]("97:0{\"sid\":\"<sid>\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000}2:40");"#,
        r#"< 200 text/plain; charset=UTF-8 ___eio[0]("118:0{\"sid\":\"<sid>\",\"upgrades\":[\"websocket\"],\"pingInterval\":25000,\"pingTimeout\":20000,\"maxPayload\":1000000}2:4039:42[\"hello\",\"world\",1,true,{\"a\":[null]}]");"#,
        TOGETHER,
    ),
    differs("server 4: JSONP", r#"> 19 GET /socket.io/?EIO=3&transport=polling&j=1&sid=<sid>"#, r#""#, TOGETHER),
    differs("server 2: JSONP", r#"> 3 GET /socket.io/?EIO=3&transport=polling&j=1&sid=<sid>"#, r#""#, TOGETHER),
    differs(
        "",
        r#"< 200 text/plain; charset=UTF-8 ___eio[0]("2:4039:42[\"hello\",\"world\",1,true,{\"a\":[null]}]");"#,
        r#""#,
        TOGETHER,
    ),
    differs(
        "",
        r#"< 200 text/plain; charset=UTF-8 ___eio[0]("39:42[\"hello\",\"world\",1,true,{\"a\":[null]}]");"#,
        r#""#,
        TOGETHER,
    ),
    differs(
        "polling only",
        r#"< 200 text/plain; charset=UTF-8 461-1[{"_placeholder":true,"num":0}]"#,
        r#"< 200 text/plain; charset=UTF-8 461-1[{"_placeholder":true,"num":0}]\x1eb3q0="#,
        TOGETHER,
    ),
    differs("polling only", r#"> 12 GET /socket.io/?EIO=4&transport=polling&sid=<sid>"#, r#""#, TOGETHER),
    differs("polling only", r#"< 200 text/plain; charset=UTF-8 b3q0="#, r#""#, TOGETHER),
    differs(
        "polling only",
        r#"< 200 text/plain; charset=UTF-8 452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]"#,
        r#"< 200 text/plain; charset=UTF-8 452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]\x1ebAQIDBA==\x1ebBQ=="#,
        TOGETHER,
    ),
    differs("polling only", r#"> 19 GET /socket.io/?EIO=4&transport=polling&sid=<sid>"#, r#""#, TOGETHER),
    differs("polling only", r#"< 200 text/plain; charset=UTF-8 bAQIDBA==\x1ebBQ=="#, r#""#, TOGETHER),
    differs(
        "server 2: polling only",
        r#"< 200 text/plain; charset=UTF-8 36:461-1[{"_placeholder":true,"num":0}]"#,
        r#"< 200 text/plain; charset=UTF-8 36:461-1[{"_placeholder":true,"num":0}]6:b43q0="#,
        TOGETHER,
    ),
    differs(
        "server 2: polling only",
        r#"> 11 GET /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid>"#,
        r#""#,
        TOGETHER,
    ),
    differs("server 2: polling only", r#"< 200 text/plain; charset=UTF-8 6:b43q0="#, r#""#, TOGETHER),
    differs(
        "server 2: polling only",
        r#"< 200 text/plain; charset=UTF-8 77:452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]"#,
        r#"< 200 text/plain; charset=UTF-8 77:452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]10:b4AQIDBA==6:b4BQ=="#,
        TOGETHER,
    ),
    differs(
        "server 2: polling only",
        r#"> 18 GET /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid>"#,
        r#""#,
        TOGETHER,
    ),
    differs("server 2: polling only", r#"< 200 text/plain; charset=UTF-8 10:b4AQIDBA==6:b4BQ=="#, r#""#, TOGETHER),
    differs(
        "server 2: polling only, base64",
        r#"< 200 text/plain; charset=UTF-8 36:461-1[{"_placeholder":true,"num":0}]"#,
        r#"< 200 text/plain; charset=UTF-8 36:461-1[{"_placeholder":true,"num":0}]6:b43q0="#,
        TOGETHER,
    ),
    differs(
        "server 2: polling only, base64",
        r#"> 11 GET /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid>"#,
        r#""#,
        TOGETHER,
    ),
    differs("server 2: polling only, base64", r#"< 200 text/plain; charset=UTF-8 6:b43q0="#, r#""#, TOGETHER),
    differs(
        "server 2: polling only, base64",
        r#"< 200 text/plain; charset=UTF-8 77:452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]"#,
        r#"< 200 text/plain; charset=UTF-8 77:452-["bin",{"_placeholder":true,"num":0},{"n":{"_placeholder":true,"num":1}}]10:b4AQIDBA==6:b4BQ=="#,
        TOGETHER,
    ),
    differs(
        "server 2: polling only, base64",
        r#"> 18 GET /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid>"#,
        r#""#,
        TOGETHER,
    ),
    differs(
        "server 2: polling only, base64",
        r#"< 200 text/plain; charset=UTF-8 10:b4AQIDBA==6:b4BQ=="#,
        r#""#,
        TOGETHER,
    ),
    differs("PUT", r#"< 500"#, r#"< 400 application/json {"code":3,"message":"Bad request"}"#, PUT),
    differs(
        "a page that may not",
        r#"< 200 text/plain; charset=UTF-8 0{"sid":"<sid>","upgrades":["websocket"],"pingInterval":25000,"pingTimeout":20000,"maxPayload":1000000}"#,
        r#"< 403 application/json {"code":4,"message":"Forbidden"}"#,
        PAGES,
    ),
    differs("preflight", r#"H vary: Origin, Access-Control-Request-Headers"#, r#"H vary: Origin"#, METHODS),
    differs(
        "preflight",
        r#"H access-control-allow-methods: GET,HEAD,PUT,PATCH,POST,DELETE"#,
        r#"H access-control-allow-methods: GET, POST"#,
        METHODS,
    ),
    differs(
        "body too large",
        r#"< 200 text/plain; charset=UTF-8 40{"sid":"<sid>"}"#,
        r#"< 200 text/plain; charset=UTF-8 40{"sid":"<sid>"}\x1e42["hello","world",1,true,{"a":[null]}]"#,
        TOGETHER,
    ),
    differs(
        "no upgrade packet in time",
        r#"< 200 text/plain; charset=UTF-8 40{"sid":"<sid>"}"#,
        r#"< 200 text/plain; charset=UTF-8 40{"sid":"<sid>"}\x1e42["hello","world",1,true,{"a":[null]}]"#,
        TOGETHER,
    ),
    differs(
        "a client upgrades",
        r#"> 7 POST /socket.io/?EIO=4&transport=polling&sid=<sid> text/plain;charset=UTF-8 42["msg","plain",1.5,false,null,{"k":"v"}]"#,
        "< 6 200 text/plain; charset=UTF-8 6\n> 7 POST /socket.io/?EIO=4&transport=polling&sid=<sid> text/plain;charset=UTF-8 42[\"msg\",\"plain\",1.5,false,null,{\"k\":\"v\"}]",
        CHECK,
    ),
    differs(
        "a client upgrades",
        r#"< 200 text/plain; charset=UTF-8 42["msg-back","plain",1.5,false,null,{"k":"v"}]"#,
        "",
        CHECK,
    ),
    differs("a client upgrades", "C 5", "C 5\nS 42[\"msg-back\",\"plain\",1.5,false,null,{\"k\":\"v\"}]", CHECK),
    differs(
        "server 2: a client upgrades",
        r#"> 6 POST /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid> text/plain;charset=UTF-8 42:42["msg","plain",1.5,false,null,{"k":"v"}]"#,
        "< 5 200 text/plain; charset=UTF-8 1:6\n> 6 POST /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid> text/plain;charset=UTF-8 42:42[\"msg\",\"plain\",1.5,false,null,{\"k\":\"v\"}]",
        CHECK,
    ),
    differs(
        "server 2: a client upgrades",
        r#"< 200 text/plain; charset=UTF-8 47:42["msg-back","plain",1.5,false,null,{"k":"v"}]"#,
        "",
        CHECK,
    ),
    differs(
        "server 2: a client upgrades",
        "C 5",
        "C 5\nS 42[\"msg-back\",\"plain\",1.5,false,null,{\"k\":\"v\"}]",
        CHECK,
    ),
    differs(
        "server 4: a client upgrades",
        r#"> 6 POST /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid> text/plain;charset=UTF-8 42:42["msg","plain",1.5,false,null,{"k":"v"}]"#,
        "< 5 200 text/plain; charset=UTF-8 1:6\n> 6 POST /socket.io/?EIO=3&transport=polling&b64=1&sid=<sid> text/plain;charset=UTF-8 42:42[\"msg\",\"plain\",1.5,false,null,{\"k\":\"v\"}]",
        CHECK,
    ),
    differs(
        "server 4: a client upgrades",
        r#"< 200 text/plain; charset=UTF-8 47:42["msg-back","plain",1.5,false,null,{"k":"v"}]"#,
        "",
        CHECK,
    ),
    differs(
        "server 4: a client upgrades",
        "C 5",
        "C 5\nS 42[\"msg-back\",\"plain\",1.5,false,null,{\"k\":\"v\"}]",
        CHECK,
    ),
];
