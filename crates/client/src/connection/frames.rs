//! Splits a stream into frames; each frame is a buffer of its own that records are slices of.

use std::io;

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

/// Read at once where no frame says how much there is.
const CHUNK_BYTES: usize = 16 * 1024;
/// Reserved at once for a frame that claims more: its bytes have to come first.
const TRUSTED_BYTES: usize = 4 * 1024 * 1024;
const LENGTH_BYTES: usize = 4;

/// Reads frames with an int32 length in front.
#[derive(Debug)]
pub(super) struct FrameReader<S> {
    stream: S,
    buffer: BytesMut,
    frame_bytes_max: usize,
}

impl<S: AsyncRead + Unpin> FrameReader<S> {
    pub(super) fn new(stream: S, frame_bytes_max: usize) -> Self {
        Self { stream, buffer: BytesMut::new(), frame_bytes_max }
    }

    /// The next frame without its length; none at a clean end. Cancelling it loses nothing.
    pub(super) async fn next(&mut self) -> io::Result<Option<Bytes>> {
        loop {
            let due = match self.buffer.first_chunk::<LENGTH_BYTES>() {
                None => CHUNK_BYTES,
                Some(prefix) => {
                    let length = self.checked_length(i32::from_be_bytes(*prefix))?;
                    let whole = LENGTH_BYTES + length;
                    if self.buffer.len() >= whole {
                        let mut frame = self.buffer.split_to(whole).freeze();
                        return Ok(Some(frame.split_off(LENGTH_BYTES)));
                    }
                    whole - self.buffer.len()
                }
            };
            let reserve = due.min(TRUSTED_BYTES.max(self.buffer.len()));
            self.buffer.reserve(reserve);
            if self.stream.read_buf(&mut self.buffer).await? == 0 {
                return match self.buffer.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    fn checked_length(&self, length: i32) -> io::Result<usize> {
        usize::try_from(length).ok().filter(|length| *length <= self.frame_bytes_max).ok_or_else(|| {
            let reason = format!("a response of {length} bytes, {} are allowed", self.frame_bytes_max);
            io::Error::new(io::ErrorKind::InvalidData, reason)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn frames_come_whole_however_they_are_cut() {
        let stream: Vec<u8> = [&[0, 0, 0, 3, 1, 2, 3, 0, 0, 0, 0, 0, 0, 0, 1, 9][..]].concat();
        for chunk in 1..stream.len() {
            let (mut near, far) = tokio::io::duplex(64);
            let bytes = stream.clone();
            let writer = tokio::spawn(async move {
                for piece in bytes.chunks(chunk) {
                    tokio::io::AsyncWriteExt::write_all(&mut near, piece).await.unwrap();
                    tokio::task::yield_now().await;
                }
            });
            let mut frames = FrameReader::new(far, 100);
            for expected in [&[1, 2, 3][..], &[], &[9]] {
                assert_eq!(frames.next().await.unwrap().unwrap(), expected);
            }
            assert!(frames.next().await.unwrap().is_none());
            writer.await.unwrap();
        }
    }

    #[tokio::test]
    async fn lengths_beyond_the_limit_and_cut_frames_are_refused() {
        for bytes in [&[0, 0, 0, 101][..], &[0xff, 0xff, 0xff, 0xff], &[0, 0, 0, 5, 1]] {
            let mut frames = FrameReader::new(bytes, 100);
            assert!(frames.next().await.is_err());
        }
    }
}
