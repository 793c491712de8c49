//! A client that sends exactly what a test says and shows exactly what comes back, one connection each.

use std::io::{Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use protocol::{Request, decode_response, encode_request};

/// A server that is silent for so long has a bug.
const PATIENCE: Duration = Duration::from_secs(30);
/// Larger than any answer to the requests of a test.
const FRAME_BYTES_MAX: usize = 256 << 20;

/// One connection.
pub struct RawClient {
    stream: TcpStream,
    client_id: String,
    next_correlation_id: i32,
}

/// What came instead of a frame.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Received<T> {
    /// A whole frame.
    Frame(T),
    /// The server closed the connection between two frames.
    Closed,
}

impl RawClient {
    /// Connects; `client_id` goes into every request header.
    pub fn connect(address: impl ToSocketAddrs, client_id: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, client_id: client_id.to_owned(), next_correlation_id: 0 })
    }

    /// Sends a request and waits for its response.
    pub fn call<R: Request>(&mut self, version: i16, request: &R) -> Result<R::Response> {
        self.send(version, request)?;
        self.receive::<R>(version)
    }

    /// Sends a request and does not wait; returns its correlation id.
    pub fn send<R: Request>(&mut self, version: i16, request: &R) -> Result<i32> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id += 1;
        let frame = encode_request(version, correlation_id, Some(&self.client_id), request)?;
        self.send_bytes(&frame.to_bytes().context("a request's records are in memory")?)?;
        Ok(correlation_id)
    }

    /// The response to the oldest request that has none yet; `R` and `version` are those of that request.
    pub fn receive<R: Request>(&mut self, version: i16) -> Result<R::Response> {
        let Received::Frame(frame) = self.receive_frame()? else {
            bail!("the server closed the connection instead of answering {} v{version}", R::NAME)
        };
        let (_, response) = decode_response::<R>(version, frame).with_context(|| R::NAME)?;
        Ok(response)
    }

    /// Sends bytes as they are, a length prefix included if there is to be one.
    pub fn send_bytes(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes)?)
    }

    /// Says that nothing more will be sent.
    pub fn finish_sending(&self) -> Result<()> {
        Ok(self.stream.shutdown(std::net::Shutdown::Write)?)
    }

    /// The next frame without its length prefix.
    pub fn receive_frame(&mut self) -> Result<Received<Bytes>> {
        let mut length = [0; 4];
        if !self.read_or_end(&mut length)? {
            return Ok(Received::Closed);
        }
        let length = usize::try_from(i32::from_be_bytes(length)).context("a negative frame length")?;
        ensure!(length <= FRAME_BYTES_MAX, "a frame of {length} bytes");
        let mut frame = vec![0; length];
        self.stream.read_exact(&mut frame).context("the connection ended within a frame")?;
        Ok(Received::Frame(frame.into()))
    }

    /// Fills the buffer, or says that the connection ended before its first byte.
    fn read_or_end(&mut self, buffer: &mut [u8]) -> Result<bool> {
        let (first, rest) = buffer.split_at_mut(1);
        loop {
            match self.stream.read(first) {
                Ok(0) => return Ok(false),
                Ok(_) => break,
                Err(error) if error.kind() == std::io::ErrorKind::Interrupted => {}
                Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset => return Ok(false),
                Err(error) => return Err(error).context("waiting for a frame"),
            }
        }
        self.stream.read_exact(rest).context("the connection ended within a length")?;
        Ok(true)
    }
}
