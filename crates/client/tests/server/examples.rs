//! The programs in `examples/` do what their first lines say.

use std::path::PathBuf;

use anyhow::{Context, Result, ensure};
use futures_util::FutureExt;

use crate::scenario::{Bench, Scenario};

pub const SCENARIOS: &[Scenario] = &[Scenario {
    name: "the examples run",
    needs: &[klamm_client::protocol::ApiKey::JoinGroup],
    run: |bench| examples(bench).boxed_local(),
}];

/// Where cargo puts examples: beside the folder of this test. `cargo test` builds them unless it is told which target.
fn example(name: &str) -> Result<Option<PathBuf>> {
    let this = std::env::current_exe()?;
    let path = this.parent().and_then(|deps| deps.parent()).context("it lies in deps")?;
    let path = path.join("examples").join(name);
    if !path.exists() {
        ensure!(std::env::var("CI").as_deref() != Ok("true"), "{} is not built", path.display());
        println!("note: skipped: {} is not built", path.display());
        return Ok(None);
    }
    Ok(Some(path))
}

async fn examples(bench: Bench) -> Result<()> {
    let topic = bench.topic("", 2).await?;
    for (name, arguments) in [("produce", vec![]), ("consume", vec!["examples"])] {
        let Some(program) = example(name)? else { return Ok(()) };
        let output = tokio::process::Command::new(program)
            .args([&bench.bootstrap, &topic])
            .args(arguments)
            .output()
            .await?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        ensure!(output.status.success(), "{name}: {}", String::from_utf8_lossy(&output.stderr));
        ensure!(text.lines().count() == 100, "{name} printed:\n{text}");
        ensure!(text.lines().all(|line| line.starts_with(&topic)), "{name} printed:\n{text}");
    }
    Ok(())
}
