//! Threads that wait, so that the one which owns the connection never waits for anything but their reports.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::thread;

/// What a thread has to report.
pub enum Report {
    Received(Vec<u8>),
    EndOfStream,
    /// The last bytes are on their way: of the connection's own so many.
    Written(usize),
    Unwritable,
    /// A line of the input; the next is read when the sender was used.
    Line(String, Sender<()>),
    /// No more lines come: the input is at its end, or could not be read.
    EndOfLines(io::Result<()>),
}

/// Bytes for the wire, and for how many of the connection's they stand.
pub type Wire = (Vec<u8>, usize);

/// Starts what reads and writes a stream. Few reports wait: who does not take them is not sent more.
pub fn start(stream: &TcpStream) -> io::Result<(SyncSender<Report>, Receiver<Report>, Sender<Wire>)> {
    let (report, reports) = sync_channel(4);
    let (wire, unwritten) = channel();
    let (reading, writing, read, written) = (stream.try_clone()?, stream.try_clone()?, report.clone(), report.clone());
    thread::spawn(move || read_stream(reading, &read));
    thread::spawn(move || write_stream(writing, &unwritten, &written));
    Ok((report, reports, wire))
}

fn read_stream(mut stream: TcpStream, report: &SyncSender<Report>) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        match stream.read(&mut buffer) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => break,
            Ok(count) => match report.send(Report::Received(buffer[..count].to_vec())) {
                Ok(()) => {}
                Err(_) => return,
            },
        }
    }
    let _ = report.send(Report::EndOfStream);
}

fn write_stream(mut stream: TcpStream, unwritten: &Receiver<Wire>, report: &SyncSender<Report>) {
    for (bytes, count) in unwritten {
        let written = stream.write_all(&bytes).map_or(Report::Unwritable, |()| Report::Written(count));
        if report.send(written).is_err() {
            return;
        }
    }
}

/// Reads the standard input.
pub fn start_lines(report: SyncSender<Report>) {
    let (next, go_on) = channel();
    thread::spawn(move || {
        for line in io::stdin().lines() {
            let line =
                line.map_or_else(|error| Report::EndOfLines(Err(error)), |line| Report::Line(line, next.clone()));
            let over = !matches!(line, Report::Line(..));
            if report.send(line).is_err() || over || go_on.recv().is_err() {
                return;
            }
        }
        let _ = report.send(Report::EndOfLines(Ok(())));
    });
}
