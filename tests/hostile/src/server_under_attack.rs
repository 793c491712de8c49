//! The server, a good client beside its attackers, and the bounds that must hold whatever they do.

use std::fs;
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use testkit::calls::{create_topic, fetch, produce};
use testkit::raw_client::RawClient;
use testkit::server_process::{Product, ServerProcess};

/// A quiet or slow connection is closed after this time.
pub const IDLE: Duration = Duration::from_millis(2_000);
/// How long a change in the server may take to be seen.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// The good client's answers take less than this, whatever happens beside it.
const ANSWER_LIMIT: Duration = Duration::from_secs(5);
/// What attacks may add to the server's memory: far above what they do add, far below what they ask for.
const GROWTH_LIMIT_BYTES: u64 = 256 << 20;

/// A running server with a good client.
pub struct ServerUnderAttack {
    server: ServerProcess,
    memory_before: u64,
    stop: Arc<AtomicBool>,
    rounds: Arc<AtomicU64>,
    good_client: Option<JoinHandle<Result<Duration>>>,
}

impl ServerUnderAttack {
    /// Starts the server and the good client, which produces and reads back until [`Self::end`].
    pub fn start() -> Result<Self> {
        raise_descriptor_limit()?;
        let idle_ms = IDLE.as_millis().to_string();
        let server = ServerProcess::start(
            Product::Klamm,
            &[
                ("connections.max.idle.ms", idle_ms.as_str()),
                ("auto.create.topics.enable", "false"),
                ("offsets.topic.num.partitions", "2"),
                ("klamm.cores", "2"),
                // Attackers come faster than Kafka's default of 50 lets in; a dropped one tries again only after a second.
                ("socket.listen.backlog.size", "4096"),
            ],
        )?;
        let mut client = RawClient::connect(server.bootstrap(), "good")?;
        create_topic(&mut client, "good", 1, &[])?;
        let (stop, rounds) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let good_client = {
            let (stop, rounds) = (stop.clone(), rounds.clone());
            thread::spawn(move || be_good(client, &stop, &rounds))
        };
        let mut started = Self { server, memory_before: 0, stop, rounds, good_client: Some(good_client) };
        started.good_client_goes_on()?;
        started.memory_before = started.memory()?;
        Ok(started)
    }

    /// `host:port`.
    pub fn address(&self) -> String {
        self.server.bootstrap()
    }

    /// A connection without any manners yet.
    pub fn connect(&self) -> Result<TcpStream> {
        let stream = TcpStream::connect(self.address())?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(stream)
    }

    /// A client that speaks the protocol.
    pub fn client(&self) -> Result<RawClient> {
        RawClient::connect(self.address(), "test")
    }

    /// Waits for further answers to the good client; they prove that the server is there for others.
    pub fn good_client_goes_on(&self) -> Result<()> {
        let before = self.rounds.load(Ordering::Relaxed);
        let deadline = Instant::now() + PATIENCE;
        while self.rounds.load(Ordering::Relaxed) < before + 3 {
            ensure!(Instant::now() < deadline, "the good client has no answers: {}", self.server.log());
            ensure!(
                self.good_client.as_ref().is_some_and(|client| !client.is_finished()),
                "the good client has failed"
            );
            thread::yield_now();
        }
        Ok(())
    }

    /// Waits until the log has `count` lines that contain `text`, and makes sure that it has no more.
    pub fn log_lines(&self, text: &str, count: usize) -> Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.server.whole_log().lines().filter(|line| line.contains(text)).count();
            ensure!(found <= count, "{found} lines instead of {count} with {text:?}: {}", self.server.log());
            if found == count {
                return Ok(());
            }
            ensure!(
                Instant::now() < deadline,
                "{found} lines of {count} with {text:?}: {}",
                self.server.log()
            );
            thread::yield_now();
        }
    }

    /// Fails if the server takes more memory than attacks may add.
    pub fn memory_is_bounded(&self) -> Result<()> {
        let growth = self.memory()?.saturating_sub(self.memory_before);
        ensure!(growth <= GROWTH_LIMIT_BYTES, "the server has grown by {} MiB", growth >> 20);
        Ok(())
    }

    /// Bytes of memory that the server has held at once at most.
    fn memory(&self) -> Result<u64> {
        let id = self.server.id().context("the server runs")?;
        let status = fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).context("VmHWM")?;
        let kibibytes: u64 = line.trim().trim_end_matches(" kB").parse()?;
        Ok(kibibytes << 10)
    }

    /// Ends the good client, who must have had its answers in time, and the server, which must not have panicked.
    pub fn end(mut self) -> Result<()> {
        self.good_client_goes_on()?;
        self.memory_is_bounded()?;
        self.stop.store(true, Ordering::Relaxed);
        let good_client = self.good_client.take().context("ended twice")?;
        let slowest = good_client.join().expect("the good client does not panic")?;
        ensure!(slowest < ANSWER_LIMIT, "an answer took {slowest:?}");
        let log = self.server.whole_log();
        ensure!(!log.contains("panicked"), "{}", self.server.log());
        self.server.stop()
    }
}

/// Produces one record and reads it back, again and again; returns the time of the slowest round.
fn be_good(mut client: RawClient, stop: &AtomicBool, rounds: &AtomicU64) -> Result<Duration> {
    let mut slowest = Duration::ZERO;
    while !stop.load(Ordering::Relaxed) {
        let begun = Instant::now();
        let value = format!("record {}", rounds.load(Ordering::Relaxed));
        let offset = produce(&mut client, "good", &[&value])?;
        let (error, values) = fetch(&mut client, "good", offset)?;
        ensure!(values == [value], "{error:?}: {values:?}");
        slowest = slowest.max(begun.elapsed());
        rounds.fetch_add(1, Ordering::Relaxed);
    }
    Ok(slowest)
}

fn raise_descriptor_limit() -> Result<()> {
    let Rlimit { maximum, .. } = getrlimit(Resource::Nofile);
    Ok(setrlimit(Resource::Nofile, Rlimit { current: maximum, maximum })?)
}
