//! Decisions of the log, apart from the files: when to roll, what to delete, what to compact, how to recover.

pub mod cleaning;
pub mod recovery;
pub mod retention;
pub mod roll;
