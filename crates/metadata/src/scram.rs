//! SCRAM credentials of users.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use protocol::metadata_records::{
    MetadataRecord, RemoveUserScramCredentialRecord, UserScramCredentialRecord,
};

use crate::error::MetadataError;
use crate::partition::WriteOptions;

/// The hash that a credential is made with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[repr(i8)]
pub enum ScramMechanism {
    /// SCRAM-SHA-256
    Sha256 = 1,
    /// SCRAM-SHA-512
    Sha512 = 2,
}

impl ScramMechanism {
    /// The code in records and requests.
    pub const fn code(self) -> i8 {
        self as i8
    }

    /// The mechanism with this code.
    pub const fn from_code(code: i8) -> Option<Self> {
        match code {
            1 => Some(Self::Sha256),
            2 => Some(Self::Sha512),
            _ => None,
        }
    }
}

/// What a server keeps to check a user's password, never the password.
#[derive(Clone, PartialEq, Eq)]
pub struct ScramCredential {
    /// The salt.
    pub salt: Bytes,
    /// H(ClientKey) of RFC 5802.
    pub stored_key: Bytes,
    /// ServerKey of RFC 5802.
    pub server_key: Bytes,
    /// How often the hash was applied.
    pub iterations: i32,
}

/// Nothing of a credential is printed.
impl fmt::Debug for ScramCredential {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ScramCredential([hidden])")
    }
}

type Credentials = BTreeMap<(ScramMechanism, String), ScramCredential>;

/// Every SCRAM credential.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ScramImage {
    credentials: Arc<Credentials>,
}

impl ScramImage {
    /// A user's credential for a mechanism.
    pub fn credential(&self, mechanism: ScramMechanism, user: &str) -> Option<&ScramCredential> {
        self.credentials.get(&(mechanism, user.to_owned()))
    }

    /// Every credential with mechanism and user, in that order.
    pub fn iter(&self) -> impl Iterator<Item = (ScramMechanism, &str, &ScramCredential)> {
        self.credentials.iter().map(|((mechanism, user), credential)| (*mechanism, user.as_str(), credential))
    }

    pub(crate) fn write(
        &self,
        options: &WriteOptions,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), MetadataError> {
        if !self.credentials.is_empty() && !options.metadata_version.supports_scram() {
            return Err(options.loses("SCRAM credentials"));
        }
        for (mechanism, user, credential) in self.iter() {
            records.push(MetadataRecord::UserScramCredential(UserScramCredentialRecord {
                name: user.to_owned(),
                mechanism: mechanism.code(),
                salt: credential.salt.clone(),
                stored_key: credential.stored_key.clone(),
                server_key: credential.server_key.clone(),
                iterations: credential.iterations,
                ..Default::default()
            }));
        }
        Ok(())
    }
}

/// Changes of SCRAM credentials.
#[derive(Clone, Debug)]
pub struct ScramDelta {
    image: ScramImage,
    changed: BTreeSet<(ScramMechanism, String)>,
}

fn mechanism(record: &'static str, code: i8) -> Result<ScramMechanism, MetadataError> {
    ScramMechanism::from_code(code).ok_or(MetadataError::InvalidField {
        record,
        field: "Mechanism",
        value: code.into(),
    })
}

impl ScramDelta {
    pub(crate) fn new(base: &ScramImage) -> Self {
        Self { image: base.clone(), changed: BTreeSet::new() }
    }

    pub(crate) fn between(old: &ScramImage, new: &ScramImage) -> Option<Self> {
        let keys = old.credentials.keys().chain(new.credentials.keys());
        let changed: BTreeSet<_> =
            keys.filter(|key| old.credentials.get(*key) != new.credentials.get(*key)).cloned().collect();
        (!changed.is_empty()).then(|| Self { image: new.clone(), changed })
    }

    /// The credentials after the changes.
    pub fn image(&self) -> &ScramImage {
        &self.image
    }

    /// Credentials that were set or removed.
    pub fn changed(&self) -> &BTreeSet<(ScramMechanism, String)> {
        &self.changed
    }

    pub(crate) fn replay_set(&mut self, record: &UserScramCredentialRecord) -> Result<(), MetadataError> {
        let key = (mechanism("UserScramCredentialRecord", record.mechanism)?, record.name.clone());
        let credential = ScramCredential {
            salt: record.salt.clone(),
            stored_key: record.stored_key.clone(),
            server_key: record.server_key.clone(),
            iterations: record.iterations,
        };
        Arc::make_mut(&mut self.image.credentials).insert(key.clone(), credential);
        self.changed.insert(key);
        Ok(())
    }

    pub(crate) fn replay_remove(
        &mut self,
        record: &RemoveUserScramCredentialRecord,
    ) -> Result<(), MetadataError> {
        let key = (mechanism("RemoveUserScramCredentialRecord", record.mechanism)?, record.name.clone());
        Arc::make_mut(&mut self.image.credentials)
            .remove(&key)
            .ok_or_else(|| MetadataError::NothingToRemove(format!("SCRAM credential of {}", key.1)))?;
        self.changed.insert(key);
        Ok(())
    }
}
