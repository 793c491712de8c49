//! Kill -9 in a loop, under load: nothing acknowledged is missing, nothing is there twice. See README.md.

mod gate;
mod kills;
mod producer;
mod random;
mod reader;
mod stops;
mod verify;
