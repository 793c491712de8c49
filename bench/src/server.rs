//! The servers under test: started on one core with a fresh directory, measured through /proc, stopped.

use std::fs;
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tempfile::TempDir;

use crate::connection::{Connection, check_produced, produce_frame};

/// Clock ticks in a second, as /proc counts CPU time on Linux.
const TICKS_PER_SECOND: f64 = 100.0;

/// Kafka's own start script gives these.
const KAFKA_JVM_FLAGS: [&str; 8] = [
    "-Xmx1g",
    "-Xms1g",
    "-server",
    "-XX:+UseG1GC",
    "-XX:MaxGCPauseMillis=20",
    "-XX:InitiatingHeapOccupancyPercent=35",
    "-XX:+ExplicitGCInvokesConcurrent",
    "-Djava.awt.headless=true",
];

/// Which server.
#[derive(Debug, Clone)]
pub enum Kind {
    /// Our binary, with these overrides.
    Klamm {
        /// Path of the binary.
        binary: PathBuf,
        /// `key=value`.
        overrides: Vec<String>,
    },
    /// Apache Kafka from a folder of jars.
    Kafka {
        /// The folder.
        jars: PathBuf,
    },
}

/// A running server.
pub struct Server {
    process: Child,
    /// What has started it.
    command: Command,
    /// Where it listens.
    pub address: String,
    /// From the start of the process to the first acknowledged produce.
    pub start_seconds: f64,
    directory: TempDir,
}

impl Server {
    /// Starts a server on `core` and produces one record into it.
    pub fn start(kind: &Kind, core: Option<usize>) -> Result<Self> {
        Self::start_with(kind, core, &[])
    }

    /// The same with these settings.
    pub fn start_with(kind: &Kind, core: Option<usize>, settings: &[(&str, &str)]) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let (port, controller_port) = (free_port()?, free_port()?);
        let mut command = match kind {
            Kind::Klamm { binary, overrides } => {
                let settings = settings.iter().map(|(name, value)| format!("{name}={value}"));
                let overrides: Vec<String> = overrides.iter().cloned().chain(settings).collect();
                klamm(binary, &overrides, directory.path(), port, core)
            }
            Kind::Kafka { jars } => kafka(jars, directory.path(), (port, controller_port), core, settings)?,
        };
        let log = fs::File::create(directory.path().join("server.out"))?;
        command.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log);
        let started = Instant::now();
        let process = command.spawn().with_context(|| format!("{command:?}"))?;
        let address = format!("127.0.0.1:{port}");
        let mut server = Server { process, command, address, start_seconds: 0.0, directory };
        server.produce_once(started)?;
        server.start_seconds = started.elapsed().as_secs_f64();
        Ok(server)
    }

    /// Starts the floor program; its fetches are answered with `fetch_bytes`.
    pub fn floor(appends: bool, fetch_bytes: &str, core: Option<usize>) -> Result<Self> {
        let directory = tempfile::tempdir()?;
        let address = format!("127.0.0.1:{}", free_port()?);
        let mut command = pinned(&std::env::current_exe()?, core);
        command.args(["floor", "--address", &address, "--topic", "floor", "--fetch-bytes", fetch_bytes]);
        if appends {
            command.arg("--appends");
        }
        let process = command.spawn().with_context(|| format!("{command:?}"))?;
        let server = Server { process, command, address, start_seconds: 0.0, directory };
        Connection::open(&server.address)?;
        Ok(server)
    }

    /// Stops it in good order and starts it again on the same directory; when that was.
    pub fn restart(&mut self) -> Result<Instant> {
        let id = rustix::process::Pid::from_child(&self.process);
        rustix::process::kill_process(id, rustix::process::Signal::TERM)?;
        self.process.wait()?;
        let started = Instant::now();
        self.process = self.command.spawn().with_context(|| format!("{:?}", self.command))?;
        Ok(started)
    }

    /// Kills it and starts it again on the same directory; when that was.
    pub fn kill_and_restart(&mut self) -> Result<Instant> {
        self.process.kill()?;
        self.process.wait()?;
        let started = Instant::now();
        self.process = self.command.spawn().with_context(|| format!("{:?}", self.command))?;
        Ok(started)
    }

    /// Its log directory.
    pub fn data(&self) -> PathBuf {
        let of_kafka = self.directory.path().join("data");
        if of_kafka.exists() { of_kafka } else { self.directory.path().join("klamm-data") }
    }

    fn produce_once(&mut self, started: Instant) -> Result<()> {
        let (mut frame, _) = produce_frame("start", 0, -1, 1, 100)?;
        loop {
            let attempt = Connection::open(&self.address).and_then(|mut connection| {
                connection.create_topic("start", 1, &[])?;
                connection.send(&mut frame, 1)?;
                check_produced(connection.receive()?)
            });
            if attempt.is_ok() {
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the server ended with {status}");
            }
            if started.elapsed() > Duration::from_secs(60) {
                return attempt;
            }
        }
    }

    /// CPU seconds that the process has used so far, threads that have ended included.
    pub fn cpu_seconds(&self) -> Result<f64> {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.process.id()))?;
        // Fields behind the name, which may hold spaces: user time is the 12th, system time the 13th.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
        let ticks = |index: usize| -> Result<f64> { Ok(fields.get(index).context("/proc stat")?.parse()?) };
        Ok((ticks(11)? + ticks(12)?) / TICKS_PER_SECOND)
    }

    /// CPU seconds that the threads alive have used so far, to the nanosecond.
    pub fn threads_cpu_seconds(&self) -> Result<f64> {
        let mut nanoseconds = 0.0;
        for task in fs::read_dir(format!("/proc/{}/task", self.process.id()))? {
            // A thread may end meanwhile.
            let Ok(times) = fs::read_to_string(task?.path().join("schedstat")) else { continue };
            nanoseconds += times.split_whitespace().next().context("schedstat")?.parse::<f64>()?;
        }
        Ok(nanoseconds / 1e9)
    }

    /// Resident memory in MiB.
    pub fn resident_mib(&self) -> Result<f64> {
        let status = fs::read_to_string(format!("/proc/{}/status", self.process.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
        Ok(kib / 1024.0)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended by itself; either way there is nothing left to do.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// `program` on one core only, if one is given.
pub fn pinned(program: &Path, core: Option<usize>) -> Command {
    let Some(core) = core else { return Command::new(program) };
    let mut command = Command::new("taskset");
    command.arg("-c").arg(core.to_string()).arg(program);
    command
}

fn klamm(binary: &Path, overrides: &[String], directory: &Path, port: u16, core: Option<usize>) -> Command {
    let mut command = pinned(binary, core);
    command.arg("server").current_dir(directory).env("KLAMM_LOG", "warn");
    command.arg("--override").arg(format!("listeners=PLAINTEXT://127.0.0.1:{port}"));
    for setting in overrides {
        command.arg("--override").arg(setting);
    }
    command
}

fn kafka(
    jars: &Path,
    directory: &Path,
    (port, controller_port): (u16, u16),
    core: Option<usize>,
    settings: &[(&str, &str)],
) -> Result<Command> {
    let properties = directory.join("server.properties");
    let logging = directory.join("log4j2.yaml");
    fs::write(&logging, "Configuration: {Loggers: {Root: {level: ERROR}}}\n")?;
    let settings: String = settings.iter().map(|(name, value)| format!("{name}={value}\n")).collect();
    fs::write(
        &properties,
        format!(
            "process.roles=broker,controller\nnode.id=1\ncontroller.quorum.voters=1@127.0.0.1:{controller_port}\n\
             listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller_port}\n\
             controller.listener.names=CONTROLLER\nlistener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT\n\
             log.dirs={}\noffsets.topic.replication.factor=1\ntransaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\nshare.coordinator.state.topic.replication.factor=1\n\
             share.coordinator.state.topic.min.isr=1\n{settings}",
            directory.join("data").display()
        ),
    )?;
    let classpath = format!("{}/*", jars.display());
    let logging = format!("-Dlog4j2.configurationFile={}", logging.display());
    let formatted = Command::new("java")
        .args([
            "-cp",
            &classpath,
            &logging,
            "kafka.tools.StorageTool",
            "format",
            "-t",
            "4L6g3nShT-eMCtK--X86sw",
            "-c",
        ])
        .arg(&properties)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()?;
    ensure!(formatted.success(), "Kafka's storage tool failed; are its jars in {}?", jars.display());
    let mut command = pinned(Path::new("java"), core);
    command.args(KAFKA_JVM_FLAGS).args(["-cp", &classpath, &logging, "kafka.Kafka"]).arg(properties);
    Ok(command)
}

fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}
