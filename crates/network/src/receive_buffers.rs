//! The buffers that a core's connections read into, one after the other: an idle connection holds none.

use std::sync::Arc;

use bytes::Bytes;
use parking_lot::Mutex;

/// Bytes that one read takes at most: several requests that have come already are handled together.
pub(crate) const RECEIVE_BYTES: usize = 256 * 1024;
/// Buffers kept for the next read. One is enough unless a handler keeps what it was given.
const SPARE_MAX: usize = 2;

/// Buffers of one size that come back by themselves.
#[derive(Debug, Clone, Default)]
pub(crate) struct ReceiveBuffers {
    spare: Arc<Mutex<Vec<Box<[u8]>>>>,
}

/// A buffer as long as somebody refers to what was read into it.
struct Lent {
    memory: Box<[u8]>,
    filled: usize,
    home: ReceiveBuffers,
}

impl ReceiveBuffers {
    /// A buffer of [`RECEIVE_BYTES`] with any content.
    pub fn take(&self) -> Box<[u8]> {
        self.spare.lock().pop().unwrap_or_else(|| vec![0; RECEIVE_BYTES].into_boxed_slice())
    }

    /// Takes back a buffer that nothing was read into.
    pub fn give_back(&self, memory: Box<[u8]>) {
        let mut spare = self.spare.lock();
        if spare.len() < SPARE_MAX {
            spare.push(memory);
        }
    }

    /// The first `filled` bytes of a buffer, which comes back when nobody refers to them any more.
    pub fn lend(&self, memory: Box<[u8]>, filled: usize) -> Bytes {
        Bytes::from_owner(Lent { memory, filled, home: self.clone() })
    }
}

impl AsRef<[u8]> for Lent {
    fn as_ref(&self) -> &[u8] {
        &self.memory[..self.filled]
    }
}

impl Drop for Lent {
    fn drop(&mut self) {
        self.home.give_back(std::mem::take(&mut self.memory));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_buffer_comes_back_with_its_last_piece() {
        let buffers = ReceiveBuffers::default();
        let memory = buffers.take();
        let address = memory.as_ptr();
        let lent = buffers.lend(memory, 10);
        let piece = lent.slice(2..4);
        drop(lent);
        let other = buffers.take();
        assert_ne!(other.as_ptr(), address, "a piece is in use");
        drop(piece);
        let again = buffers.take();
        assert_eq!(again.as_ptr(), address);
    }
}
