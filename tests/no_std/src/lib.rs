//! Links the library where there is no `std`: with a panic handler and an allocator of its own,
//! either of which would clash with those of `std`.

#![no_std]

extern crate alloc;

use core::alloc::{GlobalAlloc, Layout};

struct Nowhere;

// SAFETY: it gives out no memory, which an allocator may.
unsafe impl GlobalAlloc for Nowhere {
    unsafe fn alloc(&self, _: Layout) -> *mut u8 {
        core::ptr::null_mut()
    }
    unsafe fn dealloc(&self, _: *mut u8, _: Layout) {}
}

#[global_allocator]
static ALLOCATOR: Nowhere = Nowhere;

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    loop {}
}

/// Uses every layer, so that all of it is linked.
#[unsafe(no_mangle)]
pub extern "C" fn use_roomwire() -> usize {
    use roomwire::hub::{Config, Hub, Origins};
    let now = roomwire::Instant::ORIGIN;
    let Ok(mut hub) = Hub::new(Config::new(Origins::Any), [0; 32], now) else { return 0 };
    let Ok(conn) = hub.connect(now) else { return 0 };
    let mut bytes = [0; 4];
    let mut input = &mut bytes[..];
    while hub.receive(now, conn, &mut input).is_some() {}
    hub.counts().connections
}
