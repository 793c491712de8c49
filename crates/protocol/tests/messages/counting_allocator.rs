//! An allocator that counts what one thread holds, to show that decoding is bounded in memory.

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

thread_local! {
    /// Bytes held now and at the most, since the start of `peak_while`.
    static HELD: Cell<isize> = const { Cell::new(0) };
    static PEAK: Cell<isize> = const { Cell::new(0) };
}

struct Counting;

fn count(change: isize) {
    // Allocations of a thread that is ending are not counted: its counters may be gone.
    let _ = HELD.try_with(|held| {
        held.set(held.get() + change);
        let _ = PEAK.try_with(|peak| peak.set(peak.get().max(held.get())));
    });
}

// SAFETY: every call is handed on to the system allocator unchanged; counting does not allocate.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as isize);
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        count(-(layout.size() as isize));
        // SAFETY: the caller's contract is the system allocator's.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Runs something and says how many bytes this thread held at the most meanwhile, beyond what it held before.
pub fn peak_while<T>(run: impl FnOnce() -> T) -> (T, usize) {
    HELD.set(0);
    PEAK.set(0);
    let result = run();
    (result, PEAK.get().unsigned_abs())
}

#[test]
fn the_peak_is_seen() {
    let ((), peak) = peak_while(|| {
        drop(std::hint::black_box(vec![0u8; 1000]));
        drop(std::hint::black_box(vec![0u8; 300]));
    });
    assert_eq!(peak, 1000);
}
