//! Changes that records make to an image, remembered per subject so that a broker can act on them.

use std::sync::Arc;

use protocol::metadata_records::MetadataRecord;

use crate::acls::AclsDelta;
use crate::client_quotas::ClientQuotasDelta;
use crate::cluster::ClusterDelta;
use crate::configs::ConfigurationsDelta;
use crate::delegation_tokens::DelegationTokensImage;
use crate::error::MetadataError;
use crate::features::FeaturesDelta;
use crate::image::MetadataImage;
use crate::producer_ids::ProducerIdsImage;
use crate::provenance::Provenance;
use crate::scram::ScramDelta;
use crate::topics::TopicsDelta;

/// What changed since an image. A subject that no record touched is `None`.
#[derive(Clone, Debug)]
pub struct MetadataDelta {
    base: MetadataImage,
    features: Option<FeaturesDelta>,
    cluster: Option<ClusterDelta>,
    topics: Option<TopicsDelta>,
    configs: Option<ConfigurationsDelta>,
    client_quotas: Option<ClientQuotasDelta>,
    producer_ids: Option<ProducerIdsImage>,
    acls: Option<AclsDelta>,
    scram: Option<ScramDelta>,
    delegation_tokens: Option<DelegationTokensImage>,
}

impl MetadataDelta {
    /// No changes since `base`.
    pub fn new(base: &MetadataImage) -> Self {
        Self {
            base: base.clone(),
            features: None,
            cluster: None,
            topics: None,
            configs: None,
            client_quotas: None,
            producer_ids: None,
            acls: None,
            scram: None,
            delegation_tokens: None,
        }
    }

    /// The changes that lead from one image to another, as after a snapshot was loaded.
    pub fn between(old: &MetadataImage, new: &MetadataImage) -> Self {
        Self {
            base: old.clone(),
            features: FeaturesDelta::between(&old.features, &new.features),
            cluster: ClusterDelta::between(&old.cluster, &new.cluster),
            topics: TopicsDelta::between(&old.topics, &new.topics),
            configs: ConfigurationsDelta::between(&old.configs, &new.configs),
            client_quotas: ClientQuotasDelta::between(&old.client_quotas, &new.client_quotas),
            producer_ids: (old.producer_ids != new.producer_ids).then_some(new.producer_ids),
            acls: AclsDelta::between(&old.acls, &new.acls),
            scram: ScramDelta::between(&old.scram, &new.scram),
            delegation_tokens: (old.delegation_tokens != new.delegation_tokens)
                .then(|| new.delegation_tokens.clone()),
        }
    }

    /// The image before the changes.
    pub fn base(&self) -> &MetadataImage {
        &self.base
    }

    /// Changed feature levels.
    pub fn features(&self) -> Option<&FeaturesDelta> {
        self.features.as_ref()
    }

    /// Changed registrations.
    pub fn cluster(&self) -> Option<&ClusterDelta> {
        self.cluster.as_ref()
    }

    /// Changed topics and partitions.
    pub fn topics(&self) -> Option<&TopicsDelta> {
        self.topics.as_ref()
    }

    /// Changed settings.
    pub fn configs(&self) -> Option<&ConfigurationsDelta> {
        self.configs.as_ref()
    }

    /// Changed quotas.
    pub fn client_quotas(&self) -> Option<&ClientQuotasDelta> {
        self.client_quotas.as_ref()
    }

    /// How far producer ids are handed out now, if a block was.
    pub fn producer_ids(&self) -> Option<ProducerIdsImage> {
        self.producer_ids
    }

    /// Changed access control entries.
    pub fn acls(&self) -> Option<&AclsDelta> {
        self.acls.as_ref()
    }

    /// Changed SCRAM credentials.
    pub fn scram(&self) -> Option<&ScramDelta> {
        self.scram.as_ref()
    }

    /// The delegation tokens now, if any changed.
    pub fn delegation_tokens(&self) -> Option<&DelegationTokensImage> {
        self.delegation_tokens.as_ref()
    }

    /// Whether no subject was touched.
    pub fn is_empty(&self) -> bool {
        self.features.is_none()
            && self.cluster.is_none()
            && self.topics.is_none()
            && self.configs.is_none()
            && self.client_quotas.is_none()
            && self.producer_ids.is_none()
            && self.acls.is_none()
            && self.scram.is_none()
            && self.delegation_tokens.is_none()
    }

    fn features_mut(&mut self) -> &mut FeaturesDelta {
        self.features.get_or_insert_with(|| FeaturesDelta::new(&self.base.features))
    }

    fn cluster_mut(&mut self) -> &mut ClusterDelta {
        self.cluster.get_or_insert_with(|| ClusterDelta::new(&self.base.cluster))
    }

    fn topics_mut(&mut self) -> &mut TopicsDelta {
        self.topics.get_or_insert_with(|| TopicsDelta::new(&self.base.topics))
    }

    fn configs_mut(&mut self) -> &mut ConfigurationsDelta {
        self.configs.get_or_insert_with(|| ConfigurationsDelta::new(&self.base.configs))
    }

    fn acls_mut(&mut self) -> &mut AclsDelta {
        self.acls.get_or_insert_with(|| AclsDelta::new(&self.base.acls))
    }

    fn scram_mut(&mut self) -> &mut ScramDelta {
        self.scram.get_or_insert_with(|| ScramDelta::new(&self.base.scram))
    }

    fn delegation_tokens_mut(&mut self) -> &mut DelegationTokensImage {
        self.delegation_tokens.get_or_insert_with(|| self.base.delegation_tokens.clone())
    }

    /// Adds one record's change. A record that does not fit the image is an error, and the delta is not to be used
    /// any more: the log and this program disagree.
    ///
    /// Transaction markers do nothing here; [`crate::MetadataLoader`] honours them.
    pub fn replay(&mut self, record: &MetadataRecord) -> Result<(), MetadataError> {
        use MetadataRecord as R;
        match record {
            R::RegisterBroker(r) => self.cluster_mut().replay_register_broker(r),
            R::UnregisterBroker(r) => self.cluster_mut().replay_unregister_broker(r)?,
            R::FenceBroker(r) => self.cluster_mut().replay_fenced(r.id, r.epoch, true)?,
            R::UnfenceBroker(r) => self.cluster_mut().replay_fenced(r.id, r.epoch, false)?,
            R::BrokerRegistrationChange(r) => self.cluster_mut().replay_broker_change(r)?,
            R::RegisterController(r) => self.cluster_mut().replay_register_controller(r),
            R::UnregisterController(r) => self.cluster_mut().replay_unregister_controller(r)?,
            R::Topic(r) => self.topics_mut().replay_topic(r)?,
            R::Partition(r) => self.topics_mut().replay_partition(r)?,
            R::PartitionChange(r) => self.topics_mut().replay_change(r)?,
            R::ClearElr(r) => self.topics_mut().replay_clear_elr(r)?,
            R::RemoveTopic(r) => {
                let name = self.topics_mut().replay_remove(r)?;
                self.configs_mut().remove_topic(&name);
            }
            R::Config(r) => self.configs_mut().replay(r)?,
            R::FeatureLevel(r) => self.features_mut().replay(r)?,
            R::ClientQuota(r) => self
                .client_quotas
                .get_or_insert_with(|| ClientQuotasDelta::new(&self.base.client_quotas))
                .replay(r),
            R::ProducerIds(r) => {
                self.producer_ids.get_or_insert(self.base.producer_ids).replay(r)?;
            }
            R::AccessControlEntry(r) => self.acls_mut().replay_add(r),
            R::RemoveAccessControlEntry(r) => self.acls_mut().replay_remove(r)?,
            R::UserScramCredential(r) => self.scram_mut().replay_set(r)?,
            R::RemoveUserScramCredential(r) => self.scram_mut().replay_remove(r)?,
            R::DelegationToken(r) => self.delegation_tokens_mut().replay_set(r),
            R::RemoveDelegationToken(r) => self.delegation_tokens_mut().replay_remove(r)?,
            // A trace of migrations that are over; Kafka 4 ignores it too.
            R::ZkMigrationState(_) | R::NoOp(_) => {}
            R::BeginTransaction(_) | R::EndTransaction(_) | R::AbortTransaction(_) => {}
        }
        Ok(())
    }

    /// The image after the changes.
    pub fn apply(&self, provenance: Provenance) -> MetadataImage {
        let base = &self.base;
        MetadataImage {
            provenance,
            features: self
                .features
                .as_ref()
                .map_or_else(|| Arc::clone(&base.features), |delta| Arc::new(delta.image().clone())),
            cluster: self
                .cluster
                .as_ref()
                .map_or_else(|| Arc::clone(&base.cluster), |delta| Arc::new(delta.image().clone())),
            topics: self.topics.as_ref().map_or_else(|| base.topics.clone(), TopicsDelta::apply),
            configs: self.configs.as_ref().map_or(&base.configs, ConfigurationsDelta::image).clone(),
            client_quotas: self
                .client_quotas
                .as_ref()
                .map_or(&base.client_quotas, ClientQuotasDelta::image)
                .clone(),
            producer_ids: self.producer_ids.unwrap_or(base.producer_ids),
            acls: self.acls.as_ref().map_or(&base.acls, AclsDelta::image).clone(),
            scram: self.scram.as_ref().map_or(&base.scram, ScramDelta::image).clone(),
            delegation_tokens: self.delegation_tokens.as_ref().unwrap_or(&base.delegation_tokens).clone(),
        }
    }
}
