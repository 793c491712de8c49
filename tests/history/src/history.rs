//! A history: operations of sequential processes, with what they sent, what they polled, and how they ended.

/// A topic partition, by number.
pub type Key = u32;
/// Unique for its key.
pub type Value = u64;

/// How an operation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It has happened.
    Ok,
    /// It is certain that it has not happened.
    Fail,
    /// Nobody knows, or its client is gone.
    Info,
}

/// Which records its polls see.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Isolation {
    /// `read_committed`.
    Committed,
    /// `read_uncommitted`.
    Uncommitted,
}

/// What kind of operation it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Function {
    /// Sends or polls on their own.
    Plain,
    /// Sends and polls of one transaction.
    Transaction,
    /// The consumer begins anew, at the beginning of every key.
    Assign,
    /// The consumer begins anew wherever its group is.
    Subscribe,
}

/// A record as a consumer got it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Polled {
    /// Where it was.
    pub key: Key,
    /// At which offset.
    pub offset: i64,
    /// What it said.
    pub value: Value,
}

/// A part of an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// A record to a key, and where it went if that is known.
    Send {
        /// To where.
        key: Key,
        /// What.
        value: Value,
        /// The broker's answer.
        offset: Option<i64>,
    },
    /// What one poll brought.
    Poll(Vec<Polled>),
}

/// What one process did, one after another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operation {
    /// Who.
    pub process: u32,
    /// What kind.
    pub function: Function,
    /// How it ended.
    pub outcome: Outcome,
    /// What its polls may see.
    pub isolation: Isolation,
    /// The group for which a transaction commits what it polled; each record belongs in one such transaction.
    pub group: Option<u32>,
    /// When it began, ns.
    pub invoked_ns: u64,
    /// When it ended, ns; none if its client is gone.
    pub completed_ns: Option<u64>,
    /// In this order.
    pub actions: Vec<Action>,
    /// Keys that a group gave or took while it ran or since the one before: their positions begin anew.
    pub rebalanced: Vec<Key>,
}

impl Operation {
    /// One without actions, certain to have happened.
    pub fn new(process: u32, function: Function, invoked_ns: u64, completed_ns: u64) -> Self {
        Operation {
            process,
            function,
            outcome: Outcome::Ok,
            isolation: Isolation::Committed,
            group: None,
            invoked_ns,
            completed_ns: Some(completed_ns),
            actions: Vec::new(),
            rebalanced: Vec::new(),
        }
    }

    /// Key, value and known offset of what it sent.
    pub fn sends(&self) -> impl Iterator<Item = (Key, Value, Option<i64>)> {
        self.actions.iter().filter_map(|action| match action {
            Action::Send { key, value, offset } => Some((*key, *value, *offset)),
            Action::Poll(_) => None,
        })
    }

    /// What it polled.
    pub fn polled(&self) -> impl Iterator<Item = &Polled> {
        self.actions.iter().flat_map(|action| match action {
            Action::Poll(records) => records.as_slice(),
            Action::Send { .. } => &[],
        })
    }
}

/// All operations, by the time they began.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// In the order of `invoked_ns`; those of one process do not overlap.
    pub operations: Vec<Operation>,
    /// Whether somebody has read every key to its end after all was sent.
    pub is_finished: bool,
}

impl History {
    /// Puts them in order.
    pub fn new(mut operations: Vec<Operation>, is_finished: bool) -> Self {
        operations.sort_by_key(|operation| operation.invoked_ns);
        History { operations, is_finished }
    }
}
