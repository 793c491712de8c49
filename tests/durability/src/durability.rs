//! Kill -9 in a loop, failing calls and full disks, under load: nothing acknowledged is missing, nothing is there twice.
//! See README.md.

mod failing_calls;
mod failing_run;
mod full_disk;
mod gate;
mod kafka_reads;
mod kills;
mod producer;
mod random;
mod reader;
mod stops;
mod strace;
mod verify;
