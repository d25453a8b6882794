//! Command lines that are not understood, and ports that are taken.

use std::net::TcpListener;

use crate::program::run;

#[test]
fn what_is_not_understood_is_told_with_the_usage() {
    for name in ["server", "echo", "client", "ping_pong"] {
        for args in [&["--nope"][..], &["--nope", "1"], &["-x"], &["--listen"], &["--count", "x"]] {
            let output = run(name, args);
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name} {args:?}: {told}");
            assert!(told.contains(args[0]) && told.contains(&format!("usage: {name}")), "{name} {args:?}: {told}");
        }
    }
}

#[test]
fn an_option_that_is_understood_does_not_hide_another() {
    for (name, args) in [
        ("server", &["--listen", "127.0.0.1:0", "--nope", "1"][..]),
        ("echo", &["--listen", "127.0.0.1:0", "--nope", "1"]),
        ("client", &["--retries", "1", "--nope"]),
        ("ping_pong", &["--count", "1", "--nope"]),
    ] {
        let output = run(name, args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert!(output.status.code() == Some(2) && told.contains("--nope"), "{name}: {told}");
    }
}

#[test]
fn values_that_cannot_be_are_told() {
    for (name, args, words) in [
        ("server", &["--listen", "127.0.0.1:0", "--grace", "soon"][..], "--grace is a number of seconds"),
        ("server", &["--listen", "127.0.0.1:0", "--origin", "foo"], "no origin is written \"foo\""),
        ("client", &["--protocol", "7"], "--protocol is 4 or 5"),
        ("client", &["--retries", "x"], "--retries is a number"),
        ("client", &["127.0.0.1:7700"], "scheme of the URL is not http"),
        ("client", &["https://localhost"], "no TLS"),
    ] {
        let output = run(name, args);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name} {args:?}: {told}");
        assert!(told.contains(words) && told.contains(&format!("usage: {name}")), "{name} {args:?}: {told}");
    }
}

#[test]
fn help_is_no_error() {
    for name in ["server", "echo", "client", "ping_pong"] {
        let output = run(name, &["--help"]);
        assert!(output.status.success(), "{name}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.starts_with(&format!("usage: {name}")), "{name}: {told}");
    }
}

#[test]
fn a_port_that_is_taken_is_told_in_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    for name in ["server", "echo"] {
        let output = run(name, &["--listen", &address]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(1), "{name}");
        assert!(told.starts_with(&format!("cannot listen on {address}: ")), "{name}: {told}");
    }
}
