//! AlterClientQuotas (key 49, v0-1). Sets and removes quotas of users, clients and addresses (KIP-546).

use protocol::messages::alter_client_quotas_response::{EntityData, EntryData};
use protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse};

use crate::context::RequestContext;

/// Has the controller record them.
pub async fn handle(
    context: &RequestContext,
    request: AlterClientQuotasRequest,
) -> AlterClientQuotasResponse {
    let entities: Vec<Vec<EntityData>> =
        request.entries.iter().map(|entry| entities(&entry.entity)).collect();
    let decided = context.broker.controller.decide(move |deciding| {
        // Quotas of addresses are given as addresses: a name would have to be looked up on every node alike.
        let resolves = |address: &str| address.parse::<std::net::IpAddr>().is_ok();
        deciding.controller.alter_client_quotas(deciding.image, &request, &resolves)
    });
    decided.await.unwrap_or_else(|error| AlterClientQuotasResponse {
        entries: entities
            .into_iter()
            .map(|entity| EntryData {
                error_code: error.as_i16(),
                error_message: Some(error.message().to_string()),
                entity,
                ..Default::default()
            })
            .collect(),
        ..Default::default()
    })
}

fn entities(asked: &[protocol::messages::alter_client_quotas_request::EntityData]) -> Vec<EntityData> {
    asked
        .iter()
        .map(|entity| EntityData {
            entity_type: entity.entity_type.clone(),
            entity_name: entity.entity_name.clone(),
            ..Default::default()
        })
        .collect()
}
