//! `cargo xtask`: the one door for people who work on Klamm.

fn main() {}
