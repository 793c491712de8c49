//! SCRAM credentials of users (AlterUserScramCredentials 51, DescribeUserScramCredentials 50).

mod keys;

use std::collections::BTreeMap;

use metadata::MetadataImage;
use metadata::scram::ScramMechanism;
use protocol::ErrorCode;
use protocol::messages::alter_user_scram_credentials_request::{
    ScramCredentialDeletion, ScramCredentialUpsertion,
};
use protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use protocol::messages::describe_user_scram_credentials_response::{
    CredentialInfo, DescribeUserScramCredentialsResult,
};
use protocol::messages::{
    AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse, DescribeUserScramCredentialsRequest,
    DescribeUserScramCredentialsResponse,
};
use protocol::metadata_records::{
    MetadataRecord, RemoveUserScramCredentialRecord, UserScramCredentialRecord,
};

use crate::result::{ApiError, ControllerResult, code_and_message};
use crate::settings::Controller;

/// RFC 5802 and RFC 7677 ask for no fewer.
const ITERATIONS_MIN: i32 = 4096;
/// More would let one login keep a core busy.
const ITERATIONS_MAX: i32 = 16384;

impl Controller {
    /// Sets and removes credentials: of the users whose changes are valid, whatever becomes of the others.
    pub fn alter_user_scram_credentials(
        &self,
        image: &MetadataImage,
        request: &AlterUserScramCredentialsRequest,
    ) -> ControllerResult<AlterUserScramCredentialsResponse> {
        let mut outcomes: BTreeMap<&str, Result<MetadataRecord, ApiError>> = BTreeMap::new();
        let mut order = Vec::new();
        let deletions = request.deletions.iter().map(|d| (d.name.as_str(), delete(image, d)));
        let upsertions = request.upsertions.iter().map(|u| (u.name.as_str(), upsert(image, u)));
        for (user, outcome) in deletions.chain(upsertions) {
            let outcome = match outcomes.get(user) {
                None => {
                    order.push(user);
                    outcome
                }
                // An error stays, whatever comes after it.
                Some(Err(_)) => continue,
                Some(Ok(_)) => Err(ApiError::new(
                    ErrorCode::DuplicateResource,
                    "A user credential cannot be altered twice in the same request",
                )),
            };
            outcomes.insert(user, outcome);
        }
        let mut records = Vec::new();
        let mut results = Vec::new();
        for user in order {
            let Some(outcome) = outcomes.remove(user) else { continue };
            let (error_code, error_message) = code_and_message(&outcome);
            records.extend(outcome);
            results.push(AlterUserScramCredentialsResult {
                user: user.to_owned(),
                error_code,
                error_message,
                ..Default::default()
            });
        }
        // Kafka lists what was done before what was refused.
        results.sort_by_key(|result| result.error_code != i16::from(ErrorCode::None));
        let response = AlterUserScramCredentialsResponse { results, ..Default::default() };
        ControllerResult::new(records, response)
    }

    /// Mechanisms and iterations of users, never keys; no users named means all that have credentials.
    pub fn describe_user_scram_credentials(
        &self,
        image: &MetadataImage,
        request: &DescribeUserScramCredentialsRequest,
    ) -> DescribeUserScramCredentialsResponse {
        let mut times_named: BTreeMap<&str, usize> = BTreeMap::new();
        match request.users.as_deref() {
            None | Some([]) => times_named.extend(image.scram.iter().map(|(_, user, _)| (user, 1))),
            Some(users) => {
                for user in users {
                    *times_named.entry(&user.name).or_default() += 1;
                }
            }
        }
        let describe = |(user, times): (&str, usize)| {
            let infos: Vec<CredentialInfo> = image
                .scram
                .iter()
                .filter(|(_, name, _)| *name == user)
                .map(|(mechanism, _, credential)| CredentialInfo {
                    mechanism: mechanism.code(),
                    iterations: credential.iterations,
                    ..Default::default()
                })
                .collect();
            let outcome = if times > 1 {
                let what = "Cannot describe SCRAM credentials for the same user twice in a single request";
                Err(ApiError::new(ErrorCode::DuplicateResource, format!("{what}: {user}")))
            } else if infos.is_empty() {
                let what = "Attempt to describe a user credential that does not exist";
                Err(ApiError::new(ErrorCode::ResourceNotFound, format!("{what}: {user}")))
            } else {
                Ok(infos)
            };
            let (error_code, error_message) = code_and_message(&outcome);
            DescribeUserScramCredentialsResult {
                user: user.to_owned(),
                error_code,
                error_message: error_message.or_else(|| Some(String::new())),
                credential_infos: outcome.unwrap_or_default(),
                ..Default::default()
            }
        };
        DescribeUserScramCredentialsResponse {
            error_code: ErrorCode::None.into(),
            error_message: Some(String::new()),
            results: times_named.into_iter().map(describe).collect(),
            ..Default::default()
        }
    }
}

fn check_user(image: &MetadataImage, name: &str, mechanism: i8) -> Result<ScramMechanism, ApiError> {
    if !image.write_options().metadata_version.supports_scram() {
        let message = "The current metadata.version does not support SCRAM";
        return Err(ApiError::new(ErrorCode::UnsupportedVersion, message));
    }
    if name.is_empty() {
        return Err(ApiError::new(ErrorCode::UnacceptableCredential, "Username must not be empty"));
    }
    ScramMechanism::from_code(mechanism)
        .ok_or_else(|| ApiError::new(ErrorCode::UnsupportedSaslMechanism, "Unknown SCRAM mechanism"))
}

fn delete(image: &MetadataImage, deletion: &ScramCredentialDeletion) -> Result<MetadataRecord, ApiError> {
    let mechanism = check_user(image, &deletion.name, deletion.mechanism)?;
    if image.scram.credential(mechanism, &deletion.name).is_none() {
        let message = "Attempt to delete a user credential that does not exist";
        return Err(ApiError::new(ErrorCode::ResourceNotFound, message));
    }
    Ok(MetadataRecord::RemoveUserScramCredential(RemoveUserScramCredentialRecord {
        name: deletion.name.clone(),
        mechanism: mechanism.code(),
        ..Default::default()
    }))
}

fn upsert(image: &MetadataImage, upsertion: &ScramCredentialUpsertion) -> Result<MetadataRecord, ApiError> {
    let mechanism = check_user(image, &upsertion.name, upsertion.mechanism)?;
    let unacceptable = |message: &str| Err(ApiError::new(ErrorCode::UnacceptableCredential, message));
    if upsertion.iterations < ITERATIONS_MIN {
        return unacceptable("Too few iterations");
    }
    if upsertion.iterations > ITERATIONS_MAX {
        return unacceptable("Too many iterations");
    }
    let keys = keys::derive(mechanism, &upsertion.salted_password);
    Ok(MetadataRecord::UserScramCredential(UserScramCredentialRecord {
        name: upsertion.name.clone(),
        mechanism: mechanism.code(),
        salt: upsertion.salt.clone(),
        stored_key: keys.stored_key,
        server_key: keys.server_key,
        iterations: upsertion.iterations,
        ..Default::default()
    }))
}
