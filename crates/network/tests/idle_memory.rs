//! An idle connection costs at most 4 KiB.

use std::{
    alloc::{GlobalAlloc, Layout, System},
    io::{Read, Write},
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use network::{
    ConnectionHandler, ConnectionHandlerFactory, ConnectionInfo, ListenerSettings, Outcome, Server,
    ServerSettings,
};
use protocol::{Encoded, Part};

struct Counting;

static LIVE: AtomicUsize = AtomicUsize::new(0);

// SAFETY: every call goes to the system's allocator unchanged; only sizes are counted.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        LIVE.fetch_add(layout.size(), Ordering::Relaxed);
        // SAFETY: the caller's promises are the system allocator's.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        LIVE.fetch_sub(layout.size(), Ordering::Relaxed);
        // SAFETY: as above.
        unsafe { System.dealloc(pointer, layout) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

struct Echo;

impl ConnectionHandlerFactory for Echo {
    type Handler = Echo;
    fn connected(&self, _: ConnectionInfo) -> Echo {
        Echo
    }
}

impl ConnectionHandler for Echo {
    async fn handle(&mut self, frame: Bytes) -> Outcome {
        // A large state across an await, as a real handler has.
        let ballast = [frame[0]; 16 * 1024];
        tokio::task::yield_now().await;
        assert_eq!(ballast[1], frame[0]);
        let prefix = Bytes::copy_from_slice(&(frame.len() as u32).to_be_bytes());
        Outcome::Reply(Encoded { parts: vec![Part::Bytes(prefix), Part::Bytes(frame)] })
    }
}

#[test]
fn idle_connections_are_small() {
    const CONNECTIONS: usize = 1_000;
    network::raise_descriptor_limit();
    let listeners = vec![ListenerSettings::new("PLAINTEXT", Some("127.0.0.1"), 0)];
    let mut server =
        Server::bind(ServerSettings { listeners, cores: 2, listen_backlog: 1_000, ..Default::default() })
            .unwrap();
    server.serve(Arc::new(Echo)).unwrap();
    let address = server.listeners()[0].address;
    let mut clients = Vec::with_capacity(CONNECTIONS);
    let mut connect = |size: usize| {
        let mut client = TcpStream::connect(address).unwrap();
        let mut frame = vec![7; 4 + size];
        frame[..4].copy_from_slice(&(size as u32).to_be_bytes());
        // The same large and small requests as any connection has made by the time it falls idle.
        client.write_all(&frame).unwrap();
        let mut reply = vec![0; frame.len()];
        client.read_exact(&mut reply).unwrap();
        assert_eq!(reply, frame);
        clients.push(client);
    };
    connect(300_000);
    connect(300_000);
    let before = LIVE.load(Ordering::Relaxed);
    for number in 2..CONNECTIONS {
        connect(if number % 2 == 0 { 100 } else { 300_000 });
    }
    let each = LIVE.load(Ordering::Relaxed).saturating_sub(before) / (CONNECTIONS - 2);
    println!("{each} bytes per idle connection");
    assert!(each > 0 && each <= 4096, "{each} bytes per idle connection");
}
