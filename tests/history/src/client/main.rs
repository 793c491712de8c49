//! One process of clients for a live run: producers, transactions, relays and readers, each recorded as a sequential process.
//!
//! It works until its standard input ends; being killed or stopped meanwhile is what it is for.

mod flaky;
mod reader;
mod relay;
mod site;
mod writer;

use std::io::Read;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use history_tests::history::Isolation;

use site::Site;

/// Sequential producers over one `Producer`.
const WRITERS: u32 = 8;
const TRANSACTORS: u32 = 3;
/// What a client that ends leaves behind is waited for so long.
const CLOSE_LIMIT: Duration = Duration::from_secs(10);

fn main() -> Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    ensure!(arguments.len() == 5, "address, slot, incarnation, seed and history file are due");
    let number = |index: usize| arguments[index].parse::<u64>().with_context(|| arguments[index].clone());
    let site = Site::new(
        &arguments[0],
        u32::try_from(number(1)?)?,
        u32::try_from(number(2)?)?,
        number(3)?,
        arguments[4].as_ref(),
    )?;
    let site = Arc::new(site);
    let watcher = Arc::clone(&site);
    std::thread::spawn(move || {
        // Nothing is ever sent; it ends.
        let _ = std::io::stdin().read(&mut [0]);
        watcher.is_over.store(true, Ordering::Release);
    });
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let outcome = runtime.block_on(work(site));
    runtime.shutdown_timeout(CLOSE_LIMIT);
    outcome
}

async fn work(site: Arc<Site>) -> Result<()> {
    let mut tasks = tokio::task::JoinSet::new();
    let producer = Arc::new(writer::shared_producer(&site).await?);
    for index in 0..WRITERS {
        tasks.spawn(writer::write(Arc::clone(&site), Arc::clone(&producer), index));
    }
    for index in 0..TRANSACTORS {
        tasks.spawn(writer::transact(Arc::clone(&site), WRITERS + index));
    }
    let next = WRITERS + TRANSACTORS;
    let isolation = if site.slot.is_multiple_of(2) { Isolation::Committed } else { Isolation::Uncommitted };
    tasks.spawn(reader::assign(Arc::clone(&site), next, isolation));
    tasks.spawn(reader::follow(Arc::clone(&site), next + 1));
    tasks.spawn(relay::relay(Arc::clone(&site), next + 2));
    while let Some(ended) = tasks.join_next().await {
        ended??;
    }
    Ok(())
}
