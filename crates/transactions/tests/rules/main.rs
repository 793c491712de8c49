//! The rules of the transaction coordinator, one by one, against the shard alone.

mod ends;
mod init;
mod partitions;
mod shard;
mod upkeep;
