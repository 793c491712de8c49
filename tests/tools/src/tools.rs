//! Apache Kafka's own command-line tools, run against Klamm and on its files.
//!
//! `KLAMM_TEST_SERVER=kafka` runs the same tests against Apache Kafka 4.4.0, which must pass them too.

mod cat;
mod cluster;
mod compaction;
mod configs;
mod console;
mod consumer_groups;
mod daemon;
mod json;
mod log_files;
mod recorded;
mod shells;
mod start_time;
mod swapped_logs;
mod take_over;
mod terminal;
mod tool;
mod topics;
