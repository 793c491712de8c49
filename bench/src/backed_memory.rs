//! Memory that the machine below has really given, before something is measured on it.
//!
//! A virtual machine hands free pages back to its host, and the first write to such a page waits for the host: on the machine of
//! `docs/benchmarks.md` 2.4 CPU seconds per GB, several times what a produce costs otherwise, whoever writes.

use std::os::unix::fs::FileExt;

use anyhow::Result;

const PIECE_BYTES: usize = 1 << 20;

/// Fills so many bytes of the page cache and lets them go: what is allocated next is taken from there.
pub fn back(bytes: u64) -> Result<()> {
    let file = tempfile::tempfile()?;
    let piece = vec![1_u8; PIECE_BYTES];
    let mut position = 0;
    while position < bytes {
        file.write_all_at(&piece, position)?;
        position += piece.len() as u64;
    }
    Ok(())
}
