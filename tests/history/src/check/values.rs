//! Rules about single values: where they stand, whether they were to be seen, whether they were seen.

use std::collections::HashMap;

use super::{Anomaly, Report};
use crate::history::{Function, History, Isolation, Key, Operation, Outcome, Value};
use crate::order::Orders;

/// One offset with two values, one value at two offsets.
pub(super) fn offsets(orders: &Orders, report: &mut Report) {
    for (key, order) in &orders.all {
        for pair in order.entries.windows(2) {
            if pair[0].0 == pair[1].0 {
                report.add(Anomaly::InconsistentOffsets, || format!("key {key}: {pair:?}"));
            }
        }
        for (value, (first, last)) in &order.ranks {
            if first != last {
                let (first, last) = (order.offsets[*first], order.offsets[*last]);
                report.add(Anomaly::Duplicate, || {
                    format!("key {key}: value {value} at offsets {first} and {last}")
                });
            }
        }
    }
}

/// Values that no consumer should have got.
pub(super) fn aborted_reads(history: &History, orders: &Orders, report: &mut Report) {
    for operation in history.operations.iter().filter(|operation| operation.outcome == Outcome::Ok) {
        for polled in operation.polled() {
            let Some(writer) = orders.writers.get(&(polled.key, polled.value)) else {
                report.add(Anomaly::AbortedRead, || format!("{polled:?} was sent by nobody"));
                continue;
            };
            let writer = &history.operations[*writer];
            let may_see_aborted =
                operation.isolation == Isolation::Uncommitted && writer.function == Function::Transaction;
            if writer.outcome == Outcome::Fail && !may_see_aborted {
                report.add(Anomaly::AbortedRead, || {
                    format!("process {} at {} ns: {polled:?}", operation.process, operation.invoked_ns)
                });
            }
        }
        if operation.function != Function::Transaction || operation.isolation == Isolation::Uncommitted {
            continue;
        }
        for polled in operation.polled() {
            if operation.sends().any(|(key, value, _)| (key, value) == (polled.key, polled.value)) {
                report
                    .add(Anomaly::PrecommittedRead, || format!("process {}: {polled:?}", operation.process));
            }
        }
    }
}

/// Values before what was read that nobody has read.
pub(super) fn lost_writes(history: &History, orders: &Orders, report: &mut Report) {
    for isolation in [Isolation::Committed, Isolation::Uncommitted] {
        let seen = orders.seen_with(isolation);
        let mut bounds: HashMap<Key, usize> = HashMap::new();
        for operation in &history.operations {
            if operation.isolation != isolation || operation.outcome != Outcome::Ok {
                continue;
            }
            for polled in operation.polled() {
                let first = seen.get(&polled.key).and_then(|order| order.ranks.get(&polled.value));
                let Some((first, _)) = first else { continue };
                let bound = bounds.entry(polled.key).or_default();
                *bound = (*bound).max(*first);
            }
        }
        for (key, bound) in bounds {
            let Some(order) = seen.get(&key) else { continue };
            for (value, (_, last)) in &order.ranks {
                if *last <= bound && !orders.was_read(isolation, key, *value) {
                    report.add(Anomaly::LostWrite, || {
                        let offset = order.offsets[*last];
                        format!("key {key}: value {value} at offset {offset} is not seen by {isolation:?}")
                    });
                }
            }
        }
    }
}

/// Values that were acknowledged, or belong to a transaction of which something was seen.
pub(super) fn unseen(history: &History, orders: &Orders, report: &mut Report) {
    let isolation =
        if orders.read_committed.is_empty() { Isolation::Uncommitted } else { Isolation::Committed };
    let is_read = |key: Key, value: Value| orders.was_read(isolation, key, value);
    for (index, operation) in history.operations.iter().enumerate() {
        if !orders.is_committed[index] {
            continue;
        }
        let anomaly = match (operation.outcome, operation.function) {
            (Outcome::Ok, _) => Anomaly::Unseen,
            (_, Function::Transaction) => Anomaly::TornTransaction,
            _ => Anomaly::Unseen,
        };
        let is_single = operation.outcome == Outcome::Info && operation.function == Function::Plain;
        for (key, value, offset) in operation.sends() {
            // A record on its own was acknowledged or not, whatever came of the others.
            if !is_read(key, value) && (!is_single || offset.is_some()) {
                report.add(anomaly, || {
                    let Operation { process, invoked_ns, .. } = operation;
                    format!(
                        "process {process} at {invoked_ns} ns: key {key}, value {value}, offset {offset:?}"
                    )
                });
            }
        }
        let reads = operation.sends().filter(|(key, value, _)| is_read(*key, *value)).count();
        if operation.function == Function::Transaction
            && operation.outcome == Outcome::Ok
            && reads > 0
            && reads < operation.sends().count()
        {
            report.add(Anomaly::TornTransaction, || format!("process {}", operation.process));
        }
    }
}
