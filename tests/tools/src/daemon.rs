//! `kafka-server-start -daemon` and `kafka-server-stop`, under the names that scripts call.

use std::fs;
use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::{Command, Output};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use crate::recorded::player::{our_binary, our_tool};

const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with the links and a server's file, whose server ends with it.
struct Installation {
    folder: tempfile::TempDir,
    node_id: String,
    port: u16,
}

impl Installation {
    fn new() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        // No other server of this machine has this id: stopping by id stops this one alone.
        let node_id = (1_000_000_000 + u64::from(std::process::id())).to_string();
        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        for name in ["kafka-server-start.sh", "kafka-server-stop.sh"] {
            symlink(our_binary()?, folder.path().join(name))?;
        }
        let properties = format!(
            "process.roles=broker,controller\nnode.id={node_id}\ncontroller.listener.names=CONTROLLER\n\
             listeners=PLAINTEXT://127.0.0.1:1\nlog.dirs={}\n",
            folder.path().join("data").display()
        );
        fs::write(folder.path().join("server.properties"), properties)?;
        Ok(Self { folder, node_id, port })
    }

    fn run(&self, name: &str, arguments: &[&str]) -> Result<Output> {
        let mut command = Command::new(self.folder.path().join(name));
        command.current_dir(self.folder.path()).env("LOG_DIR", "out").args(arguments);
        command.output().with_context(|| format!("{command:?}"))
    }

    fn stop(&self) -> Result<Output> {
        self.run("kafka-server-stop.sh", &["--node-id", &self.node_id])
    }

    fn topics(&self) -> Result<bool> {
        let bootstrap = format!("127.0.0.1:{}", self.port);
        let words = ["topics", "--bootstrap-server", &bootstrap, "--list"].map(str::to_owned);
        Ok(our_tool(&words, "")?.exit == 0)
    }
}

impl Drop for Installation {
    fn drop(&mut self) {
        // It may be stopped already.
        let _ = self.stop();
    }
}

fn wait(what: &str, folder: &Path, mut done: impl FnMut() -> Result<bool>) -> Result<()> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > deadline {
            let log = fs::read_to_string(folder.join("out/kafkaServer.out")).unwrap_or_default();
            bail!("{what}: {log}");
        }
        std::thread::park_timeout(Duration::from_millis(20));
    }
    Ok(())
}

#[test]
fn a_daemon_starts_serves_and_stops() -> Result<()> {
    let installed = Installation::new()?;
    let nothing = installed.stop()?;
    ensure!(nothing.status.code() == Some(1), "{nothing:?}");
    ensure!(String::from_utf8_lossy(&nothing.stdout).starts_with("No kafka server to stop"), "{nothing:?}");

    let listeners = format!("listeners=PLAINTEXT://127.0.0.1:{}", installed.port);
    let begun = Instant::now();
    let started = installed
        .run("kafka-server-start.sh", &["-daemon", "server.properties", "--override", &listeners])?;
    ensure!(started.status.success() && started.stdout.is_empty(), "{started:?}");
    ensure!(begun.elapsed() < Duration::from_secs(10), "the shell was kept for {:?}", begun.elapsed());
    let folder = installed.folder.path();
    // Asking a server that is not there yet takes the tool a minute: the line in its log comes first.
    let log = folder.join("out/kafkaServer.out");
    wait("it does not start", folder, || {
        Ok(fs::read_to_string(&log).unwrap_or_default().contains("listening listener=PLAINTEXT"))
    })?;
    ensure!(installed.topics()?, "topics cannot be listed");

    // Another role is not its own, and a broker is one of its roles.
    let other = installed.run("kafka-server-stop.sh", &["--process-role", "nonsense"])?;
    ensure!(other.status.code() == Some(1), "{other:?}");
    let stopped = installed.stop()?;
    ensure!(stopped.status.success(), "{stopped:?}");
    let address = (Ipv4Addr::LOCALHOST, installed.port);
    wait("it does not stop", folder, || Ok(TcpListener::bind(address).is_ok()))?;
    wait("it does not end", folder, || Ok(installed.stop()?.status.code() == Some(1)))?;
    Ok(())
}

#[test]
fn a_server_without_a_file_is_a_mistake() -> Result<()> {
    let installed = Installation::new()?;
    let refused = installed.run("kafka-server-start.sh", &[])?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    ensure!(String::from_utf8_lossy(&refused.stderr).contains("USAGE: "), "{refused:?}");
    let refused = installed.run("kafka-server-start.sh", &["missing.properties"])?;
    ensure!(refused.status.code() == Some(1), "{refused:?}");
    Ok(())
}
