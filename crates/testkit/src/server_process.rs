//! A server in a process of its own: Klamm's binary, or Apache Kafka to check the tests themselves.

use std::env;
use std::fs::{self, File};
use std::io::Write;
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};
use tempfile::TempDir;

use crate::bounded::{self, tail};
use crate::prepared;

const START_LIMIT: Duration = Duration::from_secs(60);
const STOP_LIMIT: Duration = Duration::from_secs(60);
const FORMAT_LIMIT: Duration = Duration::from_secs(60);

/// Which program serves.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Product {
    /// The binary of this workspace.
    Klamm,
    /// Apache Kafka 4.4.0, prepared by the set-up step `kafka-server`.
    Kafka,
}

impl Product {
    /// Klamm, unless `KLAMM_TEST_SERVER=kafka` asks to run a test against the original.
    pub fn under_test() -> Self {
        match env::var("KLAMM_TEST_SERVER").as_deref() {
            Ok("kafka") => Product::Kafka,
            _ => Product::Klamm,
        }
    }
}

/// A single node on 127.0.0.1 with a data folder that vanishes with it.
pub struct ServerProcess {
    product: Product,
    folder: TempDir,
    port: u16,
    child: Option<Child>,
}

impl ServerProcess {
    /// Starts the product with these configuration keys and waits until it accepts connections.
    pub fn start(product: Product, configuration: &[(&str, &str)]) -> Result<Self> {
        let mut server = Self::stopped(product, configuration)?;
        server.launch()?;
        Ok(server)
    }

    /// Prepares the folder and the configuration file, but starts nothing yet.
    pub fn stopped(product: Product, configuration: &[(&str, &str)]) -> Result<Self> {
        let folder = tempfile::Builder::new().prefix("klamm-test-").tempdir()?;
        let port = free_port()?;
        // Those of `log.dirs` lie in the server's own folder; `data` is the first of them.
        let (directories, configuration): (Vec<_>, Vec<_>) =
            configuration.iter().partition(|(key, _)| *key == "log.dirs");
        let directories = directories.first().map_or("data", |(_, names)| *names).split(',');
        let directories: Vec<_> =
            directories.map(|name| folder.path().join(name).display().to_string()).collect();
        let mut text = format!("node.id=1\nlog.dirs={}\n", directories.join(","));
        match product {
            Product::Klamm => text += &klamm_configuration(port),
            Product::Kafka => text += &kafka_configuration(port, free_port()?),
        }
        text += "group.initial.rebalance.delay.ms=0\n";
        for (key, value) in configuration {
            text += &format!("{key}={value}\n");
        }
        fs::write(folder.path().join("server.properties"), text)?;
        let server = Self { product, folder, port, child: None };
        if product == Product::Kafka {
            server.format()?;
        }
        Ok(server)
    }

    /// Another product on the same folder, with the same configuration file; it must not run.
    pub fn hand_to(&mut self, product: Product) -> Result<()> {
        ensure!(self.child.is_none(), "it runs");
        self.product = product;
        Ok(())
    }

    /// The configuration file.
    pub fn properties(&self) -> PathBuf {
        self.folder.path().join("server.properties")
    }

    /// `host:port` for clients.
    pub fn bootstrap(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// The port that clients connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The log directory.
    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The process id while it runs.
    pub fn id(&self) -> Option<u32> {
        self.child.as_ref().map(Child::id)
    }

    /// Starts it, again if need be, on the same port and folder.
    pub fn launch(&mut self) -> Result<()> {
        self.begin_launch()?;
        let deadline = Instant::now() + START_LIMIT;
        while !self.answers() {
            let child = self.child.as_mut().context("it was started")?;
            if let Some(status) = child.try_wait()? {
                self.child = None;
                bail!("the server ended with {status}: {}", self.log());
            }
            if Instant::now() > deadline {
                self.kill()?;
                bail!("the server does not answer after {START_LIMIT:?}: {}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Starts it as [`Self::launch`] does, but does not wait until it answers.
    pub fn begin_launch(&mut self) -> Result<()> {
        ensure!(self.child.is_none(), "it runs already");
        let mut command = self.command();
        let log = File::options().create(true).append(true).open(self.log_path())?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
        unsafe {
            command.pre_exec(|| {
                set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from)
            });
        }
        self.child = Some(command.spawn().with_context(|| format!("cannot start {command:?}"))?);
        Ok(())
    }

    /// Kill -9: nothing can be tidied up.
    pub fn kill(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        child.kill()?;
        child.wait()?;
        Ok(())
    }

    /// A clean stop, with its time limit.
    pub fn stop(&mut self) -> Result<()> {
        let mut child = self.child.take().context("it does not run")?;
        kill_process(Pid::from_child(&child), Signal::TERM)?;
        let deadline = Instant::now() + STOP_LIMIT;
        while child.try_wait()?.is_none() {
            if Instant::now() > deadline {
                child.kill()?;
                child.wait()?;
                bail!("the server does not stop within {STOP_LIMIT:?}: {}", self.log());
            }
            thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// The end of what the server has logged.
    pub fn log(&self) -> String {
        tail(&String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default())).to_owned()
    }

    /// Everything the server has logged.
    pub fn whole_log(&self) -> String {
        String::from_utf8_lossy(&fs::read(self.log_path()).unwrap_or_default()).into_owned()
    }

    fn log_path(&self) -> PathBuf {
        self.folder.path().join("server.log")
    }

    /// Whether a request gets an answer: Kafka listens some time before it serves.
    fn answers(&self) -> bool {
        // ApiVersions, version 0, correlation id 0, client id null.
        const API_VERSIONS: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 0, 0xff, 0xff];
        let Ok(mut connection) = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)) else { return false };
        let patience = Some(Duration::from_secs(5));
        let mut size = [0; 4];
        connection.set_read_timeout(patience).is_ok()
            && connection.write_all(&API_VERSIONS).is_ok()
            && std::io::Read::read_exact(&mut connection, &mut size).is_ok()
    }

    fn command(&self) -> Command {
        match self.product {
            Product::Klamm => {
                let mut command = Command::new(klamm_binary());
                command.arg("server").arg(self.properties()).current_dir(self.folder.path());
                command
            }
            Product::Kafka => {
                let mut command = kafka_program(self.folder.path(), "-Xmx512m");
                command.arg("kafka.Kafka").arg(self.properties());
                command
            }
        }
    }

    fn format(&self) -> Result<()> {
        fs::write(self.folder.path().join("log4j2.yaml"), LOG4J)?;
        let mut command = kafka_program(self.folder.path(), "-Xmx128m");
        command.args(["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]).arg(self.properties());
        bounded::output(&mut command, b"", FORMAT_LIMIT).context("kafka-storage format")?;
        Ok(())
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

const CLUSTER_ID: &str = "4L6g3nShT-eMCtK--X86sw";

const LOG4J: &str = "Configuration:\n  Appenders: {Console: {name: C, PatternLayout: {pattern: \"%d %p %m (%c)%n\"}}}\n  \
                     Loggers: {Root: {level: INFO, AppenderRef: {ref: C}}}\n";

/// What stands in for a properties file where there is none, and the listener.
fn klamm_configuration(port: u16) -> String {
    format!(
        "process.roles=broker,controller\ncontroller.listener.names=CONTROLLER\n\
         listeners=PLAINTEXT://127.0.0.1:{port}\noffsets.topic.replication.factor=1\n\
         transaction.state.log.replication.factor=1\ntransaction.state.log.min.isr=1\n\
         share.coordinator.state.topic.replication.factor=1\nshare.coordinator.state.topic.min.isr=1\n"
    )
}

fn kafka_configuration(port: u16, controller_port: u16) -> String {
    format!(
        "process.roles=broker,controller\ncontroller.quorum.voters=1@127.0.0.1:{controller_port}\n\
         listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
         advertised.listeners=PLAINTEXT://127.0.0.1:{port}\ninter.broker.listener.name=PLAINTEXT\n\
         controller.listener.names=CONTROLLER\n\
         listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
         offsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
         transaction.state.log.min.isr=1\nshare.coordinator.state.topic.replication.factor=1\n\
         share.coordinator.state.topic.min.isr=1\n"
    )
}

fn kafka_program(folder: &Path, heap: &str) -> Command {
    let mut command = Command::new("java");
    command.arg(heap).arg("-cp").arg(prepared::folder().join("kafka-4.4.0/*"));
    command.arg(format!("-Dlog4j2.configurationFile={}", folder.join("log4j2.yaml").display()));
    command
}

/// `KLAMM_BINARY`, or the one that cargo has put beside the test programs.
pub fn klamm_binary() -> PathBuf {
    if let Some(path) = env::var_os("KLAMM_BINARY") {
        return PathBuf::from(path);
    }
    let test_program = env::current_exe().expect("a running program has a path");
    let folder = test_program.ancestors().nth(2).expect("test programs lie in target/debug/deps");
    folder.join("klamm")
}

/// A port below the range that outgoing connections use, so that a server can come back to it.
fn free_port() -> Result<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    const FIRST: u32 = 12_000;
    const COUNT: u32 = 18_000;
    for _ in 0..COUNT {
        let step = u32::from(NEXT.fetch_add(1, Ordering::Relaxed));
        let port = FIRST + (std::process::id().wrapping_mul(61).wrapping_add(step)) % COUNT;
        let port = u16::try_from(port)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no free port")
}
