//! The cookies that the server sets, to be sent back: by one a balancer knows which of its servers has the session.

use alloc::string::String;
use alloc::vec::Vec;
use core::fmt;
use core::time::Duration;

use crate::http::{ReceivedResponse, decimal};
use crate::time::Instant;

/// Cookies of one origin (RFC 6265). All requests go there by one path, so `Domain`, `Path`, `Secure` and `HttpOnly` decide
/// nothing. What was set last stands last.
#[derive(Default)]
pub(super) struct Cookies(Vec<Cookie>);

struct Cookie {
    name: String,
    value: String,
    until: Instant,
}

/// What a cookie costs beside its name and value.
const COOKIE_BYTES: usize = 64;

impl Cookies {
    /// Takes the cookies of a response; beyond `bytes_max` the oldest go.
    pub(super) fn note(&mut self, response: &ReceivedResponse, now: Instant, bytes_max: usize) {
        let date = response.header("date").and_then(seconds);
        for line in response.header_values("set-cookie") {
            self.set(line, date, now, bytes_max);
        }
    }

    fn set(&mut self, line: &str, date: Option<i64>, now: Instant, bytes_max: usize) {
        let mut parts = line.split(';');
        let Some((name, value)) = parts.next().and_then(|pair| pair.split_once('=')) else { return };
        let (name, value) = (name.trim(), value.trim());
        let cost = cost(name, value);
        let printable = |text: &str| text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if name.is_empty() || !printable(name) || !printable(value) || cost > bytes_max {
            return;
        }
        let until = lifetime(parts, date).map_or(Instant::NEVER, |span| now.saturating_add(span));
        self.0.retain(|cookie| cookie.name != name && cookie.until > now);
        if until <= now {
            return;
        }
        while self.bytes().saturating_add(cost) > bytes_max {
            self.0.remove(0);
        }
        self.0.push(Cookie { name: name.into(), value: value.into(), until });
    }

    fn bytes(&self) -> usize {
        self.0.iter().fold(0, |sum, cookie| sum.saturating_add(cost(&cookie.name, &cookie.value)))
    }

    /// The value of the header `Cookie`: the application's own, then the server's of other names; empty if there are none.
    pub(super) fn header<'a>(&self, own: impl Iterator<Item = &'a str>, now: Instant) -> String {
        let mut pairs: Vec<&str> = own.flat_map(|line| line.split(';')).map(str::trim).collect();
        pairs.retain(|pair| !pair.is_empty());
        let mut header = pairs.join("; ");
        for Cookie { name, value, .. } in self.0.iter().filter(|cookie| cookie.until > now) {
            if pairs.iter().any(|pair| pair.split_once('=').is_some_and(|(own, _)| own.trim() == name)) {
                continue;
            }
            if !header.is_empty() {
                header.push_str("; ");
            }
            header.extend([name, "=", value]);
        }
        header
    }
}

impl fmt::Debug for Cookies {
    /// Shows no values, which may be secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_list().entries(self.0.iter().map(|cookie| &cookie.name)).finish()
    }
}

const fn cost(name: &str, value: &str) -> usize {
    name.len().saturating_add(value.len()).saturating_add(COOKIE_BYTES)
}

/// How long a cookie is good; `None` for as long as there is a client. `Max-Age` counts more than `Expires`, and the last of
/// each more than others (RFC 6265 section 5.3). `date` is the server's own time: there is no other here.
fn lifetime<'a>(attributes: impl Iterator<Item = &'a str>, date: Option<i64>) -> Option<Duration> {
    let (mut max_age, mut expires) = (None, None);
    for attribute in attributes {
        let (name, value) = attribute.split_once('=').unwrap_or((attribute, ""));
        if name.trim().eq_ignore_ascii_case("max-age") {
            max_age = age(value.trim()).or(max_age);
        } else if name.trim().eq_ignore_ascii_case("expires") {
            expires = seconds(value.trim()).or(expires);
        }
    }
    let left = expires.map(|expires| {
        // A server that does not tell its time can still say that a cookie is gone: by the first day of 1970.
        let span = expires.saturating_sub(date.unwrap_or(86_400));
        Duration::from_secs(u64::try_from(span).unwrap_or_default())
    });
    max_age.or(left)
}

/// `Max-Age` (RFC 6265 section 5.2.2): digits, perhaps with a minus before them.
fn age(value: &str) -> Option<Duration> {
    let digits = value.strip_prefix('-').unwrap_or(value);
    if digits.is_empty() || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let seconds = if value.starts_with('-') { 0 } else { value.parse().unwrap_or(u64::MAX) };
    Some(Duration::from_secs(seconds))
}

/// A date of HTTP, with blanks or hyphens in it, as seconds since 1970.
fn seconds(date: &str) -> Option<i64> {
    const MONTHS: [&str; 12] = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
    let mut words = date.split([' ', ',', '-']).filter(|word| !word.is_empty()).skip(1);
    let day: u32 = decimal(words.next()?).filter(|day| (1..=31).contains(day))?;
    let month = words.next()?;
    let month = MONTHS.iter().position(|name| name.eq_ignore_ascii_case(month))?;
    let year: u32 = match decimal(words.next()?)? {
        short @ 0..=69 => 2000_u32.saturating_add(short),
        short @ 70..=99 => 1900_u32.saturating_add(short),
        year @ 1601..=9999 => year,
        _ => return None,
    };
    let mut clock = words.next()?.split(':').map(decimal::<u32>);
    let mut part = |most: u32| clock.next()?.filter(|part| *part <= most).map(i64::from);
    let (hour, minute, second) = (part(23)?, part(59)?, part(60)?);
    // A year that begins in March has its odd day at its end.
    let month = u32::try_from(month).ok()?;
    let (year, month) =
        if month < 2 { (year.checked_sub(1)?, month.checked_add(10)?) } else { (year, month.checked_sub(2)?) };
    let leap = (year / 4).checked_sub(year / 100)?.checked_add(year / 400)?;
    let days = i64::from(year.checked_mul(365)?.checked_add(leap)?)
        .checked_add(i64::from(month.checked_mul(153)?.checked_add(2)? / 5))?
        .checked_add(i64::from(day))?
        .checked_sub(719_469)?;
    days.checked_mul(86_400)?
        .checked_add(hour.checked_mul(3600)?)?
        .checked_add(minute.checked_mul(60)?)?
        .checked_add(second)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::format;

    fn at(seconds: u64) -> Instant {
        Instant::from(Duration::from_secs(seconds))
    }

    /// What is sent at 10 s after these lines came at 0 s.
    fn sent(lines: &[&str]) -> String {
        let mut cookies = Cookies::default();
        let date = seconds("Sun, 06 Nov 1994 08:49:37 GMT");
        lines.iter().for_each(|line| cookies.set(line, date, at(0), 4096));
        cookies.header(core::iter::empty(), at(10))
    }

    #[test]
    fn what_is_sent_back() {
        for (lines, expected) in [
            (&["io=abc; Path=/; HttpOnly; SameSite=Lax"][..], "io=abc"),
            (&[" a = b c ;Secure", "c=", "d=e=f"], "a=b c; c=; d=e=f"),
            (&["a=1", "b=2", "a=3"], "b=2; a=3"),
            (&["", ";", "a", "=b", "a=\u{e9}", "\u{1}=b"], ""),
            (&["a=1", "a=; Max-Age=0"], ""),
            (&["a=1", "a=2; max-age=-5"], ""),
            (&["a=1; Max-Age=10", "b=2; Max-Age=11", "c=3; Max-Age=99999999999999999999"], "b=2; c=3"),
            (&["a=1; Max-Age=x", "b=2; Max-Age=", "c=3; Max-Age=1x; Expires=no"], "a=1; b=2; c=3"),
            (&["a=1", "a=2; Expires=Thu, 01 Jan 1970 00:00:00 GMT"], ""),
            (&["a=1; Expires=Sun, 06 Nov 1994 08:49:47 GMT", "b=2; Expires=Sunday, 06-Nov-94 08:49:48 GMT"], "b=2"),
            (&["a=1; Expires=Thu, 01 Jan 1970 00:00:00 GMT; Max-Age=11"], "a=1"),
        ] {
            assert_eq!(sent(lines), expected, "{lines:?}");
        }
    }

    #[test]
    fn a_server_without_a_clock_can_take_a_cookie_back() {
        let mut cookies = Cookies::default();
        for line in ["a=1", "b=2; Expires=Fri, 06 Nov 2026 08:49:37 GMT", "a=; Expires=Thu, 01 Jan 1970 00:00:00 GMT"] {
            cookies.set(line, None, at(0), 4096);
        }
        assert_eq!(cookies.header(core::iter::empty(), at(10)), "b=2");
    }

    #[test]
    fn dates() {
        for (date, expected) in [
            ("Thu, 01 Jan 1970 00:00:00 GMT", Some(0)),
            ("Sun, 06 Nov 1994 08:49:37 GMT", Some(784_111_777)),
            ("Tue, 29 Feb 2000 23:59:60 GMT", Some(951_868_800)),
            ("Wed, 01-Mar-2000 00:00:00 GMT", Some(951_868_800)),
            ("Fri, 31 Dec 9999 23:59:59 GMT", Some(253_402_300_799)),
            ("Mon, 01 Jan 1601 00:00:00 GMT", Some(-11_644_473_600)),
            ("Thu, 32 Jan 1970 00:00:00 GMT", None),
            ("Thu, 01 Foo 1970 00:00:00 GMT", None),
            ("Thu, 01 Jan 1500 00:00:00 GMT", None),
            ("Thu, 01 Jan 1970 24:00:00 GMT", None),
            ("Thu, 01 Jan 1970 00:00", None),
            ("Thu, +1 Jan 1970 00:00:00 GMT", None),
            ("Thu, 01 Jan +1970 00:00:00 GMT", None),
            ("Thu, 01 Jan 1970 00:+1:00 GMT", None),
            ("0", None),
        ] {
            assert_eq!(seconds(date), expected, "{date}");
        }
    }

    #[test]
    fn the_applications_own_stand_first() {
        let mut cookies = Cookies::default();
        cookies.set("io=1", None, at(0), 4096);
        cookies.set("a=2", None, at(0), 4096);
        assert_eq!(cookies.header(["a=3; b=4;", "c"].into_iter(), at(1)), "a=3; b=4; c; io=1");
        assert_eq!(format!("{cookies:?}"), r#"["io", "a"]"#);
    }

    #[test]
    fn m05_cookies_without_end_push_out_the_oldest() {
        let mut cookies = Cookies::default();
        for nth in 0..1000 {
            cookies.set(&format!("c{nth}=x"), None, at(0), 200);
        }
        assert_eq!(cookies.header(core::iter::empty(), at(0)), "c998=x; c999=x");
        cookies.set(&format!("c999={}", "x".repeat(200)), None, at(0), 200);
        assert_eq!(cookies.header(core::iter::empty(), at(0)), "c998=x; c999=x", "what is too long says nothing");
        let mut none = Cookies::default();
        none.set("a=b", None, at(0), 0);
        assert_eq!(none.header(core::iter::empty(), at(0)), "");
    }
}
