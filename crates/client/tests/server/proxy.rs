//! A network that cuts, delays, splits and stalls connections, and lets the answers of one overtake those of another.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use klamm_client::{BoxedStream, Connecting, Jitter, Transport};
use parking_lot::Mutex;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

const CHUNK_BYTES: usize = 16 * 1024;

/// Stands between clients and one server, on an address of its own.
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    server: String,
    is_troubled: AtomicBool,
    chance: Mutex<Jitter>,
    cuts: Mutex<u32>,
}

impl Shared {
    fn below(&self, bound: u64) -> u64 {
        self.chance.lock().below(bound)
    }

    fn one_in(&self, chances: u64) -> bool {
        self.is_troubled.load(Ordering::Relaxed) && self.below(chances) == 0
    }
}

impl Proxy {
    pub async fn start(server: &str, seed: u64) -> Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared {
            server: server.to_owned(),
            is_troubled: AtomicBool::new(true),
            chance: Mutex::new(Jitter::new(seed)),
            cuts: Mutex::new(0),
        });
        let task = tokio::spawn({
            let shared = Arc::clone(&shared);
            async move {
                while let Ok((client, _)) = listener.accept().await {
                    tokio::spawn(carry(Arc::clone(&shared), client));
                }
            }
        });
        Ok(Self { address, shared, task })
    }

    /// Leads every connection of a client through the proxy, whatever address the server advertises.
    pub fn transport(&self) -> Arc<dyn Transport> {
        Arc::new(Through(self.address))
    }

    /// From now on everything goes through as it comes. How many connections were cut before.
    pub fn heal(&self) -> u32 {
        self.shared.is_troubled.store(false, Ordering::Relaxed);
        *self.shared.cuts.lock()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Debug)]
struct Through(SocketAddr);

impl Transport for Through {
    fn connect(&self, _host: &str, _port: u16) -> Connecting {
        let address = self.0;
        Box::pin(async move { Ok(Box::new(TcpStream::connect(address).await?) as BoxedStream) })
    }
}

/// One connection: both directions, until one ends or it is cut.
async fn carry(shared: Arc<Shared>, client: TcpStream) {
    if shared.one_in(10) {
        *shared.cuts.lock() += 1;
        return;
    }
    let Ok(server) = TcpStream::connect(&shared.server).await else { return };
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // What a connection's answers lag behind those of the others.
    let lag_ms = if shared.one_in(2) { shared.below(60) } else { 0 };
    let lifetime_ms = if shared.one_in(2) { 50 + shared.below(1_500) } else { 3_600_000 };
    tokio::select! {
        _ = pump(&shared, from_client, to_server, 0) => {}
        _ = pump(&shared, from_server, to_client, lag_ms) => {}
        () = tokio::time::sleep(Duration::from_millis(lifetime_ms)) => *shared.cuts.lock() += 1,
    }
}

async fn pump(
    shared: &Shared,
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    lag_ms: u64,
) -> io::Result<()> {
    let mut buffer = vec![0; CHUNK_BYTES];
    loop {
        let length = from.read(&mut buffer).await?;
        if length == 0 {
            return Ok(());
        }
        let mut wait_ms = if shared.one_in(3) { lag_ms + shared.below(15) } else { 0 };
        if shared.one_in(150) {
            // Longer than a request may take.
            wait_ms += 1_500;
        }
        if wait_ms > 0 {
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
        }
        let piece = if shared.one_in(4) { 1 + shared.below(100) as usize } else { length };
        for (index, part) in buffer[..length].chunks(piece).enumerate() {
            to.write_all(part).await?;
            to.flush().await?;
            if index > 0 && shared.one_in(400) {
                // In the midst of a frame.
                *shared.cuts.lock() += 1;
                return Ok(());
            }
        }
    }
}
