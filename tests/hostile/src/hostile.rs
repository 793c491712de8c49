//! Bad input and bad manners against the real server: it stays up, stays small, and serves the others.

mod connections;
mod corpus;
mod frames;
mod server_under_attack;
