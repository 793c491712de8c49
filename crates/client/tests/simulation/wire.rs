//! Connections to simulated brokers: refused, slow, cut by chance, with answers in pieces.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use klamm_client::protocol::ApiKey;
use klamm_client::{BoxedStream, Connecting, Transport};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf};
use tokio::time::Sleep;

use crate::broker;
use crate::cluster::Cluster;

const PIPE_BYTES: usize = 64 * 1024;

/// Leads to the brokers of one cluster: host `b0` is broker 0.
pub struct SimulatedNetwork(pub Arc<Cluster>);

impl std::fmt::Debug for SimulatedNetwork {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str("SimulatedNetwork")
    }
}

impl Transport for SimulatedNetwork {
    fn connect(&self, host: &str, _port: u16) -> Connecting {
        let (cluster, host) = (Arc::clone(&self.0), host.to_owned());
        Box::pin(async move {
            let broker: i32 = host.trim_start_matches('b').parse().map_err(|_| io::ErrorKind::NotFound)?;
            let (wait_ms, is_refused, lifetime) = {
                let mut state = cluster.state.lock();
                let is_refused = state.down.contains(&broker) || state.one_in(12);
                let wait_ms = state.chance.below(5);
                let lifetime = state.one_in(3).then(|| Duration::from_millis(20 + state.chance.below(3_000)));
                (wait_ms, is_refused, lifetime)
            };
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            if is_refused {
                return Err(io::ErrorKind::ConnectionRefused.into());
            }
            let (near, far) = tokio::io::duplex(PIPE_BYTES);
            tokio::spawn(serve(cluster, broker, far));
            let ends = lifetime.map(|lifetime| Box::pin(tokio::time::sleep(lifetime)));
            Ok(Box::new(Mortal { stream: near, ends }) as BoxedStream)
        })
    }
}

/// A stream that may be reset at some time: the broker still reads what was written to it before.
struct Mortal {
    stream: DuplexStream,
    ends: Option<Pin<Box<Sleep>>>,
}

impl AsyncRead for Mortal {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.ends.as_mut().is_some_and(|ends| ends.as_mut().poll(context).is_ready()) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl AsyncWrite for Mortal {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

/// A connection's whole life on the broker's side.
async fn serve(cluster: Arc<Cluster>, broker: i32, stream: DuplexStream) {
    let mut cuts = cluster.cuts[broker.unsigned_abs() as usize].subscribe();
    tokio::select! {
        biased;
        _ = cuts.changed() => {}
        // An end of the stream, however it comes.
        _ = serve_all(&cluster, broker, stream) => {}
    }
}

async fn serve_all(cluster: &Arc<Cluster>, broker: i32, mut stream: DuplexStream) -> io::Result<()> {
    loop {
        while cluster.state.lock().is_silent {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        let length = usize::try_from(stream.read_i32().await?).map_err(|_| io::ErrorKind::InvalidData)?;
        let mut frame = vec![0; length];
        stream.read_exact(&mut frame).await?;
        while cluster.state.lock().is_silent {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        // One that is given up and comes late would fence the producer that asked again: in Kafka, too, nobody can tell
        // it from a newer producer's.
        let may_be_late = !frame.starts_with(&ApiKey::InitProducerId.as_i16().to_be_bytes());
        let wait_ms = {
            let mut state = cluster.state.lock();
            match may_be_late && state.one_in(60) {
                // Longer than a request may take.
                true => 4_000,
                false => state.chance.below(6),
            }
        };
        tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        let answer = broker::answer(cluster, broker, Bytes::from(frame)).await;
        let Some(answer) = answer else { continue };
        let pieces = {
            let mut state = cluster.state.lock();
            if state.one_in(25) {
                return Ok(());
            }
            state.one_in(4).then(|| 1 + state.chance.below(40) as usize)
        };
        match pieces {
            None => stream.write_all(&answer).await?,
            Some(size) => {
                for piece in answer.chunks(size) {
                    stream.write_all(piece).await?;
                    tokio::task::yield_now().await;
                }
            }
        }
    }
}
