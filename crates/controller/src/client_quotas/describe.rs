//! DescribeClientQuotas (key 48): quotas of the entities that a filter lets through.

use std::collections::BTreeMap;

use metadata::MetadataImage;
use metadata::client_quotas::{CLIENT_ID, ClientQuotaEntity, IP, QuotaValues, USER};
use protocol::ErrorCode;
use protocol::messages::describe_client_quotas_request::ComponentData;
use protocol::messages::describe_client_quotas_response::{EntityData, EntryData, ValueData};
use protocol::messages::{DescribeClientQuotasRequest, DescribeClientQuotasResponse};

use super::invalid;
use crate::result::ApiError;
use crate::settings::Controller;

/// What one entity type must look like.
enum Match<'a> {
    /// This name; `None` for the default of the type.
    Exact(Option<&'a str>),
    /// Any name.
    Specified,
}

impl Controller {
    /// Quotas by filter. Strict means that an entity has no other types than those the filter names.
    pub fn describe_client_quotas(
        &self,
        image: &MetadataImage,
        request: &DescribeClientQuotasRequest,
    ) -> Result<DescribeClientQuotasResponse, ApiError> {
        let filter = filter(&request.components)?;
        let matches = |entity: &ClientQuotaEntity| {
            let has = |(entity_type, wanted): (&&str, &Match<'_>)| match (entity.get(*entity_type), wanted) {
                (None, _) => false,
                (Some(_), Match::Specified) => true,
                (Some(name), Match::Exact(wanted)) => name.as_deref() == *wanted,
            };
            filter.iter().all(has) && (!request.strict || entity.len() == filter.len())
        };
        // A strict filter that names nothing lets nothing through: no entity is without types.
        let found = image.client_quotas.iter().filter(|(entity, _)| matches(entity));
        Ok(DescribeClientQuotasResponse {
            error_code: ErrorCode::None.into(),
            error_message: Some(String::new()),
            entries: Some(found.map(|(entity, values)| entry(entity, values)).collect()),
            ..Default::default()
        })
    }
}

fn filter(components: &[ComponentData]) -> Result<BTreeMap<&str, Match<'_>>, ApiError> {
    let mut filter = BTreeMap::new();
    for component in components {
        let entity_type = component.entity_type.as_str();
        if entity_type.is_empty() {
            return Err(invalid("Invalid empty entity type."));
        }
        if filter.contains_key(entity_type) {
            let message = format!("Entity type {entity_type} cannot appear more than once in the filter.");
            return Err(invalid(message));
        }
        if !matches!(entity_type, USER | CLIENT_ID | IP) {
            let message = format!("Unsupported entity type {entity_type}");
            return Err(ApiError::new(ErrorCode::UnsupportedVersion, message));
        }
        let also_matches = |name: &str| {
            invalid(format!("Request specified MATCH_TYPE_{name}, but also specified a match string."))
        };
        let wanted = match (component.match_type, component.match_.as_deref()) {
            (0, None) => {
                return Err(invalid("Request specified MATCH_TYPE_EXACT, but set match string to null."));
            }
            (0, Some(name)) => Match::Exact(Some(name)),
            (1, None) => Match::Exact(None),
            (1, Some(_)) => return Err(also_matches("DEFAULT")),
            (2, None) => Match::Specified,
            (2, Some(_)) => return Err(also_matches("SPECIFIED")),
            (other, _) => return Err(invalid(format!("Unknown match type {other}"))),
        };
        filter.insert(entity_type, wanted);
    }
    if filter.contains_key(IP) && filter.len() > 1 {
        return Err(invalid(
            "Invalid entity filter component combination. IP filter component should not be used with user or clientId \
             filter component.",
        ));
    }
    Ok(filter)
}

fn entry(entity: &ClientQuotaEntity, values: &QuotaValues) -> EntryData {
    let data = |(entity_type, entity_name): (&String, &Option<String>)| EntityData {
        entity_type: entity_type.clone(),
        entity_name: entity_name.clone(),
        ..Default::default()
    };
    let value =
        |(key, value): (&String, &f64)| ValueData { key: key.clone(), value: *value, ..Default::default() };
    EntryData {
        entity: entity.iter().map(data).collect(),
        values: values.iter().map(value).collect(),
        ..Default::default()
    }
}
