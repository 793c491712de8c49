//! Cordoned log directories (KIP-1066): no new replica lies there, and everybody can see it.

use std::collections::BTreeSet;
use std::thread;
use std::time::Instant;

use anyhow::{Result, ensure};
use protocol::messages::DescribeLogDirsRequest;
use testkit::calls::{alter_config, create_topic, produce};
use testkit::raw_client::RawClient;

use crate::harness::{Fixture, PATIENCE, TWO_DIRECTORIES};

const BROKER: i8 = 4;

/// Path, whether it is cordoned, and the topics in it.
fn directories(client: &mut RawClient) -> Result<Vec<(String, bool, BTreeSet<String>)>> {
    let response = client.call(5, &DescribeLogDirsRequest { topics: None, ..Default::default() })?;
    let row = |result: &protocol::messages::describe_log_dirs_response::DescribeLogDirsResult| {
        let topics = result.topics.iter().map(|topic| topic.name.clone()).collect();
        (result.log_dir.clone(), result.is_cordoned, topics)
    };
    Ok(response.results.iter().map(row).collect())
}

#[test]
fn a_cordoned_directory_gets_no_new_replicas() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "before", 4, &[])?;
    alter_config(&mut client, BROKER, "1", "cordoned.log.dirs", "/more")?;
    create_topic(&mut client, "after", 6, &[])?;
    let shown = directories(&mut client)?;
    ensure!(!shown[0].1 && shown[0].2.len() == 2, "{shown:?}");
    let before = BTreeSet::from(["before".to_owned()]);
    ensure!(shown[1] == ("/more".to_owned(), true, before), "{shown:?}");
    // Those that are there go on.
    produce(&mut client, "before", &["on"])?;

    alter_config(&mut client, BROKER, "1", "cordoned.log.dirs", "*")?;
    let deadline = Instant::now() + PATIENCE;
    let mut tried = 0;
    // The controller hears of it with the next heartbeat, which is sent at once.
    let refusal = loop {
        match create_topic(&mut client, &format!("nowhere-{tried}"), 1, &[]) {
            Err(refusal) => break refusal.to_string(),
            Ok(_) => ensure!(Instant::now() < deadline, "topics are still created"),
        }
        tried += 1;
        thread::yield_now();
    };
    ensure!(refusal.contains("have all their log directories cordoned"), "{refusal}");
    alter_config(&mut client, BROKER, "1", "cordoned.log.dirs", "/data")?;
    while create_topic(&mut client, "again", 2, &[]).is_err() {
        ensure!(Instant::now() < deadline + PATIENCE, "no topic can be created");
        thread::yield_now();
    }
    let shown = directories(&mut client)?;
    ensure!(shown[0].1 && !shown[0].2.contains("again") && shown[1].2.contains("again"), "{shown:?}");
    Ok(())
}
