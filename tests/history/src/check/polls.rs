//! Rules about the order in which a consumer sees a key.

use std::cmp::Ordering;
use std::collections::HashMap;

use super::{Anomaly, Report};
use crate::history::{Function, History, Key, Operation, Outcome, Polled};
use crate::order::Orders;

fn rank(orders: &Orders, operation: &Operation, polled: &Polled) -> Option<usize> {
    orders.seen_with(operation.isolation).get(&polled.key).map(|order| order.rank(polled.offset))
}

/// Each poll of a key must be the next of it.
pub(super) fn within_operations(history: &History, orders: &Orders, report: &mut Report) {
    let mut last: HashMap<Key, usize> = HashMap::new();
    for operation in &history.operations {
        last.clear();
        for polled in operation.polled() {
            let Some(rank) = rank(orders, operation, polled) else { continue };
            let before = last.insert(polled.key, rank);
            let Some(before) = before.filter(|_| !operation.rebalanced.contains(&polled.key)) else {
                continue;
            };
            if rank == before + 1 {
                continue;
            }
            let anomaly =
                if rank > before { Anomaly::InternalPollSkip } else { Anomaly::InternalNonmonotonicPoll };
            report.add(anomaly, || {
                let Operation { process, invoked_ns, .. } = operation;
                format!("process {process} at {invoked_ns} ns: {polled:?}, index {before} was before")
            });
        }
    }
}

/// Where a consumer stands.
#[derive(Default)]
struct Consumer {
    /// Whether keys that are not in `next` are read from the beginning.
    is_at_the_beginning: bool,
    is_member: bool,
    /// The rank that comes next, if it is known.
    next: HashMap<Key, Option<usize>>,
}

/// Operations that are certain go on where the one before has ended, unless the consumer began anew.
pub(super) fn between_operations(history: &History, orders: &Orders, report: &mut Report) {
    let mut consumers: HashMap<u32, Consumer> = HashMap::new();
    for operation in &history.operations {
        let consumer = consumers.entry(operation.process).or_default();
        match operation.function {
            Function::Assign | Function::Subscribe => {
                consumer.is_at_the_beginning = operation.function == Function::Assign;
                consumer.is_member = operation.function == Function::Subscribe;
                consumer.next.clear();
                continue;
            }
            Function::Plain | Function::Transaction => {}
        }
        for key in &operation.rebalanced {
            consumer.next.insert(*key, None);
        }
        if operation.outcome != Outcome::Ok {
            continue;
        }
        let mut ends: HashMap<Key, usize> = HashMap::new();
        for polled in operation.polled() {
            let Some(rank) = rank(orders, operation, polled) else { continue };
            if ends.insert(polled.key, rank + 1).is_some() {
                continue;
            }
            let start = consumer.is_at_the_beginning.then_some(0);
            let Some(due) = consumer.next.get(&polled.key).copied().unwrap_or(start) else { continue };
            let anomaly = match (rank.cmp(&due), consumer.is_member) {
                (Ordering::Equal, _) => continue,
                (Ordering::Greater, false) => Anomaly::PollSkip,
                (Ordering::Less, false) => Anomaly::NonmonotonicPoll,
                (Ordering::Greater, true) => Anomaly::GroupPollSkip,
                (Ordering::Less, true) => Anomaly::GroupNonmonotonicPoll,
            };
            report.add(anomaly, || {
                let Operation { process, invoked_ns, .. } = operation;
                format!("process {process} at {invoked_ns} ns: {polled:?} has index {rank}, {due} was due")
            });
        }
        // What came or went while it ran may have done so after the last poll.
        let moved = &operation.rebalanced;
        consumer
            .next
            .extend(ends.into_iter().map(|(key, next)| (key, (!moved.contains(&key)).then_some(next))));
    }
}
