//! A server whose handler does what the first byte of a frame says, and a client that speaks to it.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::{Arc, Mutex, OnceLock, mpsc},
    time::Duration,
};

use bytes::Bytes;
use network::{
    Close, ConnectionHandler, ConnectionHandlerFactory, ConnectionInfo, ListenerSettings, Outcome, Server,
    ServerSettings,
};
use protocol::{Encoded, FileRegion, Part};
use tokio::sync::oneshot;

/// Long enough for a busy machine, short enough for a test that hangs.
pub const PATIENCE: Duration = Duration::from_secs(30);

pub struct Fixture {
    pub server: Server,
    pub shared: Arc<Shared>,
    pub handled: mpsc::Receiver<u8>,
    pub address: SocketAddr,
}

#[derive(Default)]
pub struct Shared {
    replies: Mutex<HashMap<u8, oneshot::Sender<Result<Encoded, Close>>>>,
    pub connections: Mutex<Vec<ConnectionInfo>>,
    pub region: Mutex<Option<FileRegion>>,
    pub unauthenticated: std::sync::atomic::AtomicBool,
}

impl Shared {
    /// Lets the pending request `id` be answered with its own id.
    pub fn answer(&self, id: u8) {
        self.finish(id, Ok(reply(&[id])));
    }

    pub fn finish(&self, id: u8, result: Result<Encoded, Close>) {
        let sender = self.replies.lock().unwrap().remove(&id).expect("the request is pending");
        let _ = sender.send(result);
    }
}

impl Fixture {
    pub fn start(adjust: impl FnOnce(&mut ServerSettings)) -> Self {
        logged();
        let mut settings = ServerSettings {
            listeners: vec![ListenerSettings::new("PLAINTEXT", Some("127.0.0.1"), 0)],
            cores: 2,
            ..Default::default()
        };
        adjust(&mut settings);
        let mut server = Server::bind(settings).unwrap();
        let (sender, handled) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        server.serve(Arc::new(Factory { shared: shared.clone(), handled: sender })).unwrap();
        let address = server.listeners()[0].address;
        Self { server, shared, handled, address }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    /// The number of the next request that a handler has taken.
    pub fn next_handled(&self) -> u8 {
        self.handled.recv_timeout(PATIENCE).expect("a request is handled")
    }

    pub fn wait_for_connections(&self, count: usize) {
        let start = std::time::Instant::now();
        while self.server.connection_count() != count {
            assert!(start.elapsed() < PATIENCE, "{} connections", self.server.connection_count());
            std::thread::yield_now();
        }
    }
}

struct Factory {
    shared: Arc<Shared>,
    handled: mpsc::Sender<u8>,
}

impl ConnectionHandlerFactory for Factory {
    type Handler = Handler;

    fn connected(&self, info: ConnectionInfo) -> Handler {
        assert_eq!(network::current_core(), Some(info.core));
        self.shared.connections.lock().unwrap().push(info);
        Handler { shared: self.shared.clone(), handled: self.handled.clone(), greeted: false }
    }
}

struct Handler {
    shared: Arc<Shared>,
    handled: mpsc::Sender<u8>,
    greeted: bool,
}

impl ConnectionHandler for Handler {
    async fn handle(&mut self, frame: Bytes) -> Outcome {
        let argument = frame.get(1).copied().unwrap_or_default();
        match frame[0] {
            b'e' | b'j' | b'J' => Outcome::Reply(reply(&frame[1..])),
            b'l' => Outcome::Reply(reply(&(frame.len() as u64).to_be_bytes())),
            b'n' => {
                self.handled.send(argument).unwrap();
                Outcome::None
            }
            b'c' => Outcome::Close(Close::new(format!("asked to close {argument}"))),
            b'p' => panic!("told to panic {argument}"),
            b'g' => {
                self.greeted = true;
                Outcome::Reply(reply(b"welcome"))
            }
            b'r' => {
                let region = self.shared.region.lock().unwrap().clone().expect("a region is set");
                let length = 4 + region.length + frame.len() - 1;
                let head = [&(length as u32).to_be_bytes(), b"head".as_slice()].concat();
                let parts =
                    vec![Part::Bytes(Bytes::from(head)), Part::Region(region), Part::Bytes(frame.slice(1..))];
                Outcome::Reply(Encoded { parts })
            }
            // The handler itself waits, as that of a long poll does.
            b's' => {
                let (sender, receiver) = oneshot::channel();
                self.shared.replies.lock().unwrap().insert(argument, sender);
                self.handled.send(argument).unwrap();
                receiver.await.unwrap().map_or_else(Outcome::Close, Outcome::Reply)
            }
            // It waits, too, but has taken from the frame what it needs.
            b'd' => {
                drop(frame);
                let (sender, receiver) = oneshot::channel();
                self.shared.replies.lock().unwrap().insert(argument, sender);
                self.handled.send(argument).unwrap();
                receiver.await.unwrap().map_or_else(Outcome::Close, Outcome::Reply)
            }
            // Pending: 'a' admits the next request, 'w' does not; 'o' does not overtake either.
            kind => {
                let (sender, receiver) = oneshot::channel();
                self.shared.replies.lock().unwrap().insert(argument, sender);
                self.handled.send(argument).unwrap();
                let keep = frame.clone();
                let reply = Box::pin(async move {
                    let _keep = keep;
                    receiver.await.unwrap_or_else(|_| Err(Close::new("forgotten")))
                });
                Outcome::Pending { reply, admits_next: kind == b'a' }
            }
        }
    }

    /// 'j' joins its like and says how many they were; 'J' joins, but then has to be handled alone.
    fn joins(&self, frame: &[u8]) -> bool {
        frame.starts_with(b"j") || frame.starts_with(b"J")
    }

    fn handle_together(&mut self, frames: &[Bytes]) -> Option<Vec<Outcome>> {
        let count = frames.len() as u8;
        let outcome = |frame: &Bytes| match &frame[1..] {
            b"close" => Outcome::Close(Close::new("asked to close together")),
            b"none" => Outcome::None,
            rest => Outcome::Reply(reply(&[&[count], rest].concat())),
        };
        frames.iter().map(|frame| frame.starts_with(b"j").then(|| outcome(frame))).collect()
    }

    fn may_overtake(&self, frame: &[u8]) -> bool {
        !frame.starts_with(b"o")
    }

    fn authenticated(&self) -> bool {
        self.greeted || !self.shared.unauthenticated.load(std::sync::atomic::Ordering::Relaxed)
    }
}

pub fn reply(bytes: &[u8]) -> Encoded {
    Encoded { parts: vec![Part::Bytes(Bytes::from(framed(bytes)))] }
}

pub struct Client(pub TcpStream);

impl Client {
    pub fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self(stream)
    }

    pub fn send(&mut self, frame: &[u8]) {
        self.0.write_all(&framed(frame)).unwrap();
    }

    pub fn receive(&mut self) -> Vec<u8> {
        self.try_receive().expect("a reply")
    }

    pub fn try_receive(&mut self) -> io::Result<Vec<u8>> {
        let mut prefix = [0; 4];
        self.0.read_exact(&mut prefix)?;
        let mut reply = vec![0; u32::from_be_bytes(prefix) as usize];
        self.0.read_exact(&mut reply)?;
        Ok(reply)
    }

    pub fn call(&mut self, frame: &[u8]) -> Vec<u8> {
        self.send(frame);
        self.receive()
    }

    /// The server closes without another byte.
    pub fn expect_close(&mut self) {
        let mut byte = [0];
        match self.0.read(&mut byte) {
            Ok(0) => {}
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            other => panic!("expected the connection to close, got {other:?}"),
        }
    }

    pub fn local(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }
}

pub fn framed(frame: &[u8]) -> Vec<u8> {
    let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
    bytes.extend_from_slice(frame);
    bytes
}

/// Bytes that show any shift or loss.
pub fn pattern(length: usize) -> Vec<u8> {
    (0..length).map(|at| (at.wrapping_mul(31) ^ (at >> 8)) as u8).collect()
}

/// Everything logged at warn or above by this process.
fn logged() -> &'static Arc<Mutex<Vec<u8>>> {
    static LOG: OnceLock<Arc<Mutex<Vec<u8>>>> = OnceLock::new();
    LOG.get_or_init(|| {
        struct Sink(Arc<Mutex<Vec<u8>>>);
        impl Write for Sink {
            fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
                self.0.lock().unwrap().extend_from_slice(bytes);
                Ok(bytes.len())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        let log = Arc::new(Mutex::new(Vec::new()));
        let sink = log.clone();
        tracing_subscriber::fmt()
            .with_max_level(tracing_subscriber::filter::LevelFilter::WARN)
            .with_ansi(false)
            .with_writer(move || Sink(sink.clone()))
            .init();
        log
    })
}

/// The log lines about the connection from `peer`.
pub fn log_lines(peer: SocketAddr) -> Vec<String> {
    let log = String::from_utf8(logged().lock().unwrap().clone()).unwrap();
    log.lines().filter(|line| line.contains(&format!("peer={peer}"))).map(str::to_owned).collect()
}
