//! Cycles, each kind with a history that has it and one that only looks like it.

use history_tests::check::Anomaly::{G0, G0Process, G0Realtime, G1c, G1cProcess, G1cRealtime, G1cWithWrites};

use super::cases::{A, Script, poll, send};

const B: u32 = 1;

fn script() -> Script {
    Script::default()
}

#[test]
fn write_cycles_are_named() {
    let crossed = |second| {
        script()
            .transaction(0, vec![send(A, 1, 0), send(B, 3, 1)])
            .transaction(second, vec![send(A, 2, 1), send(B, 4, 0)])
    };
    let overlapping = |script: Script| script.last(|operation| operation.invoked_ns = 12);
    overlapping(crossed(1)).found(&[G0], false);
    let straight = script()
        .transaction(0, vec![send(A, 1, 0), send(B, 3, 0)])
        .transaction(1, vec![send(A, 2, 1), send(B, 4, 1)]);
    straight.found(&[], false);
    // What stands first was sent last.
    let behind = script().plain(0, vec![send(A, 1, 1)]).plain(1, vec![send(A, 2, 0)]);
    behind.found(&[G0Realtime], false);
    let with = overlapping(script().plain(0, vec![send(A, 1, 1)]).plain(1, vec![send(A, 2, 0)]));
    with.found(&[], false);
    // 0: A2 then B1; 1: B2 then A1. Each alone is in order.
    let woven = script()
        .plain(0, vec![send(A, 2, 1)])
        .plain(1, vec![send(B, 4, 1)])
        .plain(0, vec![send(B, 3, 0)])
        .plain(1, vec![send(A, 1, 0)]);
    woven.found(&[G0Process], false);
}

#[test]
fn reading_from_each_other_is_found() {
    let overlapping = |script: Script| script.last(|operation| operation.invoked_ns = 12);
    let both = script()
        .transaction(0, vec![send(A, 1, 0), poll(B, &[(0, 2)])])
        .transaction(1, vec![send(B, 2, 0), poll(A, &[(0, 1)])]);
    overlapping(both).found(&[G1c], false);
    let one =
        script().transaction(0, vec![send(A, 1, 0)]).transaction(1, vec![send(B, 2, 0), poll(A, &[(0, 1)])]);
    overlapping(one).found(&[], false);
    // Process 0 read what 1 sent after having read what 0 sent later.
    let by_process = script()
        .transaction(0, vec![poll(B, &[(0, 2)])])
        .transaction(1, vec![poll(A, &[(0, 1)])])
        .transaction(0, vec![send(A, 1, 0)])
        .transaction(1, vec![send(B, 2, 0)]);
    by_process.found(&[G1cProcess], false);
}

#[test]
fn reading_from_the_future_is_found() {
    let early = || script().plain(1, vec![poll(A, &[(0, 1)])]).plain(0, vec![send(A, 1, 0)]);
    early().found(&[G1cRealtime], false);
    early().last(|operation| operation.invoked_ns = 12).found(&[], false);
    // Third hand: what it read had been sent after something that it should have preceded.
    let reads_back = script()
        .transaction(0, vec![send(A, 1, 0), poll(B, &[(1, 3)])])
        .transaction(1, vec![send(A, 2, 1), send(B, 3, 1)]);
    reads_back.last(|operation| operation.invoked_ns = 12).found(&[G1cWithWrites], false);
}
