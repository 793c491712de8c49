//! The rules of the Jepsen Kafka workload over one history, and those that exactly-once groups add.

mod cycles;
mod graph;
mod groups;
mod polls;
mod sends;
mod values;

use std::collections::BTreeMap;
use std::fmt;

use crate::history::History;
use crate::order::Orders;

/// What can be wrong, by Jepsen's names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Anomaly {
    /// One offset holds two values.
    InconsistentOffsets,
    /// One value stands at two offsets.
    Duplicate,
    /// Something before what was read was certainly written, and nobody has read it.
    LostWrite,
    /// An acknowledged value was not read by the end.
    Unseen,
    /// Some values of a transaction were read, and not all by the end.
    TornTransaction,
    /// A value of an aborted transaction was read with `read_committed`, or one that was certainly not written.
    AbortedRead,
    /// A transaction polled what it had sent itself.
    PrecommittedRead,
    /// Polls of one operation skip a value.
    InternalPollSkip,
    /// Polls of one operation repeat a value or go back.
    InternalNonmonotonicPoll,
    /// Successive operations of a consumer skip a value.
    PollSkip,
    /// Successive operations of a consumer repeat a value or go back.
    NonmonotonicPoll,
    /// The same of a member of a group that was not told of a rebalance: reported, as Jepsen does, and allowed.
    GroupPollSkip,
    /// As [`Anomaly::GroupPollSkip`], backwards.
    GroupNonmonotonicPoll,
    /// Sends of one operation stand in another order.
    InternalNonmonotonicSend,
    /// Sends of successive operations stand in another order.
    NonmonotonicSend,
    /// Other values stand between two sends of a transaction: Kafka does not isolate writes.
    InternalSendSkip,
    /// Write cycles: allowed, as writes are not isolated.
    G0,
    /// Write cycles with the order of processes.
    G0Process,
    /// Write cycles with the order of time.
    G0Realtime,
    /// Transactions that read from each other in a circle.
    G1c,
    /// The same with the order of processes.
    G1cProcess,
    /// The same with the order of time.
    G1cRealtime,
    /// A circle of reads and writes: allowed, as writes are not isolated.
    G1cWithWrites,
    /// A group whose transactions commit what they polled has processed a record twice.
    ConsumedTwice,
    /// Such a group has gone past a record without processing it.
    ConsumedNever,
}

impl Anomaly {
    /// Whether Kafka promises that it does not happen.
    pub fn is_fatal(self) -> bool {
        !matches!(
            self,
            Anomaly::InternalSendSkip
                | Anomaly::GroupPollSkip
                | Anomaly::GroupNonmonotonicPoll
                | Anomaly::G0
                | Anomaly::G0Process
                | Anomaly::G0Realtime
                | Anomaly::G1cWithWrites
        )
    }
}

/// How many of a kind, and the first of them in words.
#[derive(Debug, Default, Clone)]
pub struct Found {
    /// All of them.
    pub count: u64,
    /// No more than a few.
    pub examples: Vec<String>,
}

/// What the rules have found.
#[derive(Debug, Default, Clone)]
pub struct Report {
    /// By kind.
    pub found: BTreeMap<Anomaly, Found>,
}

const EXAMPLES_MAX: usize = 5;

impl Report {
    fn add(&mut self, anomaly: Anomaly, text: impl FnOnce() -> String) {
        let found = self.found.entry(anomaly).or_default();
        found.count += 1;
        if found.examples.len() < EXAMPLES_MAX {
            found.examples.push(text());
        }
    }

    /// Whether it was found.
    pub fn has(&self, anomaly: Anomaly) -> bool {
        self.found.contains_key(&anomaly)
    }

    /// Those that Kafka promises not to happen.
    pub fn fatal(&self) -> Vec<Anomaly> {
        self.found.keys().copied().filter(|anomaly| anomaly.is_fatal()).collect()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (anomaly, found) in &self.found {
            let weight = if anomaly.is_fatal() { "FATAL" } else { "allowed" };
            writeln!(formatter, "{anomaly:?} ({weight}): {}", found.count)?;
            let is_told = anomaly.is_fatal() || *anomaly == Anomaly::GroupPollSkip;
            if is_told {
                for example in &found.examples {
                    writeln!(formatter, "    {example}")?;
                }
            }
        }
        Ok(())
    }
}

/// Applies all rules. Linear in the history but for sorting.
pub fn check(history: &History) -> Report {
    let orders = Orders::of(history);
    let mut report = Report::default();
    values::offsets(&orders, &mut report);
    values::aborted_reads(history, &orders, &mut report);
    values::lost_writes(history, &orders, &mut report);
    if history.is_finished {
        values::unseen(history, &orders, &mut report);
    }
    polls::within_operations(history, &orders, &mut report);
    polls::between_operations(history, &orders, &mut report);
    sends::within_operations(history, &orders, &mut report);
    sends::between_operations(history, &mut report);
    groups::exactly_once(history, &orders, &mut report);
    cycles::find(history, &orders, &mut report);
    report
}
