//! Allocations, counted exactly: more of them than are written here is a regression, fewer a better figure to write down.

use std::cell::Cell;

use super::paths;

thread_local! {
    /// Allocations of this thread so far.
    pub static COUNT: Cell<usize> = const { Cell::new(0) };
}

/// Allocations of a call, when everything that is set up once has been.
fn allocations<T>(call: impl Fn() -> T) -> usize {
    drop(call());
    let before = COUNT.get();
    let kept = call();
    let count = COUNT.get() - before;
    drop(kept);
    count
}

#[test]
fn a_produce_is_decoded() {
    let frame = paths::produce_frame(100);
    assert_eq!(allocations(|| paths::decodes_a_produce(&frame)), 5);
}

#[test]
fn validation_allocates_for_the_request_and_never_for_a_record() {
    for records in [1, 1_000] {
        let batch = paths::batch(records);
        assert_eq!(allocations(|| paths::validates_a_batch(&batch)), 1, "{records} records");
    }
}

#[test]
fn a_produce_is_answered() {
    assert_eq!(allocations(paths::answers_a_produce), 6);
}

#[test]
fn a_fetch_is_decoded_and_answered() {
    let frame = paths::fetch_frame();
    let (copied, own_part) = (paths::batch(1), paths::batch(1_000));
    let counted = [
        allocations(|| paths::decodes_a_fetch(&frame)),
        allocations(|| paths::answers_a_fetch(&copied)),
        allocations(|| paths::answers_a_fetch(&own_part)),
    ];
    assert_eq!(counted, [4, 7, 8]);
}

#[test]
fn metadata_is_answered() {
    let cluster = paths::cluster();
    assert_eq!(allocations(|| paths::answers_metadata(&cluster)), 8);
}
