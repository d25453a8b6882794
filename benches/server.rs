//! A server in a process of its own, and what that costs.

use std::fs;
use std::io::{self, BufRead, BufReader, Error};
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Ends with its process.
pub struct Server {
    child: Child,
    pub address: SocketAddr,
}

impl Server {
    /// Starts a program that says `listening on ADDR` first.
    pub fn start(command: &mut Command) -> io::Result<Self> {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| Error::other(format!("{command:?}: {error}")))?;
        let mut line = String::new();
        let read = child.stdout.take().map(|output| BufReader::new(output).read_line(&mut line));
        let address = line.trim().strip_prefix("listening on ").and_then(|address| address.parse().ok());
        match (read, address) {
            (Some(Ok(_)), Some(address)) => Ok(Self { child, address }),
            _ => {
                child.kill()?;
                child.wait()?;
                Err(Error::other(format!("{command:?} said {line:?}")))
            }
        }
    }

    /// What processors have spent on it, in its own code and in the kernel's.
    pub fn cpu(&self) -> io::Result<Duration> {
        cpu(&self.child.id().to_string())
    }

    /// Bytes of memory that it has for itself.
    pub fn memory(&self) -> io::Result<u64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let field = status.lines().find_map(|line| line.strip_prefix("RssAnon:")?.trim().strip_suffix(" kB"));
        let kib: Option<u64> = field.and_then(|kib| kib.parse().ok());
        kib.map(|kib| kib * 1024).ok_or_else(|| Error::other("no RssAnon"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself, which is as well.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The same for this process.
pub fn own_cpu() -> io::Result<Duration> {
    cpu("self")
}

/// User and system together, over all threads; `/proc/PID/stat` has it too, but in hundredths of a second.
fn cpu(process: &str) -> io::Result<Duration> {
    let mut nanos = 0;
    for thread in fs::read_dir(format!("/proc/{process}/task"))? {
        let stat = fs::read_to_string(thread?.path().join("schedstat"))?;
        let run: Option<u64> = stat.split_whitespace().next().and_then(|run| run.parse().ok());
        nanos += run.ok_or_else(|| Error::other("no time in schedstat"))?;
    }
    Ok(Duration::from_nanos(nanos))
}
