//! Access control entries, stored as records say them; nothing here grants or denies.

use std::collections::BTreeSet;

use protocol::Uuid;
use protocol::metadata_records::{AccessControlEntryRecord, MetadataRecord, RemoveAccessControlEntryRecord};
use rpds::RedBlackTreeMapSync;

use crate::error::MetadataError;

/// One access control entry. The numbers are Kafka's codes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AccessControlEntry {
    /// Type of the resource.
    pub resource_type: i8,
    /// Name of the resource, or its prefix.
    pub resource_name: String,
    /// Literal or prefixed.
    pub pattern_type: i8,
    /// Who, such as `User:alice`.
    pub principal: String,
    /// From where; `*` for anywhere.
    pub host: String,
    /// What may or may not be done.
    pub operation: i8,
    /// Allow or deny.
    pub permission_type: i8,
}

/// Every access control entry, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AclsImage {
    entries: RedBlackTreeMapSync<Uuid, AccessControlEntry>,
}

impl AclsImage {
    /// Every entry with its id, in the order of ids.
    pub fn iter(&self) -> impl Iterator<Item = (Uuid, &AccessControlEntry)> {
        self.entries.iter().map(|(id, entry)| (*id, entry))
    }

    /// One entry, by id.
    pub fn get(&self, id: Uuid) -> Option<&AccessControlEntry> {
        self.entries.get(&id)
    }

    pub(crate) fn write(&self, records: &mut Vec<MetadataRecord>) {
        for (id, entry) in self.iter() {
            records.push(MetadataRecord::AccessControlEntry(AccessControlEntryRecord {
                id,
                resource_type: entry.resource_type,
                resource_name: entry.resource_name.clone(),
                pattern_type: entry.pattern_type,
                principal: entry.principal.clone(),
                host: entry.host.clone(),
                operation: entry.operation,
                permission_type: entry.permission_type,
                ..Default::default()
            }));
        }
    }
}

/// Changes of access control entries.
#[derive(Clone, Debug)]
pub struct AclsDelta {
    image: AclsImage,
    changed: BTreeSet<Uuid>,
}

impl AclsDelta {
    pub(crate) fn new(base: &AclsImage) -> Self {
        Self { image: base.clone(), changed: BTreeSet::new() }
    }

    pub(crate) fn between(old: &AclsImage, new: &AclsImage) -> Option<Self> {
        let ids = old.entries.keys().chain(new.entries.keys());
        let changed: BTreeSet<_> = ids.filter(|id| old.get(**id) != new.get(**id)).copied().collect();
        (!changed.is_empty()).then(|| Self { image: new.clone(), changed })
    }

    /// The entries after the changes.
    pub fn image(&self) -> &AclsImage {
        &self.image
    }

    /// Entries that were added or removed.
    pub fn changed(&self) -> &BTreeSet<Uuid> {
        &self.changed
    }

    pub(crate) fn replay_add(&mut self, record: &AccessControlEntryRecord) {
        let entry = AccessControlEntry {
            resource_type: record.resource_type,
            resource_name: record.resource_name.clone(),
            pattern_type: record.pattern_type,
            principal: record.principal.clone(),
            host: record.host.clone(),
            operation: record.operation,
            permission_type: record.permission_type,
        };
        self.image.entries.insert_mut(record.id, entry);
        self.changed.insert(record.id);
    }

    pub(crate) fn replay_remove(
        &mut self,
        record: &RemoveAccessControlEntryRecord,
    ) -> Result<(), MetadataError> {
        if !self.image.entries.remove_mut(&record.id) {
            return Err(MetadataError::NothingToRemove(format!("access control entry {}", record.id)));
        }
        self.changed.insert(record.id);
        Ok(())
    }
}
