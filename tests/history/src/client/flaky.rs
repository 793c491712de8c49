//! Connections that break after some bytes, in either direction, wherever in a frame that is.

use std::io;
use std::pin::Pin;
use std::sync::Mutex;
use std::task::{Context, Poll};

use history_tests::random::Random;
use klamm_client::{BoxedStream, Connecting, Transport};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

/// So many connections in a hundred break early.
const BREAKING: u64 = 40;
const BYTES_MAX: u64 = 300_000;

/// TCP, but some connections break.
#[derive(Debug)]
pub struct FlakyTransport(Mutex<Random>);

impl FlakyTransport {
    pub fn new(random: Random) -> Self {
        FlakyTransport(Mutex::new(random))
    }
}

impl Transport for FlakyTransport {
    fn connect(&self, host: &str, port: u16) -> Connecting {
        let host = host.to_owned();
        let bytes_left = {
            let mut random = self.0.lock().expect("nobody panics with it");
            if random.chance(BREAKING) { 200 + random.below(BYTES_MAX) } else { u64::MAX }
        };
        Box::pin(async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(Flaky { stream, bytes_left }) as BoxedStream)
        })
    }
}

struct Flaky {
    stream: TcpStream,
    bytes_left: u64,
}

impl Flaky {
    fn spend(&mut self, bytes: usize) {
        self.bytes_left = self.bytes_left.saturating_sub(bytes as u64);
    }

    fn check(&self) -> io::Result<()> {
        if self.bytes_left == 0 { Err(io::ErrorKind::ConnectionReset.into()) } else { Ok(()) }
    }
}

impl AsyncRead for Flaky {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check()?;
        let before = buffer.filled().len();
        let outcome = Pin::new(&mut self.stream).poll_read(context, buffer);
        self.spend(buffer.filled().len() - before);
        outcome
    }
}

impl AsyncWrite for Flaky {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        // What is left goes out and no more: a frame may be cut anywhere.
        let length = bytes.len().min(usize::try_from(self.bytes_left).unwrap_or(usize::MAX));
        let outcome = Pin::new(&mut self.stream).poll_write(context, &bytes[..length]);
        if let Poll::Ready(Ok(written)) = &outcome {
            self.spend(*written);
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
