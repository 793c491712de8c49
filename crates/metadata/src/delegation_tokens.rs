//! Delegation tokens, stored as records say them; nothing here hands them out.

use std::collections::BTreeMap;
use std::sync::Arc;

use protocol::metadata_records::{DelegationTokenRecord, MetadataRecord, RemoveDelegationTokenRecord};

use crate::error::MetadataError;
use crate::partition::WriteOptions;

/// One delegation token, without its secret: that is derived from the id and the cluster's key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DelegationToken {
    /// Whom it stands for.
    pub owner: String,
    /// Who asked for it.
    pub requester: String,
    /// Who may renew it.
    pub renewers: Vec<String>,
    /// When it was made, milliseconds since 1970.
    pub issue_timestamp_ms: i64,
    /// Until when it can be renewed, milliseconds since 1970.
    pub max_timestamp_ms: i64,
    /// Until when it is good, milliseconds since 1970.
    pub expiration_timestamp_ms: i64,
}

/// Every delegation token, by id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DelegationTokensImage {
    tokens: Arc<BTreeMap<String, DelegationToken>>,
}

impl DelegationTokensImage {
    /// Every token by its id.
    pub fn tokens(&self) -> &BTreeMap<String, DelegationToken> {
        &self.tokens
    }

    pub(crate) fn write(
        &self,
        options: &WriteOptions,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<(), MetadataError> {
        if !self.tokens.is_empty() && !options.metadata_version.supports_delegation_tokens() {
            return Err(options.loses("delegation tokens"));
        }
        for (token_id, token) in self.tokens.as_ref() {
            records.push(MetadataRecord::DelegationToken(DelegationTokenRecord {
                owner: token.owner.clone(),
                requester: token.requester.clone(),
                renewers: token.renewers.clone(),
                issue_timestamp: token.issue_timestamp_ms,
                max_timestamp: token.max_timestamp_ms,
                expiration_timestamp: token.expiration_timestamp_ms,
                token_id: token_id.clone(),
                ..Default::default()
            }));
        }
        Ok(())
    }

    pub(crate) fn replay_set(&mut self, record: &DelegationTokenRecord) {
        let token = DelegationToken {
            owner: record.owner.clone(),
            requester: record.requester.clone(),
            renewers: record.renewers.clone(),
            issue_timestamp_ms: record.issue_timestamp,
            max_timestamp_ms: record.max_timestamp,
            expiration_timestamp_ms: record.expiration_timestamp,
        };
        Arc::make_mut(&mut self.tokens).insert(record.token_id.clone(), token);
    }

    pub(crate) fn replay_remove(
        &mut self,
        record: &RemoveDelegationTokenRecord,
    ) -> Result<(), MetadataError> {
        Arc::make_mut(&mut self.tokens)
            .remove(&record.token_id)
            .ok_or_else(|| MetadataError::NothingToRemove("delegation token".to_owned()))?;
        Ok(())
    }
}
