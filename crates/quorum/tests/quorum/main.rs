//! Quorums of one and of three on simulated disks.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod adoption;
mod cluster;
mod crashes;
mod damage;
mod fixture;
mod fuzz_bodies;
mod snapshots;
mod sole_voter;
