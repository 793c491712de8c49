//! Client quotas and SCRAM credentials.

use bytes::Bytes;
use protocol::ApiKey;
use protocol::messages::alter_client_quotas_request::{EntityData, EntryData, OpData};
use protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::describe_client_quotas_response::EntryData as DescribedQuota;
use protocol::messages::describe_user_scram_credentials_request::UserName;
use protocol::messages::describe_user_scram_credentials_response::CredentialInfo;
use protocol::messages::{
    AlterClientQuotasRequest, AlterUserScramCredentialsRequest, DescribeClientQuotasRequest,
    DescribeUserScramCredentialsRequest,
};

use super::{Admin, PerKey, checked};
use crate::error::ClientError;

/// Which names of an entity type are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum QuotaMatch {
    /// This name.
    Exact(String),
    /// The default.
    Default,
    /// All of them.
    Any,
}

/// One part of a question for quotas: `user`, `client-id` or `ip`, and which.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuotaFilter {
    /// `user`, `client-id` or `ip`.
    pub entity_type: String,
    /// Which of them.
    pub matches: QuotaMatch,
}

impl Admin {
    /// Quotas of the entities that have exactly these parts.
    ///
    /// # Errors
    /// What the broker says, or that none could be asked.
    pub async fn describe_client_quotas(
        &self,
        filters: Vec<QuotaFilter>,
    ) -> Result<Vec<DescribedQuota>, ClientError> {
        let component = |filter: QuotaFilter| {
            let (match_type, match_) = match filter.matches {
                QuotaMatch::Exact(name) => (0, Some(name)),
                QuotaMatch::Default => (1, None),
                QuotaMatch::Any => (2, None),
            };
            ComponentData { entity_type: filter.entity_type, match_type, match_, ..Default::default() }
        };
        let request = DescribeClientQuotasRequest {
            components: filters.into_iter().map(component).collect(),
            strict: true,
            ..Default::default()
        };
        let response = self.client().send_to_any(&request).await?;
        let message = response.error_message.as_deref();
        ClientError::check(ApiKey::DescribeClientQuotas, response.error_code, message)?;
        Ok(response.entries.unwrap_or_default())
    }

    /// Sets or removes quotas of one entity, named by type and name; no name means the default.
    ///
    /// # Errors
    /// What the broker says, or that none could be asked.
    pub async fn alter_client_quotas(
        &self,
        entity: Vec<(String, Option<String>)>,
        changes: Vec<(String, Option<f64>)>,
    ) -> Result<(), ClientError> {
        let part = |(entity_type, entity_name)| EntityData { entity_type, entity_name, ..Default::default() };
        let change = |(key, value): (String, Option<f64>)| OpData {
            key,
            value: value.unwrap_or(0.0),
            remove: value.is_none(),
            ..Default::default()
        };
        let entry = EntryData {
            entity: entity.into_iter().map(part).collect(),
            ops: changes.into_iter().map(change).collect(),
            ..Default::default()
        };
        let request = AlterClientQuotasRequest { entries: vec![entry], ..Default::default() };
        let response = self.client().send_to_any(&request).await?;
        response.entries.into_iter().try_for_each(|entry| {
            let message = entry.error_message.as_deref();
            ClientError::check(ApiKey::AlterClientQuotas, entry.error_code, message)
        })
    }

    /// Which SCRAM credentials users have; all users if none is named.
    ///
    /// # Errors
    /// What the broker says, or that none could be asked.
    pub async fn describe_user_scram_credentials(
        &self,
        users: &[String],
    ) -> Result<PerKey<String, Vec<CredentialInfo>>, ClientError> {
        let names = users.iter().map(|name| UserName { name: name.clone(), ..Default::default() });
        let users = (!users.is_empty()).then(|| names.collect());
        let request = DescribeUserScramCredentialsRequest { users, ..Default::default() };
        let response = self.client().send_to_any(&request).await?;
        let api = ApiKey::DescribeUserScramCredentials;
        ClientError::check(api, response.error_code, response.error_message.as_deref())?;
        let results = response.results.into_iter().map(|result| {
            let message = result.error_message.as_deref();
            (result.user, checked(api, result.error_code, message, result.credential_infos))
        });
        Ok(results.collect())
    }

    /// Removes credentials (user and mechanism) and sets others (user, mechanism, iterations, salt, salted password).
    ///
    /// # Errors
    /// What the broker says of the first user that fails, or that none could be asked.
    pub async fn alter_user_scram_credentials(
        &self,
        deletions: Vec<(String, i8)>,
        upsertions: Vec<(String, i8, i32, Bytes, Bytes)>,
    ) -> Result<(), ClientError> {
        let deletion = |(name, mechanism)| ScramCredentialDeletion { name, mechanism, ..Default::default() };
        let upsertion = |(name, mechanism, iterations, salt, salted_password)| ScramCredentialUpsertion {
            name,
            mechanism,
            iterations,
            salt,
            salted_password,
            ..Default::default()
        };
        let request = AlterUserScramCredentialsRequest {
            deletions: deletions.into_iter().map(deletion).collect(),
            upsertions: upsertions.into_iter().map(upsertion).collect(),
            ..Default::default()
        };
        let response = self.client().send_to_controller(&request).await?;
        response.results.into_iter().try_for_each(|result| {
            let message = result.error_message.as_deref();
            ClientError::check(ApiKey::AlterUserScramCredentials, result.error_code, message)
        })
    }
}
