//! Small histories: each anomaly with one that has it and near misses that have not.

use history_tests::check::Anomaly::{self, *};
use history_tests::check::check;
use history_tests::history::Outcome::{Fail, Info, Ok};
use history_tests::history::{Action, Function, History, Isolation, Operation, Outcome, Polled, Value};

pub(super) const A: u32 = 0;
const B: u32 = 1;

/// A script: operations one after another, each with its own time.
#[derive(Default)]
pub(super) struct Script(Vec<Operation>);

impl Script {
    pub(super) fn operation(mut self, process: u32, function: Function, actions: Vec<Action>) -> Self {
        let time = 10 * (self.0.len() as u64 + 1);
        self.0.push(Operation { actions, ..Operation::new(process, function, time, time + 5) });
        self
    }

    pub(super) fn plain(self, process: u32, actions: Vec<Action>) -> Self {
        self.operation(process, Function::Plain, actions)
    }

    pub(super) fn transaction(self, process: u32, actions: Vec<Action>) -> Self {
        self.operation(process, Function::Transaction, actions)
    }

    pub(super) fn last(mut self, change: impl FnOnce(&mut Operation)) -> Self {
        change(self.0.last_mut().expect("a history has an operation"));
        self
    }

    fn ends(self, outcome: Outcome) -> Self {
        self.last(|operation| operation.outcome = outcome)
    }

    fn uncommitted(self) -> Self {
        self.last(|operation| operation.isolation = Isolation::Uncommitted)
    }

    #[track_caller]
    fn finds(self, anomalies: &[Anomaly]) {
        self.found(anomalies, false);
    }

    #[track_caller]
    fn finds_at_the_end(self, anomalies: &[Anomaly]) {
        self.found(anomalies, true);
    }

    #[track_caller]
    pub(super) fn found(self, anomalies: &[Anomaly], is_finished: bool) {
        let report = check(&History::new(self.0, is_finished));
        let found: Vec<Anomaly> = report.found.keys().copied().collect();
        assert_eq!(found, anomalies, "{report}");
    }
}

pub(super) fn send(key: u32, value: Value, offset: i64) -> Action {
    Action::Send { key, value, offset: (offset >= 0).then_some(offset) }
}

/// Offset and value of each.
pub(super) fn poll(key: u32, records: &[(i64, Value)]) -> Action {
    Action::Poll(
        records.iter().map(|(offset, value)| Polled { key, offset: *offset, value: *value }).collect(),
    )
}

fn script() -> Script {
    Script::default()
}

/// Values 1, 2, 3 … acknowledged at offsets 0, 1, 2 … of key A.
fn sent(count: u64) -> Script {
    (0..count).fold(script(), |script, index| script.plain(0, vec![send(A, index + 1, index as i64)]))
}

#[test]
fn an_offset_holds_one_value() {
    script().plain(0, vec![send(A, 1, 0)]).plain(1, vec![send(A, 2, 0)]).finds(&[InconsistentOffsets]);
    sent(1).plain(1, vec![poll(A, &[(0, 7)])]).plain(2, vec![send(A, 7, -1)]).ends(Info).finds(&[
        InconsistentOffsets,
        LostWrite,
        G1cRealtime,
    ]);
    script().plain(0, vec![send(A, 1, 0)]).plain(1, vec![send(B, 2, 0)]).finds(&[]);
    script().plain(0, vec![send(A, 1, -1)]).ends(Info).plain(1, vec![send(A, 2, 0)]).finds(&[]);
}

#[test]
fn a_value_stands_once() {
    sent(1).plain(1, vec![poll(A, &[(0, 1), (1, 1)])]).finds(&[Duplicate]);
    sent(1).plain(1, vec![poll(A, &[(3, 1)])]).finds(&[Duplicate]);
    // Read twice is not written twice.
    sent(1).plain(1, vec![poll(A, &[(0, 1)])]).plain(2, vec![poll(A, &[(0, 1)])]).finds(&[]);
}

#[test]
fn what_was_written_before_something_read_is_read() {
    let skips = |script: Script| script.plain(1, vec![poll(A, &[(1, 2)])]);
    skips(sent(2)).finds(&[LostWrite]);
    // The end of the log may be read later.
    sent(3).plain(1, vec![poll(A, &[(0, 1), (1, 2)])]).finds(&[]);
    // Somebody else has read it.
    skips(sent(2)).plain(2, vec![poll(A, &[(0, 1)])]).finds(&[]);
    // Nobody knows whether it was written.
    skips(script().plain(0, vec![send(A, 1, -1)]).ends(Info).plain(0, vec![send(A, 2, 1)])).finds(&[]);
    // It was aborted: with read_committed it is passed over, with read_uncommitted it is not.
    let aborted = || script().transaction(0, vec![send(A, 1, 0)]).ends(Fail).plain(0, vec![send(A, 2, 1)]);
    skips(aborted()).finds(&[]);
    skips(aborted()).uncommitted().finds(&[LostWrite]);
}

#[test]
fn a_transaction_of_which_something_was_read_is_whole() {
    let half = || {
        script()
            .transaction(0, vec![send(A, 1, 0), send(A, 2, 1)])
            .ends(Info)
            .plain(1, vec![poll(A, &[(1, 2)])])
    };
    half().finds(&[LostWrite]);
    half().finds_at_the_end(&[LostWrite, TornTransaction]);
    let elsewhere = |script: Script| script.plain(1, vec![poll(A, &[(0, 1)])]);
    let two = || script().transaction(0, vec![send(A, 1, 0), send(B, 2, 0)]);
    elsewhere(two().ends(Info)).finds(&[]);
    elsewhere(two().ends(Info)).finds_at_the_end(&[TornTransaction]);
    elsewhere(two()).finds_at_the_end(&[Unseen, TornTransaction]);
    elsewhere(two().ends(Info)).plain(2, vec![poll(B, &[(0, 2)])]).finds_at_the_end(&[]);
    // Of an unknown transaction nothing need be seen, and who reads uncommitted may see parts.
    two()
        .ends(Info)
        .plain(1, vec![poll(A, &[(0, 1)])])
        .uncommitted()
        .plain(2, vec![poll(B, &[])])
        .finds_at_the_end(&[]);
}

#[test]
fn what_was_acknowledged_is_seen_by_the_end() {
    sent(1).plain(1, vec![poll(A, &[])]).finds_at_the_end(&[Unseen]);
    sent(1).plain(1, vec![poll(A, &[])]).finds(&[]);
    sent(1).plain(1, vec![poll(A, &[(0, 1)])]).finds_at_the_end(&[]);
    script().plain(0, vec![send(A, 1, -1)]).ends(Info).plain(1, vec![poll(A, &[])]).finds_at_the_end(&[]);
    // Of a transaction it says nothing that a record was acknowledged; of a record on its own it says all.
    let acknowledged =
        |function| script().operation(0, function, vec![send(A, 1, 0), send(A, 2, -1)]).ends(Info);
    acknowledged(Function::Transaction).plain(1, vec![poll(A, &[])]).finds_at_the_end(&[]);
    acknowledged(Function::Plain).plain(1, vec![poll(A, &[])]).finds_at_the_end(&[Unseen]);
}

#[test]
fn nothing_aborted_is_read() {
    let aborted = || script().transaction(0, vec![send(A, 1, 0)]).ends(Fail);
    aborted().plain(1, vec![poll(A, &[(0, 1)])]).finds(&[AbortedRead]);
    aborted().plain(1, vec![poll(A, &[(0, 1)])]).uncommitted().finds(&[]);
    aborted().plain(1, vec![poll(A, &[(0, 1)])]).ends(Info).finds(&[]);
    script().transaction(0, vec![send(A, 1, 0)]).ends(Info).plain(1, vec![poll(A, &[(0, 1)])]).finds(&[]);
    // A refused record that is there nevertheless, whatever the isolation level.
    let refused = script().plain(0, vec![send(A, 1, -1)]).ends(Fail);
    refused.plain(1, vec![poll(A, &[(0, 1)])]).uncommitted().finds(&[AbortedRead]);
    // A value out of nowhere.
    script().plain(1, vec![poll(A, &[(0, 1)])]).finds(&[AbortedRead]);
}

#[test]
fn a_transaction_does_not_read_itself() {
    script().transaction(0, vec![send(A, 1, 0), poll(A, &[(0, 1)])]).finds(&[PrecommittedRead]);
    script().transaction(0, vec![send(A, 1, 0), poll(A, &[(0, 1)])]).uncommitted().finds(&[]);
    script().transaction(0, vec![send(A, 1, 0)]).transaction(0, vec![poll(A, &[(0, 1)])]).finds(&[]);
}

#[test]
fn polls_of_one_operation_go_on() {
    let all = |script: Script| script.plain(9, vec![poll(A, &[(0, 1), (1, 2), (2, 3)])]);
    all(sent(3)).plain(1, vec![poll(A, &[(0, 1), (2, 3)])]).finds(&[InternalPollSkip]);
    all(sent(3)).plain(1, vec![poll(A, &[(0, 1)]), poll(A, &[(2, 3)])]).finds(&[InternalPollSkip]);
    all(sent(3)).plain(1, vec![poll(A, &[(1, 2), (0, 1)])]).finds(&[InternalNonmonotonicPoll]);
    all(sent(3)).plain(1, vec![poll(A, &[(0, 1)]), poll(A, &[(0, 1)])]).finds(&[InternalNonmonotonicPoll]);
    all(sent(3)).plain(1, vec![poll(A, &[(0, 1)]), poll(A, &[(1, 2)])]).finds(&[]);
    let rebalanced = all(sent(3)).plain(1, vec![poll(A, &[(0, 1)]), poll(A, &[(2, 3)])]);
    rebalanced.last(|operation| operation.rebalanced = vec![A]).finds(&[]);
    // Offsets without records are no gap.
    let gap = script().plain(0, vec![send(A, 1, 0)]).plain(0, vec![send(A, 2, 8)]);
    gap.plain(1, vec![poll(A, &[(0, 1), (8, 2)])]).finds(&[]);
}

#[test]
fn successive_polls_go_on() {
    let all = |script: Script| script.plain(9, vec![poll(A, &[(0, 1), (1, 2), (2, 3)])]);
    let first = || all(sent(3)).plain(1, vec![poll(A, &[(0, 1)])]);
    first().plain(1, vec![poll(A, &[(2, 3)])]).finds(&[PollSkip]);
    first().plain(1, vec![poll(A, &[(0, 1)])]).finds(&[NonmonotonicPoll]);
    first().plain(1, vec![poll(A, &[(1, 2)])]).finds(&[]);
    first().plain(2, vec![poll(A, &[(2, 3)])]).finds(&[]);
    // A consumer that begins anew may be elsewhere, but one that says where must be there.
    first().operation(1, Function::Subscribe, vec![]).plain(1, vec![poll(A, &[(2, 3)])]).finds(&[]);
    let member = || all(sent(3)).operation(1, Function::Subscribe, vec![]).plain(1, vec![poll(A, &[(1, 2)])]);
    member().plain(1, vec![poll(A, &[(2, 3)])]).finds(&[]);
    member().plain(1, vec![poll(A, &[(1, 2)])]).finds(&[GroupNonmonotonicPoll]);
    first().operation(1, Function::Assign, vec![]).plain(1, vec![poll(A, &[(0, 1)])]).finds(&[]);
    first().operation(1, Function::Assign, vec![]).plain(1, vec![poll(A, &[(1, 2)])]).finds(&[PollSkip]);
    let rebalanced = first().plain(1, vec![poll(A, &[(2, 3)])]);
    rebalanced.last(|operation| operation.rebalanced = vec![A]).finds(&[]);
    // Only what is certain moves the position; an abort alone does not set it back.
    first().plain(1, vec![poll(A, &[(1, 2)])]).ends(Info).plain(1, vec![poll(A, &[(1, 2)])]).finds(&[]);
    first()
        .plain(1, vec![poll(A, &[(1, 2)])])
        .ends(Fail)
        .plain(1, vec![poll(A, &[(2, 3)])])
        .finds(&[PollSkip]);
}

#[test]
fn sends_stand_in_order() {
    script().plain(0, vec![send(A, 1, 5), send(A, 2, 4)]).finds(&[InternalNonmonotonicSend]);
    script().plain(0, vec![send(A, 1, 5), send(B, 2, 4)]).finds(&[]);
    script()
        .plain(0, vec![send(A, 1, 5)])
        .plain(0, vec![send(A, 2, 4)])
        .finds(&[NonmonotonicSend, G0Process]);
    script()
        .plain(0, vec![send(A, 1, 5)])
        .ends(Info)
        .plain(0, vec![send(A, 2, 4)])
        .finds(&[NonmonotonicSend]);
    script().plain(0, vec![send(A, 1, 5)]).plain(1, vec![send(A, 2, 4)]).finds(&[G0Realtime]);
    script().plain(0, vec![send(A, 1, 4)]).plain(0, vec![send(A, 2, 5)]).finds(&[]);
    // Others may write in between.
    let between = script().transaction(0, vec![send(A, 1, 0), send(A, 3, 2)]);
    between.plain(1, vec![send(A, 2, 1)]).finds(&[InternalSendSkip, G0]);
}

#[test]
fn an_exactly_once_group_processes_everything_once() {
    let relay = |script: Script, process, records: &[(i64, Value)], value, outcome| {
        let script = script.transaction(process, vec![poll(A, records), send(B, value, value as i64)]);
        script.ends(outcome).last(|operation| operation.group = Some(1))
    };
    let seen = |script: Script| script.plain(9, vec![poll(A, &[(0, 1), (1, 2), (2, 3)])]);
    let first = || relay(seen(sent(3)), 1, &[(0, 1)], 101, Ok);
    relay(first(), 2, &[(0, 1)], 102, Ok).finds(&[ConsumedTwice]);
    relay(first(), 2, &[(2, 3)], 102, Ok).finds(&[ConsumedNever]);
    relay(relay(first(), 2, &[(1, 2)], 102, Ok), 3, &[(2, 3)], 103, Ok).finds(&[]);
    // What did not happen does not count; what may have happened explains a gap.
    relay(relay(first(), 2, &[(0, 1)], 102, Fail), 3, &[(1, 2)], 103, Ok).finds(&[]);
    relay(relay(first(), 2, &[(1, 2)], 102, Info), 3, &[(2, 3)], 103, Ok).finds(&[]);
    // It did happen if what it sent is there.
    let doubled = relay(relay(first(), 2, &[(1, 2)], 102, Info), 3, &[(1, 2)], 103, Ok);
    doubled.plain(8, vec![poll(B, &[(101, 101), (102, 102), (103, 103)])]).finds(&[ConsumedTwice]);
    // Two groups do not disturb each other.
    relay(first(), 2, &[(0, 1)], 102, Ok).last(|operation| operation.group = Some(2)).finds(&[]);
}
