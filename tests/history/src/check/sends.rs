//! Rules about the order in which a producer's records stand.

use std::collections::HashMap;

use super::{Anomaly, Report};
use crate::history::{Function, History, Key, Operation, Outcome};
use crate::order::Orders;

/// Sends of one operation stand one behind the other.
pub(super) fn within_operations(history: &History, orders: &Orders, report: &mut Report) {
    let mut last: HashMap<Key, i64> = HashMap::new();
    for operation in &history.operations {
        last.clear();
        for (key, value, offset) in operation.sends() {
            let Some(offset) = offset else { continue };
            let Some(before) = last.insert(key, offset) else { continue };
            if offset <= before {
                report.add(Anomaly::InternalNonmonotonicSend, || {
                    let Operation { process, invoked_ns, .. } = operation;
                    format!(
                        "process {process} at {invoked_ns} ns: key {key}, value {value}: {before}, {offset}"
                    )
                });
            } else if operation.function == Function::Transaction
                && let Some(order) = orders.all.get(&key)
                && order.rank(offset) > order.rank(before) + 1
            {
                report.add(Anomaly::InternalSendSkip, || format!("key {key}: {before}, {offset}"));
            }
        }
    }
}

/// Sends of later operations stand behind those of earlier ones.
pub(super) fn between_operations(history: &History, report: &mut Report) {
    let mut last: HashMap<(u32, Key), i64> = HashMap::new();
    for operation in &history.operations {
        if operation.outcome == Outcome::Fail {
            continue;
        }
        let mut sent: HashMap<Key, i64> = HashMap::new();
        for (key, value, offset) in operation.sends() {
            let Some(offset) = offset else { continue };
            let is_first = sent.insert(key, offset).is_none();
            let before = last.get(&(operation.process, key)).copied();
            if let Some(before) = before.filter(|before| is_first && *before >= offset) {
                report.add(Anomaly::NonmonotonicSend, || {
                    let Operation { process, invoked_ns, .. } = operation;
                    format!(
                        "process {process} at {invoked_ns} ns: key {key}, value {value}: {before}, {offset}"
                    )
                });
            }
        }
        last.extend(sent.into_iter().map(|(key, offset)| ((operation.process, key), offset)));
    }
}
