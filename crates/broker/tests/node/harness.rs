//! What the tests of a node share.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use protocol::messages::MetadataRequest;
use protocol::messages::metadata_request::MetadataRequestTopic;
use storage::disk::SimDisk;
use testkit::gated_disk::GatedDisk;
use testkit::in_process_node::InProcessNode;
use testkit::raw_client::RawClient;

/// The metadata log lies in the first directory; the first topic's log goes to the second, which holds fewer.
pub const TWO_DIRECTORIES: (&str, &str) = ("log.dirs", "/data,/more");

/// Long enough for anything that is going to happen.
pub const PATIENCE: Duration = Duration::from_secs(20);
/// How long something is watched that must not happen.
pub const MOMENT: Duration = Duration::from_millis(200);

/// `ENOSPC` and `EIO` as Linux numbers them.
pub const NO_SPACE: i32 = 28;
/// See [`NO_SPACE`].
pub const IO_ERROR: i32 = 5;

/// A node on a simulated disk, with a gate for its syncs.
pub struct Fixture {
    pub sim: SimDisk,
    pub gate: GatedDisk,
    pub node: InProcessNode,
}

impl Fixture {
    pub fn start(configuration: &[(&str, &str)]) -> Result<Self> {
        Self::start_on(SimDisk::new(), configuration)
    }

    pub fn start_on(sim: SimDisk, configuration: &[(&str, &str)]) -> Result<Self> {
        let gate = GatedDisk::new(Arc::new(sim.clone()));
        let node = InProcessNode::start(Arc::new(gate.clone()), configuration)?;
        Ok(Fixture { sim, gate, node })
    }

    pub fn client(&self) -> Result<RawClient> {
        self.node.client()
    }
}

/// The leader epoch of partition 0.
pub fn leader_epoch(client: &mut RawClient, topic: &str) -> Result<i32> {
    let named = MetadataRequestTopic { name: Some(topic.to_owned()), ..Default::default() };
    let response = client.call(12, &MetadataRequest { topics: Some(vec![named]), ..Default::default() })?;
    let topic = response.topics.first().context("the topic asked for")?;
    Ok(topic.partitions.first().context("its first partition")?.leader_epoch)
}
