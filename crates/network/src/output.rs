//! Replies into a socket: byte parts by vectored writes, file regions by sendfile.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, IoSliceMut},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, ready},
};

use bytes::Buf;
use protocol::{Encoded, FileRegion, Part};
use rustix::io::{Errno, ReadWriteFlags};
use socket2::SockRef;
use tokio::{
    io::{AsyncWrite, Interest},
    net::TcpStream,
};

use crate::deadlines::Progress;

/// Slices of one vectored write.
const SLICES: usize = 64;
/// Bytes of one sendfile call: other connections of the core get their turn in between.
const REGION_BYTES: usize = 512 * 1024;
/// Distance of the pages looked at before a sendfile: the kernel reads ahead in windows of about this size.
const PROBE_STRIDE: usize = 128 * 1024;

/// Why a reply could not be written.
#[derive(Debug, thiserror::Error)]
pub(crate) enum WriteError {
    #[error(transparent)]
    Socket(#[from] io::Error),
    /// A file ended inside a length that the reply has promised already: only closing is left.
    #[error("file ends {missing} bytes before the end of a promised region")]
    ShortFile { missing: usize },
}

/// The parts not written yet, in order.
#[derive(Debug, Default)]
pub(crate) struct Output {
    parts: VecDeque<Part>,
}

impl Output {
    pub fn is_empty(&self) -> bool {
        self.parts.is_empty()
    }

    /// Whether these are fewer than `most` small parts, which may wait for others to leave with.
    pub fn holds(&self, most: usize) -> bool {
        self.parts.len() < most
            && self.parts.iter().all(|part| matches!(part, Part::Bytes(bytes) if bytes.len() <= 1024))
    }

    /// Adds a whole response frame.
    pub fn push(&mut self, reply: Encoded) {
        // An empty part would look like an end of file.
        self.parts.extend(reply.parts.into_iter().filter(|part| !part.is_empty()));
    }

    /// Writes everything; each step of the peer is reported as progress.
    pub async fn flush(&mut self, stream: &mut TcpStream, progress: &Progress) -> Result<(), WriteError> {
        while let Some(first) = self.parts.front_mut() {
            match first {
                Part::Bytes(_) => {
                    let written = self.write_bytes(stream).await?;
                    self.advance(written);
                }
                Part::Region(region) => {
                    send_region(stream, region).await?;
                    if region.length == 0 {
                        self.parts.pop_front();
                    }
                }
            }
            progress.step();
        }
        // Grown once by a large reply, it would stay with an idle connection.
        self.parts = VecDeque::new();
        Ok(())
    }

    async fn write_bytes(&self, stream: &mut TcpStream) -> io::Result<usize> {
        let leading =
            self.parts.iter().take(SLICES).take_while(|part| matches!(part, Part::Bytes(_))).count();
        if matches!(self.parts.get(leading), Some(Part::Region(_))) {
            // More follows at once: without the flag the header would leave as a packet of its own.
            return stream
                .async_io(Interest::WRITABLE, || {
                    self.with_slices(|slices| {
                        SockRef::from(&*stream).send_vectored_with_flags(slices, libc::MSG_MORE)
                    })
                })
                .await;
        }
        std::future::poll_fn(|context| self.poll_write_bytes(stream, context)).await
    }

    fn poll_write_bytes(&self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let written =
            ready!(self.with_slices(|slices| Pin::new(stream).poll_write_vectored(context, slices)))?;
        Poll::Ready(if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) })
    }

    /// The byte parts at the front as slices; on the stack, since a connection must stay small while it waits.
    fn with_slices<R>(&self, write: impl FnOnce(&[IoSlice<'_>]) -> R) -> R {
        let mut slices = [IoSlice::new(&[]); SLICES];
        let mut count = 0;
        for (slice, part) in slices.iter_mut().zip(&self.parts) {
            let Part::Bytes(bytes) = part else { break };
            *slice = IoSlice::new(bytes);
            count += 1;
        }
        write(&slices[..count])
    }

    fn advance(&mut self, mut written: usize) {
        while written > 0
            && let Some(Part::Bytes(bytes)) = self.parts.front_mut()
        {
            let step = written.min(bytes.len());
            bytes.advance(step);
            written -= step;
            if bytes.is_empty() {
                self.parts.pop_front();
            }
        }
    }
}

/// Sends the next piece of a region and moves its start.
async fn send_region(stream: &TcpStream, region: &mut FileRegion) -> Result<(), WriteError> {
    let piece = region.length.min(REGION_BYTES);
    if !resident(region, piece) {
        read_ahead(region, piece).await;
    }
    let mut position = region.position;
    let sent = stream
        .async_io(Interest::WRITABLE, || {
            Ok(rustix::fs::sendfile(stream, &*region.file, Some(&mut position), piece)?)
        })
        .await?;
    if sent == 0 {
        return Err(WriteError::ShortFile { missing: region.length });
    }
    region.position += sent as u64;
    region.length -= sent;
    Ok(())
}

/// Whether sendfile will find the pages in memory: it must not make the whole core wait for a disk.
fn resident(region: &FileRegion, piece: usize) -> bool {
    let last = piece.saturating_sub(1);
    (0..piece).step_by(PROBE_STRIDE).chain([last]).all(|offset| {
        let mut byte = [0];
        let position = region.position + offset as u64;
        let read = rustix::io::preadv2(
            &*region.file,
            &mut [IoSliceMut::new(&mut byte)],
            position,
            ReadWriteFlags::NOWAIT,
        );
        // Whatever else is wrong (no support, end of file) sendfile will meet itself.
        read != Err(Errno::AGAIN)
    })
}

/// Brings a piece into the page cache on a thread that may wait.
async fn read_ahead(region: &FileRegion, piece: usize) {
    let file = Arc::clone(&region.file);
    let position = region.position;
    let reading = tokio::task::spawn_blocking(move || {
        let mut buffer = vec![0; piece.min(PROBE_STRIDE)];
        let mut done = 0;
        while done < piece {
            let step = buffer.len().min(piece - done);
            match rustix::io::pread(&*file, &mut buffer[..step], position + done as u64) {
                Ok(0) => break,
                Ok(read) => done += read,
                Err(Errno::INTR) => {}
                // Sendfile meets the same error and reports it.
                Err(_) => break,
            }
        }
    });
    // It cannot panic, and if its runtime ends so does this task.
    let _ = reading.await;
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn cold_pages_are_brought_into_memory_first() {
        let bytes: Vec<u8> = (0..700_000).map(|at: u32| (at % 251) as u8).collect();
        let mut file = tempfile::tempfile().expect("a file");
        file.write_all(&bytes).expect("written");
        file.sync_all().expect("synced");
        rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed).expect("evicted");
        let region = FileRegion { file: Arc::new(file), position: 0, length: bytes.len() };
        if resident(&region, bytes.len()) {
            eprintln!("this file system keeps its pages: nothing to see here");
        }
        read_ahead(&region, bytes.len()).await;
        assert!(resident(&region, bytes.len()));
    }
}
