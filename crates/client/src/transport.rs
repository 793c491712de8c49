//! The seam between the protocol and the network: TCP here, TLS and SASL or a simulation in its place.

use std::fmt;
use std::io;

use futures_util::future::BoxFuture;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

/// A connected, ordered stream of bytes.
pub trait ByteStream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<S: AsyncRead + AsyncWrite + Send + Unpin> ByteStream for S {}

/// A stream of any kind.
pub type BoxedStream = Box<dyn ByteStream>;

/// An attempt to connect.
pub type Connecting = BoxFuture<'static, io::Result<BoxedStream>>;

/// Opens streams to brokers. What it yields is ready for Kafka frames: a transport that encrypts or authenticates
/// has done so before.
pub trait Transport: Send + Sync + fmt::Debug + 'static {
    /// Connects to a host by name or address.
    fn connect(&self, host: &str, port: u16) -> Connecting;
}

/// Plain TCP without delay. Every address of the host is tried in turn (`client.dns.lookup=use_all_dns_ips`).
#[derive(Clone, Copy, Debug, Default)]
pub struct TcpTransport;

impl Transport for TcpTransport {
    fn connect(&self, host: &str, port: u16) -> Connecting {
        let host = host.to_owned();
        Box::pin(async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            Ok(Box::new(stream) as BoxedStream)
        })
    }
}
