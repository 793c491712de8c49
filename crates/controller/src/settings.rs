//! What the controller of this node was started with.

use config::BrokerConfig;
use protocol::metadata_records::MetadataRecord;

use crate::features::SupportedFeature;

/// Fixed for the life of the process; what administrators change while it runs lies in the image.
#[derive(Clone, Debug)]
pub struct ControllerSettings {
    /// This node's id.
    pub node_id: i32,
    /// The cluster's id, as in `meta.properties`.
    pub cluster_id: String,
    /// The ids of the metadata quorum's voters.
    pub quorum_node_ids: Vec<i32>,
    /// The feature levels this build supports; see [`crate::features::SUPPORTED`].
    pub supported_features: &'static [SupportedFeature],
    /// The node's configuration as it was started: `default.replication.factor`, `num.partitions`, defaults of
    /// topics and the intervals of periodic tasks come from here.
    pub config: BrokerConfig,
}

impl ControllerSettings {
    pub(crate) fn session_timeout_ms(&self) -> i64 {
        self.config.node.broker_session_timeout_ms.into()
    }
}

/// The engine: requests and the image in, records and answers out. It keeps no state of its own.
///
/// The image given to each call must contain every record decided so far, committed or not: decisions build on each
/// other.
#[derive(Clone, Debug)]
pub struct Controller {
    pub(crate) settings: ControllerSettings,
    /// The first records of a new cluster, if a directory was formatted with some.
    pub(crate) bootstrap: Option<Vec<MetadataRecord>>,
}

impl Controller {
    /// An engine with these settings.
    pub fn new(settings: ControllerSettings) -> Self {
        Self { settings, bootstrap: None }
    }

    /// The same, which begins a new cluster with these records (`kafka-storage format`) instead of the features that this
    /// build completes.
    #[must_use]
    pub fn with_bootstrap(mut self, records: Option<Vec<MetadataRecord>>) -> Self {
        self.bootstrap = records;
        self
    }

    /// What it was started with.
    pub fn settings(&self) -> &ControllerSettings {
        &self.settings
    }
}
