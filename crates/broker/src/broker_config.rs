//! The broker's settings in force: what it was started with and what was altered since, behind one pointer swap.

use std::sync::Arc;

use arc_swap::ArcSwap;
use config::BrokerConfig;
use metadata::{ConfigResource, ConfigurationsImage};

/// Settings that alterations of the broker's own and the default broker's configuration change while it runs.
pub struct DynamicBrokerConfig {
    node_id: i32,
    current: ArcSwap<BrokerConfig>,
}

impl DynamicBrokerConfig {
    /// The settings that the broker was started with.
    pub fn new(node_id: i32, started_with: BrokerConfig) -> Self {
        DynamicBrokerConfig { node_id, current: ArcSwap::from_pointee(started_with) }
    }

    /// The settings now.
    pub fn current(&self) -> Arc<BrokerConfig> {
        self.current.load_full()
    }

    /// Takes over what `configs` alter; returns whether anything is different now.
    pub fn alter(&self, configs: &ConfigurationsImage) -> bool {
        let before = self.current();
        let cluster = configs.of(&ConfigResource::default_broker());
        let broker = configs.of(&ConfigResource::broker(self.node_id));
        let after = before.with_altered(cluster, broker);
        let is_changed = after != *before;
        self.current.store(Arc::new(after));
        is_changed
    }
}
