//! A node in the test's own process, on a disk of the test's choice.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use broker::{Clock, Node, NodeSeams, SystemClock};
use config::{BrokerConfig, LaunchSources, VariableSource};
use storage::disk::Disk;
use tokio::runtime::Runtime;

use crate::raw_client::RawClient;

/// Where the node keeps its data on the disk that it is given.
pub const DATA: &str = "/data";

/// A running node. Dropping it is a crash as far as its disk is concerned.
pub struct InProcessNode {
    runtime: Runtime,
    node: Node,
}

impl InProcessNode {
    /// Starts a node on `disk`, with its data in [`DATA`], on a free port of 127.0.0.1. Groups do not wait for more members.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub fn start(disk: Arc<dyn Disk>, configuration: &[(&str, &str)]) -> Result<Self> {
        Self::start_at(disk, Arc::new(SystemClock), configuration)
    }

    /// As [`Self::start`], by a clock of the test's own.
    ///
    /// # Errors
    /// Whatever keeps it from starting.
    pub fn start_at(
        disk: Arc<dyn Disk>,
        clock: Arc<dyn Clock>,
        configuration: &[(&str, &str)],
    ) -> Result<Self> {
        let fixed = [
            ("listeners", "PLAINTEXT://127.0.0.1:0"),
            ("log.dirs", DATA),
            ("klamm.cores", "2"),
            ("group.initial.rebalance.delay.ms", "0"),
            ("offsets.topic.num.partitions", "2"),
        ];
        let settings = fixed.iter().chain(configuration);
        let overrides = settings.map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let sources = LaunchSources { overrides, ..LaunchSources::default() };
        let settings = BrokerConfig::from_properties(&config::launch::merge(&sources, &NoVariables)?)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let seams = NodeSeams { disk, clock };
        let node = runtime.block_on(Node::start_on(settings, seams))?;
        Ok(InProcessNode { runtime, node })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.node.listeners()[0].address.port()).into()
    }

    /// A new connection.
    ///
    /// # Errors
    /// It cannot be had.
    pub fn client(&self) -> Result<RawClient> {
        RawClient::connect(self.address(), "test")
    }

    /// Why the node cannot go on; an error if it could after `patience`.
    ///
    /// # Errors
    /// It goes on.
    pub fn failed(&self, patience: Duration) -> Result<String> {
        let failed = async { tokio::time::timeout(patience, self.node.failed()).await };
        self.runtime.block_on(failed).context("the node goes on")
    }

    /// Stops it cleanly.
    ///
    /// # Errors
    /// What kept it from being clean.
    pub fn stop(self) -> Result<()> {
        Ok(self.runtime.block_on(self.node.stop())?)
    }
}

struct NoVariables;

impl VariableSource for NoVariables {
    fn environment(&self, _name: &str) -> Option<String> {
        None
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        Err(format!("a test has no {path}"))
    }
}
