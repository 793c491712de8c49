//! Groups whose transactions commit what they polled: every record belongs in exactly one such transaction.
//!
//! A client writes down what it has polled before it begins the transaction, so that its death leaves no doubt about that.

use std::collections::{BTreeMap, HashMap};

use super::{Anomaly, Report};
use crate::history::{History, Isolation, Key, Outcome};
use crate::order::Orders;

/// Nothing is processed twice, and nothing is passed over.
pub(super) fn exactly_once(history: &History, orders: &Orders, report: &mut Report) {
    let mut consumed: BTreeMap<(u32, Key), HashMap<i64, u32>> = BTreeMap::new();
    // What a transaction without a certain end has polled may be committed or not.
    let mut doubtful: HashMap<(u32, Key), Vec<i64>> = HashMap::new();
    for (index, operation) in history.operations.iter().enumerate() {
        let Some(group) = operation.group else { continue };
        let is_committed = orders.is_committed[index];
        for polled in operation.polled() {
            if is_committed {
                *consumed.entry((group, polled.key)).or_default().entry(polled.offset).or_default() += 1;
            } else if operation.outcome == Outcome::Info {
                doubtful.entry((group, polled.key)).or_default().push(polled.offset);
            }
        }
    }
    for ((group, key), counts) in &consumed {
        for (offset, count) in counts {
            if *count > 1 {
                report.add(Anomaly::ConsumedTwice, || {
                    format!("group {group}, key {key}, offset {offset}: {count} times")
                });
            }
        }
        let (Some(last), Some(order)) =
            (counts.keys().max(), orders.seen_with(Isolation::Committed).get(key))
        else {
            continue;
        };
        let doubts = doubtful.get(&(*group, *key)).map(Vec::as_slice).unwrap_or_default();
        for offset in order.offsets.iter().filter(|offset| *offset < last) {
            if !counts.contains_key(offset) && !doubts.contains(offset) {
                report.add(Anomaly::ConsumedNever, || format!("group {group}, key {key}, offset {offset}"));
            }
        }
    }
}
