//! The whole of a cluster's metadata at one point of the metadata log.

use std::sync::Arc;

use protocol::metadata_records::MetadataRecord;

use crate::acls::AclsImage;
use crate::client_quotas::ClientQuotasImage;
use crate::cluster::ClusterImage;
use crate::configs::ConfigurationsImage;
use crate::delegation_tokens::DelegationTokensImage;
use crate::error::MetadataError;
use crate::features::FeaturesImage;
use crate::metadata_version::MetadataVersion;
use crate::partition::WriteOptions;
use crate::producer_ids::ProducerIdsImage;
use crate::provenance::Provenance;
use crate::scram::ScramImage;
use crate::topics::TopicsImage;

/// The feature that lets partitions have eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS_FEATURE: &str = "eligible.leader.replicas.version";

/// An immutable value: a clone costs a few reference counts, a new image shares what did not change.
#[derive(Clone, Debug, PartialEq)]
pub struct MetadataImage {
    /// Where in the log this image stands.
    pub provenance: Provenance,
    /// Finalised feature levels.
    pub features: Arc<FeaturesImage>,
    /// Brokers and controllers.
    pub cluster: Arc<ClusterImage>,
    /// Topics and partitions.
    pub topics: TopicsImage,
    /// Dynamic settings.
    pub configs: ConfigurationsImage,
    /// Quotas.
    pub client_quotas: ClientQuotasImage,
    /// Handed out producer ids.
    pub producer_ids: ProducerIdsImage,
    /// Access control entries.
    pub acls: AclsImage,
    /// SCRAM credentials.
    pub scram: ScramImage,
    /// Delegation tokens.
    pub delegation_tokens: DelegationTokensImage,
}

/// Nothing replayed yet.
impl Default for MetadataImage {
    fn default() -> Self {
        Self {
            provenance: Provenance::EMPTY,
            features: Arc::default(),
            cluster: Arc::default(),
            topics: TopicsImage::default(),
            configs: ConfigurationsImage::default(),
            client_quotas: ClientQuotasImage::default(),
            producer_ids: ProducerIdsImage::default(),
            acls: AclsImage::default(),
            scram: ScramImage::default(),
            delegation_tokens: DelegationTokensImage::default(),
        }
    }
}

impl MetadataImage {
    /// The image of an empty log.
    pub fn empty() -> Self {
        Self::default()
    }

    /// Whether no record was replayed into it.
    pub fn is_empty(&self) -> bool {
        self.provenance == Provenance::EMPTY
    }

    /// Whether partitions have eligible leader replicas (KIP-966).
    pub fn is_elr_enabled(&self) -> bool {
        self.features.level(ELIGIBLE_LEADER_REPLICAS_FEATURE) >= 1
    }

    /// What records for this image's own readers may say; [`MetadataVersion::LATEST`] before the bootstrap records.
    pub fn write_options(&self) -> WriteOptions {
        WriteOptions {
            metadata_version: self.features.metadata_version().unwrap_or(MetadataVersion::LATEST),
            eligible_leader_replicas: self.is_elr_enabled(),
        }
    }

    /// The records of a snapshot: replayed on an empty image they give this one, provenance aside. They are in
    /// Kafka's order (features first) and sorted within each subject, so equal images give equal snapshots.
    pub fn to_records(
        &self,
        metadata_version: MetadataVersion,
    ) -> Result<Vec<MetadataRecord>, MetadataError> {
        let options = WriteOptions { metadata_version, ..self.write_options() };
        let mut records = Vec::new();
        self.features.write(&mut records);
        self.cluster.write(&options, &mut records)?;
        self.topics.write(&options, &mut records)?;
        self.configs.write(&mut records);
        self.client_quotas.write(&mut records);
        self.producer_ids.write(&mut records);
        self.acls.write(&mut records);
        self.scram.write(&options, &mut records)?;
        self.delegation_tokens.write(&options, &mut records)?;
        Ok(records)
    }
}
