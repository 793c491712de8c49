//! Settings of topics, brokers, groups and client metrics subscriptions that were changed while the cluster runs.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::metadata_records::{ConfigRecord, MetadataRecord};
use rpds::RedBlackTreeMapSync;

use crate::error::MetadataError;

/// What a configuration belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ConfigResourceType {
    /// A topic, by name.
    Topic = 2,
    /// A broker, by id as text; the empty name is the default of all brokers.
    Broker = 4,
    /// Log levels of a broker: answered by the broker itself, never stored.
    BrokerLogger = 8,
    /// A client metrics subscription, by name (KIP-714).
    ClientMetrics = 16,
    /// A group, by id.
    Group = 32,
}

impl ConfigResourceType {
    /// The code in records and requests.
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// The type with this code.
    pub const fn from_code(code: i8) -> Option<Self> {
        Some(match code {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            32 => Self::Group,
            _ => return None,
        })
    }
}

/// A resource that has settings.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// Its type.
    pub resource_type: ConfigResourceType,
    /// Its name; for the default of all brokers the empty string.
    pub name: String,
}

impl ConfigResource {
    /// A resource of this type and name.
    pub fn new(resource_type: ConfigResourceType, name: impl Into<String>) -> Self {
        Self { resource_type, name: name.into() }
    }

    /// A topic.
    pub fn topic(name: impl Into<String>) -> Self {
        Self::new(ConfigResourceType::Topic, name)
    }

    /// One broker.
    pub fn broker(id: i32) -> Self {
        Self::new(ConfigResourceType::Broker, id.to_string())
    }

    /// The default of all brokers.
    pub fn default_broker() -> Self {
        Self::new(ConfigResourceType::Broker, "")
    }
}

/// The settings of one resource: key to value.
pub type ResourceConfigs = BTreeMap<String, String>;

/// Every resource's settings. Resources without any are not listed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigurationsImage {
    resources: RedBlackTreeMapSync<ConfigResource, Arc<ResourceConfigs>>,
}

static NONE: ResourceConfigs = ResourceConfigs::new();

impl ConfigurationsImage {
    /// The settings of a resource; empty if it has none.
    pub fn of(&self, resource: &ConfigResource) -> &ResourceConfigs {
        self.resources.get(resource).map_or(&NONE, Arc::as_ref)
    }

    /// The settings of a topic.
    pub fn of_topic(&self, name: &str) -> &ResourceConfigs {
        self.of(&ConfigResource::topic(name))
    }

    /// Every resource that has settings, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &ResourceConfigs)> {
        self.resources.iter().map(|(resource, configs)| (resource, configs.as_ref()))
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        for (resource, configs) in self.iter() {
            for (name, value) in configs {
                records.push(MetadataRecord::Config(ConfigRecord {
                    resource_type: resource.resource_type.code(),
                    resource_name: resource.name.clone(),
                    name: name.clone(),
                    value: Some(value.clone()),
                    ..Default::default()
                }));
            }
        }
    }
}

/// Changes of settings.
#[derive(Clone, Debug)]
pub struct ConfigurationsDelta {
    base: ConfigurationsImage,
    image: ConfigurationsImage,
    changed: BTreeSet<ConfigResource>,
}

impl ConfigurationsDelta {
    pub(crate) fn new(base: &ConfigurationsImage) -> Self {
        Self { base: base.clone(), image: base.clone(), changed: BTreeSet::new() }
    }

    pub(crate) fn between(old: &ConfigurationsImage, new: &ConfigurationsImage) -> Option<Self> {
        let resources = old.resources.keys().chain(new.resources.keys());
        let changed: BTreeSet<_> =
            resources.filter(|resource| old.of(resource) != new.of(resource)).cloned().collect();
        (!changed.is_empty()).then(|| Self { base: old.clone(), image: new.clone(), changed })
    }

    /// The settings before the changes.
    pub fn base(&self) -> &ConfigurationsImage {
        &self.base
    }

    /// The settings after the changes.
    pub fn image(&self) -> &ConfigurationsImage {
        &self.image
    }

    /// Resources with a setting that was written, removed, or went with its topic.
    pub fn changed(&self) -> &BTreeSet<ConfigResource> {
        &self.changed
    }

    pub(crate) fn replay(&mut self, record: &ConfigRecord) -> Result<(), MetadataError> {
        let resource_type =
            ConfigResourceType::from_code(record.resource_type).ok_or(MetadataError::InvalidField {
                record: "ConfigRecord",
                field: "ResourceType",
                value: record.resource_type.into(),
            })?;
        let resource = ConfigResource::new(resource_type, record.resource_name.clone());
        let mut configs = self.image.of(&resource).clone();
        match &record.value {
            Some(value) => configs.insert(record.name.clone(), value.clone()),
            None => configs.remove(&record.name),
        };
        if configs.is_empty() {
            self.image.resources.remove_mut(&resource);
        } else {
            self.image.resources.insert_mut(resource.clone(), Arc::new(configs));
        }
        self.changed.insert(resource);
        Ok(())
    }

    pub(crate) fn remove_topic(&mut self, name: &str) {
        let resource = ConfigResource::topic(name);
        if self.image.resources.remove_mut(&resource) {
            self.changed.insert(resource);
        }
    }
}
