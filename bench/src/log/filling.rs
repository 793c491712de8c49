//! Topics filled up to a size, their settings altered, and what of them lies on disk.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use protocol::messages::IncrementalAlterConfigsRequest;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use rustix::fs::{Advice, fadvise};

use super::Turn;
use crate::connection::{Connection, batch, check_produced, keyed_batch, produce_frame_of};

pub const MIB: usize = 1024 * 1024;
const BATCH_BYTES: usize = 512 * 1024;
const RECORD_BYTES: usize = 1_000;
const PATIENCE: Duration = Duration::from_secs(120);
/// Produces under way.
const DEPTH: usize = 4;
/// Keys of a compacted topic.
const KEYS: u64 = 50_000;
const TOPIC: i8 = 2;
const SET: i8 = 0;

impl Turn<'_> {
    /// Creates a topic and waits until each partition takes records: Apache Kafka names leaders that do not lead yet.
    pub fn create(&self, topic: &str, partitions: i32, configs: &[(&str, &str)]) -> Result<()> {
        let mut connection = self.connect()?;
        connection.create_topic(topic, partitions, configs)?;
        let deadline = Instant::now() + PATIENCE;
        for partition in 0..partitions {
            let mut frame = produce_frame_of(topic, partition, 1, keyed_batch(1, 100, || 0))?;
            loop {
                connection.send(&mut frame, 1)?;
                match check_produced(connection.receive()?) {
                    Ok(()) => break,
                    Err(error) if Instant::now() > deadline => return Err(error),
                    Err(_) => thread::sleep(Duration::from_millis(5)),
                }
            }
        }
        Ok(())
    }

    /// Writes so many MiB into the partitions of `topic` in turn.
    pub fn fill(&self, topic: &str, partitions: i32, mib: usize) -> Result<()> {
        let bytes = BATCH_BYTES.min((mib * MIB / usize::try_from(partitions)?).max(RECORD_BYTES));
        let batch = batch(bytes, RECORD_BYTES).0;
        let count = (mib * MIB).div_ceil(batch.len());
        let partition = (0..partitions).cycle();
        self.send_all(partition.take(count).map(|index| produce_frame_of(topic, index, 1, batch.clone())))
    }

    /// Writes so many MiB of records with keys that come back again and again.
    pub fn fill_keyed(&self, topic: &str, mib: usize) -> Result<()> {
        let mut next_key = 0;
        let count = mib * MIB / BATCH_BYTES;
        self.send_all((0..count).map(|_| {
            let batch = keyed_batch(BATCH_BYTES, RECORD_BYTES, || {
                next_key = (next_key + 1) % KEYS;
                next_key
            });
            produce_frame_of(topic, 0, 1, batch)
        }))
    }

    fn send_all(&self, frames: impl Iterator<Item = Result<Vec<u8>>>) -> Result<()> {
        let mut connection = self.connect()?;
        let mut under_way = 0;
        for frame in frames {
            connection.send(&mut frame?, 1)?;
            under_way += 1;
            if under_way == DEPTH {
                check_produced(connection.receive()?)?;
                under_way -= 1;
            }
        }
        for _ in 0..under_way {
            check_produced(connection.receive()?)?;
        }
        Ok(())
    }

    /// Sets a topic's setting.
    pub fn set(&self, topic: &str, name: &str, value: &str) -> Result<()> {
        let config = AlterableConfig {
            name: name.to_owned(),
            config_operation: SET,
            value: Some(value.to_owned()),
            ..Default::default()
        };
        let resource = AlterConfigsResource {
            resource_type: TOPIC,
            resource_name: topic.to_owned(),
            configs: vec![config],
            ..Default::default()
        };
        let request = IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() };
        let mut connection: Connection = self.connect()?;
        for answer in connection.call(1, &request)?.responses {
            ensure!(answer.error_code == 0, "{name} of {topic}: {:?}", answer.error_message);
        }
        Ok(())
    }

    /// The segments of a topic that are in use.
    pub fn segments(&self, topic: &str) -> Result<Vec<PathBuf>> {
        let mut found = Vec::new();
        for partition in fs::read_dir(self.server.data())?.flatten() {
            let name = partition.file_name().to_string_lossy().into_owned();
            if name.rsplit_once('-').is_some_and(|(of, _)| of == topic) {
                let files = fs::read_dir(partition.path())?.flatten().map(|entry| entry.path());
                found.extend(files.filter(|path| path.extension().is_some_and(|ending| ending == "log")));
            }
        }
        Ok(found)
    }

    /// MiB of a topic's segments.
    pub fn size_mib(&self, topic: &str) -> Result<f64> {
        // A file may go meanwhile.
        let size = |path: &PathBuf| fs::metadata(path).map_or(0, |metadata| metadata.len());
        Ok(self.segments(topic)?.iter().map(size).sum::<u64>() as f64 / MIB as f64)
    }
}

/// Drops a file from the page cache.
pub fn forget(path: &Path) -> Result<()> {
    let file = File::open(path)?;
    file.sync_all()?;
    fadvise(&file, 0, None, Advice::DontNeed)?;
    Ok(())
}
