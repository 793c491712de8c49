//! What clients did and saw, and whether a log with transactions may show them that. See README.md.

pub mod check;
pub mod clock;
pub mod history;
pub mod order;
pub mod random;
pub mod text;
pub mod topics;
