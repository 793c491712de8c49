//! Quotas of users, clients and addresses.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use protocol::metadata_records::{ClientQuotaRecord, MetadataRecord, client_quota_record::EntityData};
use rpds::RedBlackTreeMapSync;

/// Entity type of a user.
pub const USER: &str = "user";
/// Entity type of a client id.
pub const CLIENT_ID: &str = "client-id";
/// Entity type of an address.
pub const IP: &str = "ip";

/// Whom a quota is for: entity type to name, `None` standing for the default of that type.
pub type ClientQuotaEntity = BTreeMap<String, Option<String>>;

/// Quota key to value.
pub type QuotaValues = BTreeMap<String, f64>;

/// Every quota. Entities without any are not listed.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClientQuotasImage {
    entities: RedBlackTreeMapSync<ClientQuotaEntity, Arc<QuotaValues>>,
}

impl ClientQuotasImage {
    /// The quotas of exactly this entity.
    pub fn of(&self, entity: &ClientQuotaEntity) -> Option<&QuotaValues> {
        self.entities.get(entity).map(Arc::as_ref)
    }

    /// Every entity with its quotas, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&ClientQuotaEntity, &QuotaValues)> {
        self.entities.iter().map(|(entity, values)| (entity, values.as_ref()))
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        for (entity, values) in self.iter() {
            for (key, value) in values {
                let entity = entity.iter().map(|(entity_type, entity_name)| EntityData {
                    entity_type: entity_type.clone(),
                    entity_name: entity_name.clone(),
                    ..Default::default()
                });
                records.push(MetadataRecord::ClientQuota(ClientQuotaRecord {
                    entity: entity.collect(),
                    key: key.clone(),
                    value: *value,
                    remove: false,
                    ..Default::default()
                }));
            }
        }
    }
}

/// Changes of quotas.
#[derive(Clone, Debug)]
pub struct ClientQuotasDelta {
    image: ClientQuotasImage,
    changed: BTreeSet<ClientQuotaEntity>,
}

impl ClientQuotasDelta {
    pub(crate) fn new(base: &ClientQuotasImage) -> Self {
        Self { image: base.clone(), changed: BTreeSet::new() }
    }

    pub(crate) fn between(old: &ClientQuotasImage, new: &ClientQuotasImage) -> Option<Self> {
        let entities = old.entities.keys().chain(new.entities.keys());
        let changed: BTreeSet<_> =
            entities.filter(|entity| old.of(entity) != new.of(entity)).cloned().collect();
        (!changed.is_empty()).then(|| Self { image: new.clone(), changed })
    }

    /// The quotas after the changes.
    pub fn image(&self) -> &ClientQuotasImage {
        &self.image
    }

    /// Entities with a quota that was set or removed.
    pub fn changed(&self) -> &BTreeSet<ClientQuotaEntity> {
        &self.changed
    }

    pub(crate) fn replay(&mut self, record: &ClientQuotaRecord) {
        let pairs = record.entity.iter().map(|data| (data.entity_type.clone(), data.entity_name.clone()));
        let entity: ClientQuotaEntity = pairs.collect();
        let mut values = self.image.of(&entity).cloned().unwrap_or_default();
        if record.remove {
            values.remove(&record.key);
        } else {
            values.insert(record.key.clone(), record.value);
        }
        if values.is_empty() {
            self.image.entities.remove_mut(&entity);
        } else {
            self.image.entities.insert_mut(entity.clone(), Arc::new(values));
        }
        self.changed.insert(entity);
    }
}
