//! Frames out of a socket: a 4-byte length, then so many bytes; no memory is taken on the word of a length.

use std::{
    io::{self, IoSliceMut},
    task::{Context, Poll, ready},
};

use bytes::{Buf, BufMut, Bytes, BytesMut};
use tokio::{io::Interest, net::TcpStream, sync::OwnedSemaphorePermit};

use crate::receive_buffers::{RECEIVE_BYTES, ReceiveBuffers};

/// A frame is read so far without asking anybody: 64 KiB and the trimmings of a request that carries so much.
pub(crate) const UNRESERVED_BYTES: usize = 68 * 1024;
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
    /// In memory of this connection's own: as a rule the beginning of one frame.
    buffer: BytesMut,
    /// What came behind that, in a buffer that the core lends.
    arrived: Bytes,
    /// Whether that buffer is still the core's.
    is_lent: bool,
    reservation: Option<OwnedSemaphorePermit>,
    /// Length of the last frame: the next is probably as large.
    previous: usize,
    /// Bytes of the current frame when progress was last reported.
    reported: usize,
}

impl Input {
    /// Whether no frame has begun.
    pub fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.arrived.is_empty()
    }

    fn unread(&self) -> &[u8] {
        if self.buffer.is_empty() { &self.arrived } else { &self.buffer }
    }

    /// The length of the frame that has begun, once its prefix is there.
    fn length(&self) -> Option<i32> {
        self.unread().get(..PREFIX_BYTES).map(|mut prefix| prefix.get_i32())
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
        let held = self.unread().len();
        let stopped = held >= UNRESERVED_BYTES && held < length + PREFIX_BYTES;
        (stopped && self.reservation.is_none()).then_some(length)
    }

    pub fn reserve(&mut self, permit: OwnedSemaphorePermit) {
        self.reservation = Some(permit);
    }

    /// The next frame, without its length, if the whole of it is there.
    pub fn peek(&self, limit: usize) -> Option<&[u8]> {
        let length = self.checked_length(limit).ok()??;
        self.unread().get(PREFIX_BYTES..PREFIX_BYTES + length)
    }

    /// Takes the next whole frame. Only one that `may_share` memory with its neighbours is handed on where it lies: keeping a
    /// piece of it keeps all that came with it.
    pub fn next_frame(
        &mut self,
        limit: usize,
        may_share: impl FnOnce(&[u8]) -> bool,
    ) -> Result<Option<Bytes>, FrameError> {
        let Some(length) = self.checked_length(limit)? else {
            self.gather();
            return Ok(None);
        };
        let end = PREFIX_BYTES + length;
        if self.unread().len() < end {
            if self.gather() {
                return self.next_frame(limit, may_share);
            }
            return Ok(None);
        }
        let bytes = if !self.buffer.is_empty() {
            self.take_from_buffer(end)
        } else {
            let mut frame = self.arrived.split_to(end);
            frame.advance(PREFIX_BYTES);
            if may_share(&frame) { frame } else { Bytes::copy_from_slice(&frame) }
        };
        self.previous = length;
        self.reported = 0;
        Ok(Some(match self.reservation.take() {
            Some(permit) => Bytes::from_owner(Reserved { bytes, _permit: permit }),
            None => bytes,
        }))
    }

    fn take_from_buffer(&mut self, end: usize) -> Bytes {
        let exact = self.buffer.len() == end && self.buffer.capacity() <= 2 * end;
        let bytes = if exact {
            let mut whole = std::mem::take(&mut self.buffer);
            whole.advance(PREFIX_BYTES);
            whole.freeze()
        } else {
            let bytes = Bytes::copy_from_slice(&self.buffer[PREFIX_BYTES..end]);
            self.buffer.advance(end);
            bytes
        };
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        bytes
    }

    /// Moves the beginning of a frame into memory of its own; whether the buffer has grown by what came behind it.
    fn gather(&mut self) -> bool {
        let arrived = std::mem::take(&mut self.arrived);
        if arrived.is_empty() {
            return false;
        }
        let had_begun = !self.buffer.is_empty();
        if !had_begun {
            let mut prefix = arrived.clone();
            let end =
                prefix.try_get_i32().map_or(0, |length| usize::try_from(length).unwrap_or(0) + PREFIX_BYTES);
            self.buffer.reserve(end.min(self.proven().max(2 * arrived.len())).max(arrived.len()));
        }
        self.buffer.extend_from_slice(&arrived);
        had_begun
    }

    /// Gives the core its buffer back, since the handler of an earlier frame may wait for long.
    pub fn give_back(&mut self) {
        // Once for all frames that are in it: a copy for each would cost the square of their number.
        if std::mem::take(&mut self.is_lent) && !self.arrived.is_empty() {
            self.arrived = Bytes::copy_from_slice(&self.arrived);
        }
    }

    /// Reads once. `Ready(Ok(0))` is the end of the stream. Not to be called while a reservation is wanted.
    pub fn poll_read(
        &mut self,
        stream: &TcpStream,
        buffers: &ReceiveBuffers,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        loop {
            // An idle connection must not take a buffer along while it waits.
            ready!(stream.poll_read_ready(context))?;
            let read = self.read(stream, buffers);
            if !matches!(&read, Err(error) if error.kind() == io::ErrorKind::WouldBlock) {
                return Poll::Ready(read);
            }
        }
    }

    fn read(&mut self, stream: &TcpStream, buffers: &ReceiveBuffers) -> io::Result<usize> {
        self.gather();
        let held = self.buffer.len();
        let (own, completes) = if held == 0 { (0, true) } else { self.room() };
        if !completes {
            return self.read_on(stream, own);
        }
        self.buffer.resize(held + own, 0);
        let mut lent = buffers.take();
        // Who sends large frames proves each anew before much is read without a reservation.
        let most = if self.previous > UNRESERVED_BYTES { UNRESERVED_BYTES } else { RECEIVE_BYTES };
        let parts = &mut [IoSliceMut::new(&mut self.buffer[held..]), IoSliceMut::new(&mut lent[..most])];
        let read = read_once(stream, own + most, || Ok(rustix::io::readv(stream, parts)?));
        let read_bytes = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(held + read_bytes.min(own));
        if self.buffer.is_empty() {
            self.buffer = BytesMut::new();
        }
        if read_bytes > own {
            self.arrived = buffers.lend(lent, read_bytes - own);
            self.is_lent = true;
        } else {
            buffers.give_back(lent);
        }
        read
    }

    /// Reads up to `most` bytes more of a frame that has begun.
    fn read_on(&mut self, stream: &TcpStream, most: usize) -> io::Result<usize> {
        self.buffer.reserve(most);
        let spare = self.buffer.spare_capacity_mut();
        let read = read_once(stream, most, || Ok(rustix::io::read(stream, &mut spare[..most])?.0.len()))?;
        // SAFETY: so many bytes of the spare capacity, right behind the buffer's own, have just been written.
        unsafe { self.buffer.advance_mut(read) };
        Ok(read)
    }

    /// What this connection has proven to send, in whole pages so that slightly larger frames fit too.
    fn proven(&self) -> usize {
        (self.previous + PREFIX_BYTES).next_multiple_of(4096)
    }

    /// How many bytes the next read may add to the frame that has begun, and whether they complete it. Memory follows the bytes
    /// that came (doubling) or that came last time, never the claim alone.
    fn room(&self) -> (usize, bool) {
        let held = self.buffer.len();
        match self.readable_end() {
            Some(end) => {
                let most = end.saturating_sub(held);
                let room = most.min(held.max(self.proven().saturating_sub(held)).max(512));
                (room, room == most && self.reservation.is_none() && end < UNRESERVED_BYTES)
            }
            None => (512, false),
        }
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

/// One read with room for `room` bytes. If it leaves room it has taken all there was: the stream counts as not readable then
/// until more comes, without a further call that says so.
fn read_once(stream: &TcpStream, room: usize, read: impl FnOnce() -> io::Result<usize>) -> io::Result<usize> {
    let mut drained = None;
    let outcome = stream.try_io(Interest::READABLE, || {
        let read = read()?;
        if read > 0 && read < room {
            drained = Some(read);
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(read)
    });
    drained.map_or(outcome, Ok)
}
