//! Transactions by real clients: they check for themselves, and say when the server is to be killed.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

/// Runs `command` with the server's address; it must say OK.
pub fn run(steps: &[&str], command: &[PathBuf]) -> Result<()> {
    let product = Product::under_test();
    let mut steps = steps.to_vec();
    if product == Product::Kafka {
        steps.push("kafka-server");
    }
    if !prepared::is_ready(&steps) {
        return Ok(());
    }
    let mut server = ServerProcess::start(product, &[])?;
    let (program, arguments) = command.split_first().context("a program")?;
    let mut client =
        Command::new(program).args(arguments).arg(server.bootstrap()).stdout(Stdio::piped()).spawn()?;
    let mut said = Vec::new();
    for line in BufReader::new(client.stdout.take().context("what it says")?).lines() {
        let line = line?;
        if line == "KILL" {
            server.kill()?;
            server.launch()?;
        }
        said.push(line);
    }
    let status = client.wait()?;
    let is_well = status.success() && said.last().is_some_and(|line| line == "OK");
    ensure!(is_well, "{status}: {said:#?}\n--- the server said\n{}", server.log());
    Ok(())
}
