//! Servers that are started for a test, and ended with it.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

pub const NAMES: [&str; 4] = ["tokio", "axum", "tls", "mio"];

/// Where a driver is.
pub fn program(name: &str) -> &'static str {
    match name {
        "tokio" => env!("CARGO_BIN_EXE_tokio"),
        "axum" => env!("CARGO_BIN_EXE_axum"),
        "tls" => env!("CARGO_BIN_EXE_tls"),
        "hub_mio" => env!("CARGO_BIN_EXE_hub_mio"),
        "ws_client" => env!("CARGO_BIN_EXE_ws_client"),
        _ => env!("CARGO_BIN_EXE_mio"),
    }
}

/// A driver that runs on a port of its own.
pub struct Server {
    pub name: &'static str,
    pub port: u16,
    /// Where `axum` has byte streams and lines; 0 for others.
    pub raw: u16,
    pub lines: u16,
    /// Where it wrote the certificate that it made.
    pub certificate: PathBuf,
    process: Child,
}

/// One of each, one after the other.
pub fn each() -> impl Iterator<Item = Server> {
    NAMES.into_iter().map(Server::start)
}

impl Server {
    pub fn start(name: &'static str) -> Self {
        Self::run(name, "exec \"$0\" \"$@\"")
    }

    /// It can have so many open files.
    pub fn start_with_files(name: &'static str, files: usize) -> Self {
        Self::run(name, &format!("ulimit -n {files}; exec \"$0\" \"$@\""))
    }

    fn run(name: &'static str, script: &str) -> Self {
        static STARTED: AtomicUsize = AtomicUsize::new(0);
        let nth = STARTED.fetch_add(1, Ordering::Relaxed);
        let certificate = std::env::temp_dir().join(format!("drivers-{}-{nth}.pem", std::process::id()));
        let program = program(name);
        let mut command = Command::new("sh");
        command.args(["-c", script, program, "--listen", "127.0.0.1:0"]);
        if name == "tls" {
            command.arg("--certificate").arg(&certificate);
        }
        if name == "axum" {
            command.args(["--raw", "127.0.0.1:0", "--lines", "127.0.0.1:0", "--grace", "1"]);
        }
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut said = BufReader::new(process.stdout.take().unwrap()).lines();
        let mut port = |label: &str| -> u16 {
            let line = said.next().and_then(Result::ok).unwrap_or_default();
            let address = line.strip_prefix(label).map(|rest| rest.trim_start_matches("http://"));
            let port = address.and_then(|address| address.strip_prefix("127.0.0.1:")?.parse().ok());
            port.unwrap_or_else(|| panic!("{name} said {line:?}"))
        };
        let first = port("listening on ");
        let (raw, lines) = if name == "axum" { (port("byte streams on "), port("lines on ")) } else { (0, 0) };
        Self { name, port: first, raw, lines, certificate, process }
    }

    pub fn is_secure(&self) -> bool {
        self.name == "tls"
    }

    pub fn url(&self) -> String {
        let scheme = if self.is_secure() { "wss" } else { "ws" };
        format!("{scheme}://127.0.0.1:{}/echo", self.port)
    }

    /// How `ws_client` is told to talk to it.
    pub fn client_args(&self) -> Vec<String> {
        let mut args = vec![self.url()];
        if self.is_secure() {
            args.extend(["--ca".into(), self.certificate.to_string_lossy().into_owned()]);
        }
        args
    }

    /// Asks it to end.
    pub fn interrupt(&self) {
        let kill = Command::new("kill").args(["-INT", &self.process.id().to_string()]).status();
        assert!(kill.unwrap().success());
    }

    /// Waits for its end; the code that it gives.
    pub fn ended(&mut self) -> Option<i32> {
        self.process.wait().unwrap().code()
    }

    pub fn stop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
        let _ = std::fs::remove_file(&self.certificate);
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
