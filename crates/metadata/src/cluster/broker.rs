//! One broker's registration: where it listens, what it supports, whether it may serve.

use std::collections::BTreeMap;

use protocol::Uuid;
use protocol::metadata_records::{
    BrokerRegistrationChangeRecord, MetadataRecord, RegisterBrokerRecord, register_broker_record,
};

use crate::directory_id;
use crate::error::MetadataError;
use crate::partition::WriteOptions;

/// Where a node listens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// Kafka's code of the security protocol: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT, 3 SASL_SSL.
    pub security_protocol: i16,
}

/// Levels of a feature, both ends included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct VersionRange {
    /// The lowest level.
    pub min: i16,
    /// The highest level.
    pub max: i16,
}

impl VersionRange {
    /// Whether the level lies in the range.
    pub const fn contains(self, level: i16) -> bool {
        self.min <= level && level <= self.max
    }
}

/// One broker's registration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BrokerRegistration {
    /// The broker's node id.
    pub id: i32,
    /// The offset of the record that registered this incarnation.
    pub epoch: i64,
    /// Chosen anew at each start of the process.
    pub incarnation_id: Uuid,
    /// Kept for records of clusters that once migrated; always false today.
    pub is_migrating_zk_broker: bool,
    /// Where clients reach it, by listener name.
    pub listeners: BTreeMap<String, Endpoint>,
    /// The feature levels it supports.
    pub supported_features: BTreeMap<String, VersionRange>,
    /// The rack it stands in.
    pub rack: Option<String>,
    /// It may not lead nor be in sync, and clients do not see it.
    pub fenced: bool,
    /// It is handing over what it leads, before it stops.
    pub in_controlled_shutdown: bool,
    /// Its online log directories, sorted.
    pub directories: Vec<Uuid>,
    /// Log directories that take no new replicas (KIP-1066), sorted.
    pub cordoned_directories: Vec<Uuid>,
}

fn sorted(ids: &[Uuid]) -> Vec<Uuid> {
    let mut ids = ids.to_vec();
    ids.sort_unstable();
    ids
}

impl BrokerRegistration {
    pub(super) fn from_record(record: &RegisterBrokerRecord) -> Self {
        let listener = |point: &register_broker_record::BrokerEndpoint| {
            let endpoint = Endpoint {
                host: point.host.clone(),
                port: point.port,
                security_protocol: point.security_protocol,
            };
            (point.name.clone(), endpoint)
        };
        let feature = |feature: &register_broker_record::BrokerFeature| {
            let range =
                VersionRange { min: feature.min_supported_version, max: feature.max_supported_version };
            (feature.name.clone(), range)
        };
        Self {
            id: record.broker_id,
            epoch: record.broker_epoch,
            incarnation_id: record.incarnation_id,
            is_migrating_zk_broker: record.is_migrating_zk_broker,
            listeners: record.end_points.iter().map(listener).collect(),
            supported_features: record.features.iter().map(feature).collect(),
            rack: record.rack.clone(),
            fenced: record.fenced,
            in_controlled_shutdown: record.in_controlled_shutdown,
            directories: sorted(&record.log_dirs),
            cordoned_directories: sorted(record.cordoned_log_dirs.as_deref().unwrap_or_default()),
        }
    }

    pub(super) fn to_record(&self, options: &WriteOptions) -> Result<MetadataRecord, MetadataError> {
        let version = options.metadata_version;
        if !self.directories.is_empty() && !version.supports_directory_assignment() {
            return Err(options.loses("log directories of brokers"));
        }
        if !self.cordoned_directories.is_empty() && !version.supports_cordoned_log_dirs() {
            return Err(options.loses("cordoned log directories of brokers"));
        }
        let end_point = |(name, endpoint): (&String, &Endpoint)| register_broker_record::BrokerEndpoint {
            name: name.clone(),
            host: endpoint.host.clone(),
            port: endpoint.port,
            security_protocol: endpoint.security_protocol,
            ..Default::default()
        };
        let feature = |(name, range): (&String, &VersionRange)| register_broker_record::BrokerFeature {
            name: name.clone(),
            min_supported_version: range.min,
            max_supported_version: range.max,
            ..Default::default()
        };
        Ok(MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            broker_id: self.id,
            is_migrating_zk_broker: self.is_migrating_zk_broker,
            incarnation_id: self.incarnation_id,
            broker_epoch: self.epoch,
            end_points: self.listeners.iter().map(end_point).collect(),
            features: self.supported_features.iter().map(feature).collect(),
            rack: self.rack.clone(),
            fenced: self.fenced,
            in_controlled_shutdown: self.in_controlled_shutdown,
            log_dirs: self.directories.clone(),
            cordoned_log_dirs: (!self.cordoned_directories.is_empty())
                .then(|| self.cordoned_directories.clone()),
            ..Default::default()
        }))
    }

    pub(super) fn change(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<(), MetadataError> {
        const NAME: &str = "BrokerRegistrationChangeRecord";
        let invalid =
            |field, value: i8| MetadataError::InvalidField { record: NAME, field, value: value.into() };
        self.fenced = match record.fenced {
            0 => self.fenced,
            1 => true,
            -1 => false,
            other => return Err(invalid("Fenced", other)),
        };
        self.in_controlled_shutdown = match record.in_controlled_shutdown {
            0 => self.in_controlled_shutdown,
            1 => true,
            other => return Err(invalid("InControlledShutdown", other)),
        };
        if !record.log_dirs.is_empty() {
            self.directories = sorted(&record.log_dirs);
        }
        if let Some(cordoned) = &record.cordoned_log_dirs {
            self.cordoned_directories = sorted(cordoned);
        }
        Ok(())
    }

    /// Whether a replica in this directory can be served. Unassigned and unknown directories count as online, and
    /// so does every directory of a broker that registered none (KIP-858).
    pub fn has_online_directory(&self, directory: Uuid) -> bool {
        match directory {
            directory_id::UNASSIGNED | directory_id::MIGRATING => true,
            directory_id::LOST => false,
            _ => self.directories.is_empty() || self.directories.binary_search(&directory).is_ok(),
        }
    }

    /// Whether new replicas can be placed here (KIP-1066).
    pub fn has_uncordoned_directory(&self) -> bool {
        self.directories.is_empty()
            || self.directories.iter().any(|id| self.cordoned_directories.binary_search(id).is_err())
    }
}
