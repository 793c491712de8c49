//! Frames out of a socket: a 4-byte length, then so many bytes; no memory is taken on the word of a length.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::{
    io::{AsyncRead, ReadBuf},
    net::TcpStream,
    sync::OwnedSemaphorePermit,
};

/// Size of a core's scratch buffer, where the first bytes of a frame are read.
pub(crate) const SCRATCH_BYTES: usize = 32 * 1024;
/// A frame is read so far without asking anybody: 64 KiB and the trimmings of a request that carries so much.
pub(crate) const UNRESERVED_BYTES: usize = 68 * 1024;
/// Frames up to here get an allocation of their own size, so that keeping a piece of one keeps nothing else.
const SMALL_BYTES: usize = 16 * 1024;
/// Least growth of a frame that counts as progress.
const PROGRESS_BYTES: usize = 64 * 1024;

const PREFIX_BYTES: usize = 4;

/// A length prefix nobody may send.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(crate) enum FrameError {
    #[error("request length {0} is not positive")]
    NotPositive(i32),
    #[error("request of {length} bytes exceeds the limit of {limit}")]
    TooLarge { length: usize, limit: usize },
}

/// The memory of a large frame and its part of the budget: both are given back when nobody refers to the frame any more.
struct Reserved {
    bytes: Bytes,
    _permit: OwnedSemaphorePermit,
}

impl AsRef<[u8]> for Reserved {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

/// The unread bytes of one connection. Holds no memory between frames.
#[derive(Debug, Default)]
pub(crate) struct Input {
    buffer: BytesMut,
    reservation: Option<OwnedSemaphorePermit>,
    /// Length of the last frame: the next is probably as large.
    previous: usize,
    /// Bytes of the current frame when progress was last reported.
    reported: usize,
}

impl Input {
    /// Whether no frame has begun.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty()
    }

    /// The length of the frame that has begun, once its prefix is there.
    fn length(&self) -> Option<i32> {
        self.buffer.get(..PREFIX_BYTES).map(|mut prefix| prefix.get_i32())
    }

    fn checked_length(&self, limit: usize) -> Result<Option<usize>, FrameError> {
        let Some(length) = self.length() else { return Ok(None) };
        match usize::try_from(length) {
            Ok(0) | Err(_) => Err(FrameError::NotPositive(length)),
            Ok(length) if length > limit => Err(FrameError::TooLarge { length, limit }),
            Ok(length) => Ok(Some(length)),
        }
    }

    /// Bytes of the current frame, prefix included, that may be read for now.
    fn readable_end(&self) -> Option<usize> {
        let end = usize::try_from(self.length()?).ok()? + PREFIX_BYTES;
        Some(if self.reservation.is_some() { end } else { end.min(UNRESERVED_BYTES) })
    }

    /// How much must be reserved before reading goes on; `None` if it may go on. A claim alone reserves nothing:
    /// the first part of the frame must have come.
    pub fn wanted_reservation(&self) -> Option<usize> {
        let length = usize::try_from(self.length()?).ok()?;
        let stopped = self.buffer.len() >= UNRESERVED_BYTES && self.buffer.len() < length + PREFIX_BYTES;
        (stopped && self.reservation.is_none()).then_some(length)
    }

    pub fn reserve(&mut self, permit: OwnedSemaphorePermit) {
        self.reservation = Some(permit);
    }

    /// Takes the next whole frame.
    pub fn next_frame(&mut self, limit: usize) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = self.checked_length(limit)? else { return Ok(None) };
        let end = PREFIX_BYTES + length;
        if self.buffer.len() < end {
            return Ok(None);
        }
        let exact = self.buffer.len() == end && self.buffer.capacity() <= 2 * end;
        let bytes = if exact {
            let mut whole = std::mem::take(&mut self.buffer);
            whole.advance(PREFIX_BYTES);
            whole.freeze()
        } else if length <= SMALL_BYTES {
            let bytes = Bytes::copy_from_slice(&self.buffer[PREFIX_BYTES..end]);
            self.buffer.advance(end);
            bytes
        } else {
            // The frame keeps the buffer; the start of the next one moves out, or each would keep the other alive.
            let rest = BytesMut::from(&self.buffer[end..]);
            let mut whole = std::mem::replace(&mut self.buffer, rest);
            whole.truncate(end);
            whole.advance(PREFIX_BYTES);
            whole.freeze()
        };
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        self.previous = length;
        self.reported = 0;
        Ok(Some(match self.reservation.take() {
            Some(permit) => Bytes::from_owner(Reserved { bytes, _permit: permit }),
            None => bytes,
        }))
    }

    /// Reads once. `Ready(Ok(0))` is the end of the stream. Not to be called while a reservation is wanted.
    pub fn poll_read(
        &mut self,
        stream: &mut TcpStream,
        scratch: &mut [u8],
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        if self.buffer.is_empty() && self.previous <= SMALL_BYTES {
            let mut into = ReadBuf::new(scratch);
            ready!(Pin::new(stream).poll_read(context, &mut into))?;
            let read = into.filled();
            self.buffer = BytesMut::from(read);
            return Poll::Ready(Ok(read.len()));
        }
        // An idle connection must not take a buffer along while it waits.
        if self.buffer.is_empty() {
            ready!(stream.poll_read_ready(context))?;
        }
        let most = self.make_room();
        let spare = self.buffer.spare_capacity_mut();
        let most = most.min(spare.len());
        let mut into = ReadBuf::uninit(&mut spare[..most]);
        let polled = Pin::new(stream).poll_read(context, &mut into);
        let read = into.filled().len();
        // SAFETY: `into` wraps the spare capacity right behind the buffer's bytes and reports `read` of them initialised.
        unsafe { self.buffer.advance_mut(read) };
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        ready!(polled)?;
        Poll::Ready(Ok(read))
    }

    /// Makes room for the next read and returns how many bytes it may take.
    fn make_room(&mut self) -> usize {
        let held = self.buffer.len();
        // What this connection has proven to send, in whole pages so that slightly larger frames fit too.
        let proven = (self.previous + PREFIX_BYTES).next_multiple_of(4096);
        let (most, room) = match self.readable_end() {
            // Never beyond the end of a known frame, so that it can be handed on with its buffer. Memory follows
            // the bytes that came (doubling) or that came last time, never the claim alone.
            Some(end) => {
                let most = end.saturating_sub(held);
                (most, most.min(held.max(proven.saturating_sub(held)).max(512)))
            }
            None if held == 0 => (UNRESERVED_BYTES, proven.min(UNRESERVED_BYTES)),
            None => (512, 512),
        };
        if self.buffer.capacity() == held {
            self.buffer.reserve(room);
        }
        most
    }

    /// Whether the frame grew enough since last asked to count as progress: a sixteenth of it, so that a frame
    /// that holds a reservation cannot hold it for long.
    pub fn progressed(&mut self) -> bool {
        let length = self.length().and_then(|length| usize::try_from(length).ok()).unwrap_or(0);
        let grown = self.buffer.len() >= self.reported + PROGRESS_BYTES.max(length / 16);
        if grown {
            self.reported = self.buffer.len();
        }
        grown
    }
}
