//! The part of a path that counts.

use std::hint::black_box;

/// Does `work`; of all that the program does, this alone is counted.
pub fn count<R>(work: impl FnOnce() -> R) -> R {
    let (mut work, mut result) = (Some(work), None);
    counted_section(&mut || result = work.take().map(|work| work()));
    result.expect("the work was done")
}

/// Known by its name to callgrind, which counts from where it is entered to where it is left.
#[inline(never)]
fn counted_section(work: &mut dyn FnMut()) {
    work();
    // Something to do after it, so that the call is none in tail position, which would never return to here.
    black_box(());
}
