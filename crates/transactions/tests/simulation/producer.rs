//! A producer as clients write them: one instance, its transactions, what it knows of their outcome.

use transactions::Producer;

/// What a producer is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// It asks who it is.
    Beginning,
    /// Nothing is open.
    Idle,
    /// It waits until this partition has joined.
    Adding(i32),
    /// It writes.
    Open,
    /// It asked for this outcome.
    Ending(bool),
    /// It has been told that another took its place.
    Fenced,
}

#[derive(Debug)]
pub struct Instance {
    pub transactional_id: usize,
    pub producer: Producer,
    pub doing: Doing,
    /// Unique for each transaction of the whole run; 0 while none is open.
    pub transaction: u64,
    pub written: Vec<i32>,
}

impl Instance {
    pub fn new(transactional_id: usize) -> Self {
        Instance {
            transactional_id,
            producer: Producer::NONE,
            doing: Doing::Beginning,
            transaction: 0,
            written: Vec::new(),
        }
    }
}
