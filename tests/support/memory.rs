//! A global allocator that counts what the present thread holds, so that tests which run beside each
//! other do not disturb each other. A binary that measures installs it:
//!
//! ```ignore
//! #[global_allocator]
//! static COUNTING: support::memory::Counting = support::memory::Counting;
//! ```

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// What a piece of work did to the heap of its thread.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Usage {
    /// Bytes held at the end beyond those at the beginning; negative if more was given back.
    pub live: isize,
    /// The most that was held at any time beyond those at the beginning.
    pub peak: isize,
    /// How often memory was asked for, or asked to grow.
    pub allocations: usize,
    /// Bytes asked for over all.
    pub requested: usize,
    /// The largest single piece that was asked for.
    pub largest: usize,
}

thread_local! {
    static USAGE: Cell<Usage> = const { Cell::new(Usage { live: 0, peak: 0, allocations: 0, requested: 0, largest: 0 }) };
}

/// The system's allocator with counts.
#[derive(Debug)]
pub struct Counting;

fn grown(size: usize) {
    change(|usage| {
        usage.live += size as isize;
        usage.peak = usage.peak.max(usage.live);
        usage.allocations += 1;
        usage.requested += size;
        usage.largest = usage.largest.max(size);
    });
}

fn shrunk(size: usize) {
    change(|usage| usage.live -= size as isize);
}

fn change(with: impl FnOnce(&mut Usage)) {
    // At the end of a thread the counts may be gone already; nobody reads them then.
    let _ = USAGE.try_with(|cell| {
        let mut usage = cell.get();
        with(&mut usage);
        cell.set(usage);
    });
}

// SAFETY: every call goes to the system's allocator with the arguments as they came.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        grown(layout.size());
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        shrunk(layout.size());
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // Counted as if the old piece were given back first: whether it is moved is the system's affair.
        shrunk(layout.size());
        grown(size);
        unsafe { System.realloc(pointer, layout, size) }
    }
}

/// Runs `work` and tells what it did to the heap; its result counts if it is still held.
pub fn measure<T>(work: impl FnOnce() -> T) -> (T, Usage) {
    let before = USAGE.get();
    USAGE.set(Usage { peak: before.live, allocations: 0, requested: 0, largest: 0, ..before });
    let result = work();
    let after = USAGE.get();
    USAGE.set(Usage { peak: before.peak.max(after.peak), ..after });
    (result, Usage { live: after.live - before.live, peak: after.peak - before.live, ..after })
}
