//! Counts what a path takes, in a process of its own under valgrind.

use std::collections::VecDeque;
use std::env;
use std::error::Error;
use std::process::{Command, Stdio};
use std::sync::Mutex;
use std::thread;

/// A run of the function of this name, `times` times or for so many units.
pub type Job = (&'static str, usize);

/// What each of these takes, in order.
pub fn count_all(jobs: &[Job]) -> Result<Vec<u64>, String> {
    let open: Mutex<VecDeque<usize>> = Mutex::new((0..jobs.len()).collect());
    let counts: Mutex<Vec<Result<u64, String>>> = Mutex::new(vec![Err("not counted".into()); jobs.len()]);
    let work = || {
        loop {
            // In a statement of its own, or the lock would be held for all of the turn.
            let next = open.lock().expect("nobody panicked").pop_front();
            let Some(nth) = next else { break };
            let (name, times) = jobs[nth];
            let counted = count(name, times).map_err(|error| format!("{name}: {error}"));
            counts.lock().expect("nobody panicked")[nth] = counted;
        }
    };
    // Counts do not depend on what else the machine does.
    let workers = thread::available_parallelism().map_or(1, usize::from);
    thread::scope(|scope| (0..workers).for_each(|_| drop(scope.spawn(work))));
    counts.into_inner().expect("nobody panicked").into_iter().collect()
}

fn count(name: &str, times: usize) -> Result<u64, Box<dyn Error>> {
    let child = Command::new("valgrind")
        .args(["--tool=callgrind", "--collect-atstart=no", "--toggle-collect=*counted_section*"])
        .args(["--callgrind-out-file=/dev/null", "--"])
        .arg(env::current_exe()?)
        .args(["run", name, &times.to_string()])
        // The same environment everywhere: it lies on the stack, and how that is aligned costs instructions.
        .env_clear()
        .stdin(Stdio::null())
        .output()?;
    let said = String::from_utf8_lossy(&child.stderr);
    let collected =
        said.lines().find_map(|line| line.split_once("Collected : ")).map(|(_, count)| count.trim().parse());
    match collected {
        Some(Ok(count)) if child.status.success() && count > 0 => Ok(count),
        _ => Err(format!("{}\n{said}", child.status).into()),
    }
}

/// What counts depend on beside the code.
pub fn setting() -> Result<String, Box<dyn Error>> {
    let parts = [&["rustc", "--version"][..], &["valgrind", "--version"], &["getconf", "GNU_LIBC_VERSION"]];
    let mut said = Vec::new();
    for part in parts {
        let output = Command::new(part[0]).args(&part[1..]).output().map_err(|error| format!("{part:?}: {error}"))?;
        said.push(String::from_utf8(output.stdout)?.trim().to_owned());
    }
    said.push(processor().into());
    Ok(said.join(", "))
}

/// Of a processor's vector instructions valgrind passes on AVX2 at most, and several libraries look for that.
fn processor() -> &'static str {
    #[cfg(target_arch = "x86_64")]
    if std::arch::is_x86_feature_detected!("avx2") {
        return "x86_64 with avx2";
    }
    env::consts::ARCH
}
