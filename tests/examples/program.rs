//! An example that runs.

use std::env::consts::EXE_SUFFIX;
use std::io::{BufRead, BufReader, Lines, Read};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Output, Stdio};
use std::time::{Duration, Instant};

/// Generous: the machine may be busy.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// It is killed when this is dropped.
pub struct Program {
    pub process: Child,
    pub input: Option<ChildStdin>,
    output: Option<Lines<BufReader<ChildStdout>>>,
}

impl Program {
    pub fn start(name: &str, args: &[&str]) -> Self {
        let mut process = command(name, args).spawn().unwrap();
        let input = process.stdin.take();
        let output = process.stdout.take().map(|output| BufReader::new(output).lines());
        Self { process, input, output }
    }

    /// The next line that it prints.
    pub fn line(&mut self) -> String {
        self.output.as_mut().unwrap().next().unwrap().unwrap()
    }

    /// The address behind `label` in the next line.
    pub fn address(&mut self, label: &str) -> SocketAddr {
        let line = self.line();
        line.strip_prefix(label).and_then(|address| address.parse().ok()).unwrap_or_else(|| panic!("{line}"))
    }

    /// All that it still prints, and what it ends with.
    pub fn end(mut self) -> (String, Option<i32>) {
        let output = self.output.take().unwrap();
        let reading = std::thread::spawn(move || output.map_while(Result::ok).collect::<Vec<_>>());
        let code = ended(&mut self.process);
        (reading.join().unwrap().join("\n"), code)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Runs an example without input to its end, which comes soon.
pub fn run(name: &str, args: &[&str]) -> Output {
    let mut process = command(name, args).stderr(Stdio::piped()).spawn().unwrap();
    drop(process.stdin.take());
    let status = ended(&mut process);
    let (mut stdout, mut stderr) = (Vec::new(), Vec::new());
    process.stdout.take().unwrap().read_to_end(&mut stdout).unwrap();
    process.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    assert!(status.is_some(), "{name} {args:?} does not end");
    Output { status: process.wait().unwrap(), stdout, stderr }
}

/// The code that it ends with; `None` if it has to be killed.
fn ended(process: &mut Child) -> Option<i32> {
    let began = Instant::now();
    while began.elapsed() < PATIENCE {
        if let Some(status) = process.try_wait().unwrap() {
            return status.code();
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    process.kill().unwrap();
    None
}

pub fn command(name: &str, args: &[&str]) -> Command {
    let tests = std::env::current_exe().unwrap();
    let program: PathBuf =
        tests.parent().and_then(|deps| deps.parent()).unwrap().join("examples").join(format!("{name}{EXE_SUFFIX}"));
    assert!(program.exists(), "{} is not there: cargo build --examples", program.display());
    let mut command = Command::new(program);
    command.args(args).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    command
}

/// A TCP connection whose waits are bounded.
pub fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.set_write_timeout(Some(PATIENCE)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Nothing more is sent on it.
pub fn shut(stream: &TcpStream) {
    stream.shutdown(Shutdown::Write).unwrap();
}
