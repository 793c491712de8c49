//! AlterUserScramCredentials (key 51, v0). Stores and removes salted SCRAM credentials (KIP-554).

use std::collections::BTreeSet;

use protocol::messages::alter_user_scram_credentials_response::AlterUserScramCredentialsResult;
use protocol::messages::{AlterUserScramCredentialsRequest, AlterUserScramCredentialsResponse};

use crate::context::RequestContext;

/// Has the controller record them.
pub async fn handle(
    context: &RequestContext,
    request: AlterUserScramCredentialsRequest,
) -> AlterUserScramCredentialsResponse {
    let deleted = request.deletions.iter().map(|deletion| deletion.name.clone());
    let upserted = request.upsertions.iter().map(|upsertion| upsertion.name.clone());
    let users: BTreeSet<String> = deleted.chain(upserted).collect();
    let decided = context
        .broker
        .controller
        .decide(move |deciding| deciding.controller.alter_user_scram_credentials(deciding.image, &request));
    decided.await.unwrap_or_else(|error| AlterUserScramCredentialsResponse {
        results: users
            .into_iter()
            .map(|user| AlterUserScramCredentialsResult {
                user,
                error_code: error.as_i16(),
                error_message: Some(error.message().to_string()),
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    })
}
