//! Decisions of the log, apart from the files: when to roll, what to delete, how to recover.

pub mod recovery;
pub mod retention;
pub mod roll;
