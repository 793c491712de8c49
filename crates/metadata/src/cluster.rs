//! Registrations of brokers and controllers.

mod broker;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::Uuid;
use protocol::metadata_records::{
    BrokerRegistrationChangeRecord, MetadataRecord, RegisterBrokerRecord, RegisterControllerRecord,
    UnregisterBrokerRecord, UnregisterControllerRecord, register_controller_record,
};

pub use broker::{BrokerRegistration, Endpoint, VersionRange};

use crate::error::MetadataError;
use crate::partition::WriteOptions;

/// One controller's registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ControllerRegistration {
    /// The controller's node id.
    pub id: i32,
    /// Chosen anew at each start of the process.
    pub incarnation_id: Uuid,
    /// Kept for records of clusters that once migrated; always false today.
    pub zk_migration_ready: bool,
    /// Where it listens, by listener name.
    pub listeners: BTreeMap<String, Endpoint>,
    /// The feature levels it supports.
    pub supported_features: BTreeMap<String, VersionRange>,
}

impl ControllerRegistration {
    fn from_record(record: &RegisterControllerRecord) -> Self {
        let listener = |point: &register_controller_record::ControllerEndpoint| {
            let endpoint = Endpoint {
                host: point.host.clone(),
                port: point.port,
                security_protocol: point.security_protocol,
            };
            (point.name.clone(), endpoint)
        };
        let feature = |feature: &register_controller_record::ControllerFeature| {
            let range =
                VersionRange { min: feature.min_supported_version, max: feature.max_supported_version };
            (feature.name.clone(), range)
        };
        Self {
            id: record.controller_id,
            incarnation_id: record.incarnation_id,
            zk_migration_ready: record.zk_migration_ready,
            listeners: record.end_points.iter().map(listener).collect(),
            supported_features: record.features.iter().map(feature).collect(),
        }
    }

    fn to_record(&self) -> MetadataRecord {
        let end_point =
            |(name, endpoint): (&String, &Endpoint)| register_controller_record::ControllerEndpoint {
                name: name.clone(),
                host: endpoint.host.clone(),
                port: endpoint.port,
                security_protocol: endpoint.security_protocol,
                ..Default::default()
            };
        let feature =
            |(name, range): (&String, &VersionRange)| register_controller_record::ControllerFeature {
                name: name.clone(),
                min_supported_version: range.min,
                max_supported_version: range.max,
                ..Default::default()
            };
        MetadataRecord::RegisterController(RegisterControllerRecord {
            controller_id: self.id,
            incarnation_id: self.incarnation_id,
            zk_migration_ready: self.zk_migration_ready,
            end_points: self.listeners.iter().map(end_point).collect(),
            features: self.supported_features.iter().map(feature).collect(),
            ..Default::default()
        })
    }
}

/// Every registered broker and controller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClusterImage {
    brokers: BTreeMap<i32, Arc<BrokerRegistration>>,
    controllers: BTreeMap<i32, Arc<ControllerRegistration>>,
}

impl ClusterImage {
    /// Registered brokers by id, fenced ones included.
    pub fn brokers(&self) -> &BTreeMap<i32, Arc<BrokerRegistration>> {
        &self.brokers
    }

    /// One broker's registration.
    pub fn broker(&self, id: i32) -> Option<&BrokerRegistration> {
        self.brokers.get(&id).map(Arc::as_ref)
    }

    /// Registered controllers by id.
    pub fn controllers(&self) -> &BTreeMap<i32, Arc<ControllerRegistration>> {
        &self.controllers
    }

    /// Whether the broker is registered, unfenced and not shutting down: it may lead and be in sync.
    pub fn is_active(&self, id: i32) -> bool {
        self.broker(id).is_some_and(|broker| !broker.fenced && !broker.in_controlled_shutdown)
    }

    pub(crate) fn write(
        &self,
        options: &WriteOptions,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), MetadataError> {
        for broker in self.brokers.values() {
            records.push(broker.to_record(options)?);
        }
        if !self.controllers.is_empty() && !options.metadata_version.supports_controller_registration() {
            return Err(options.loses("registrations of controllers"));
        }
        records.extend(self.controllers.values().map(|controller| controller.to_record()));
        Ok(())
    }
}

/// Changes of registrations.
#[derive(Clone, Debug)]
pub struct ClusterDelta {
    base: ClusterImage,
    image: ClusterImage,
    changed_brokers: BTreeSet<i32>,
    changed_controllers: BTreeSet<i32>,
}

impl ClusterDelta {
    pub(crate) fn new(base: &ClusterImage) -> Self {
        Self {
            base: base.clone(),
            image: base.clone(),
            changed_brokers: BTreeSet::new(),
            changed_controllers: BTreeSet::new(),
        }
    }

    pub(crate) fn between(old: &ClusterImage, new: &ClusterImage) -> Option<Self> {
        let broker_ids = old.brokers.keys().chain(new.brokers.keys());
        let controller_ids = old.controllers.keys().chain(new.controllers.keys());
        let delta = Self {
            base: old.clone(),
            image: new.clone(),
            changed_brokers: broker_ids
                .filter(|id| old.brokers.get(id) != new.brokers.get(id))
                .copied()
                .collect(),
            changed_controllers: controller_ids
                .filter(|id| old.controllers.get(id) != new.controllers.get(id))
                .copied()
                .collect(),
        };
        (!delta.changed_brokers.is_empty() || !delta.changed_controllers.is_empty()).then_some(delta)
    }

    /// The registrations before the changes.
    pub fn base(&self) -> &ClusterImage {
        &self.base
    }

    /// The registrations after the changes.
    pub fn image(&self) -> &ClusterImage {
        &self.image
    }

    /// Brokers that registered, changed or went.
    pub fn changed_brokers(&self) -> &BTreeSet<i32> {
        &self.changed_brokers
    }

    /// Controllers that registered, changed or went.
    pub fn changed_controllers(&self) -> &BTreeSet<i32> {
        &self.changed_controllers
    }

    pub(crate) fn replay_register_broker(&mut self, record: &RegisterBrokerRecord) {
        self.image.brokers.insert(record.broker_id, Arc::new(BrokerRegistration::from_record(record)));
        self.changed_brokers.insert(record.broker_id);
    }

    pub(crate) fn replay_unregister_broker(
        &mut self,
        record: &UnregisterBrokerRecord,
    ) -> Result<(), MetadataError> {
        self.broker_mut(record.broker_id, record.broker_epoch)?;
        self.image.brokers.remove(&record.broker_id);
        self.changed_brokers.insert(record.broker_id);
        Ok(())
    }

    fn broker_mut(&mut self, id: i32, epoch: i64) -> Result<&mut BrokerRegistration, MetadataError> {
        let broker = self.image.brokers.get_mut(&id).ok_or(MetadataError::UnknownBroker(id))?;
        if broker.epoch != epoch {
            let registered = broker.epoch;
            return Err(MetadataError::WrongBrokerEpoch { broker_id: id, epoch, registered });
        }
        Ok(Arc::make_mut(broker))
    }

    pub(crate) fn replay_fenced(&mut self, id: i32, epoch: i64, fenced: bool) -> Result<(), MetadataError> {
        self.broker_mut(id, epoch)?.fenced = fenced;
        self.changed_brokers.insert(id);
        Ok(())
    }

    pub(crate) fn replay_broker_change(
        &mut self,
        record: &BrokerRegistrationChangeRecord,
    ) -> Result<(), MetadataError> {
        let broker = self.broker_mut(record.broker_id, record.broker_epoch)?;
        broker.change(record)?;
        self.changed_brokers.insert(record.broker_id);
        Ok(())
    }

    pub(crate) fn replay_register_controller(&mut self, record: &RegisterControllerRecord) {
        let registration = Arc::new(ControllerRegistration::from_record(record));
        self.image.controllers.insert(record.controller_id, registration);
        self.changed_controllers.insert(record.controller_id);
    }

    pub(crate) fn replay_unregister_controller(
        &mut self,
        record: &UnregisterControllerRecord,
    ) -> Result<(), MetadataError> {
        let id = record.controller_id;
        self.image.controllers.remove(&id).ok_or(MetadataError::UnknownController(id))?;
        self.changed_controllers.insert(id);
        Ok(())
    }
}
