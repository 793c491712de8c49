//! Logs from the outside, on the simulated disk and on a real one.

mod compaction;
mod counting;
mod crash;
mod crash_compaction;
mod crash_journal;
mod damage;
mod directories;
mod faults;
mod full_disk;
mod fuzz_bodies;
mod harness;
mod hooked_disk;
mod interleaving;
mod model;
mod moves;
mod reading;
mod real_disk;
mod retention;
mod rolling;
mod together;
mod transactions;
