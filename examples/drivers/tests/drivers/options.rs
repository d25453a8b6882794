//! Command lines that are not understood, and ports that are taken.

use std::net::TcpListener;
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use crate::server::program;

const SERVERS: [&str; 5] = ["tokio", "axum", "tls", "mio", "hub_mio"];

/// Runs a driver to its end, which comes soon.
fn run(name: &str, args: &[&str]) -> Output {
    let mut command = Command::new(program(name));
    command.args(args).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut process: Child = command.spawn().unwrap();
    let began = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if began.elapsed() > Duration::from_secs(30) {
            process.kill().unwrap();
            panic!("{name} {args:?} does not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    process.wait_with_output().unwrap()
}

#[test]
fn what_is_not_understood_is_told_with_the_usage() {
    let wrong =
        [&["--nope"][..], &["--nope", "1"], &["-x"], &["--listen"], &["--listen", "127.0.0.1:0", "--nope", "1"]];
    let of_the_client = [
        &["--nope"][..],
        &["ws://127.0.0.1:1", "--nope"],
        &["ws://127.0.0.1:1", "--nope", "1"],
        &["ws://127.0.0.1:1", "--ca"],
    ];
    let cases = SERVERS.iter().map(|name| (*name, &wrong[..])).chain([("ws_client", &of_the_client[..])]);
    for (name, cases) in cases {
        for args in cases {
            let output = run(name, args);
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(2), "{name} {args:?}: {told}");
            let wrong = args.iter().rfind(|arg| arg.starts_with('-')).unwrap();
            assert!(told.contains(wrong), "{name} {args:?}: {told}");
            assert!(told.contains(&format!("usage: {name}")), "{name} {args:?}: {told}");
        }
    }
}

#[test]
fn values_that_cannot_be_are_told() {
    for (name, option, value) in [
        ("axum", "--grace", "soon"),
        ("axum", "--grace", "-1"),
        ("hub_mio", "--ping-interval", "often"),
        ("hub_mio", "--ping-interval", "0"),
    ] {
        let output = run(name, &["--listen", "127.0.0.1:0", option, value]);
        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{name} {option} {value}: {told}");
        assert!(told.contains("usage: "), "{name} {option} {value}: {told}");
    }
}

#[test]
fn help_is_no_error() {
    for name in SERVERS.into_iter().chain(["ws_client"]) {
        let output = run(name, &["--help"]);
        assert!(output.status.success(), "{name}");
        let told = String::from_utf8(output.stdout).unwrap();
        assert!(told.starts_with(&format!("usage: {name}")), "{name}: {told}");
    }
}

#[test]
fn an_address_where_nobody_can_listen_is_told_in_words() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = taken.local_addr().unwrap().to_string();
    for name in SERVERS {
        for address in [&*taken, "nonsense"] {
            let output = run(name, &["--listen", address]);
            let told = String::from_utf8(output.stderr).unwrap();
            assert_eq!(output.status.code(), Some(1), "{name} {address}: {told}");
            assert!(told.starts_with(&format!("cannot listen on {address}: ")), "{name}: {told}");
        }
    }
}
