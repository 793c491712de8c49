//! Quotas of users, clients and addresses (AlterClientQuotas 49, DescribeClientQuotas 48).

mod describe;

use std::collections::BTreeMap;

use metadata::MetadataImage;
use metadata::client_quotas::{CLIENT_ID, ClientQuotaEntity, IP, QuotaValues, USER};
use protocol::ErrorCode;
use protocol::messages::alter_client_quotas_request::{EntityData, EntryData};
use protocol::messages::{AlterClientQuotasRequest, AlterClientQuotasResponse, alter_client_quotas_response};
use protocol::metadata_records::{ClientQuotaRecord, MetadataRecord, client_quota_record};

use crate::result::{ApiError, ControllerResult, code_and_message};
use crate::settings::Controller;

/// The type of a quota's values.
#[derive(Clone, Copy, PartialEq, Eq)]
enum QuotaKind {
    Double,
    Int,
    Long,
}

/// A quota key, and whether it is for addresses (else for users and clients).
struct QuotaKey(&'static str, QuotaKind, bool);

const KEYS: &[QuotaKey] = &[
    QuotaKey("producer_byte_rate", QuotaKind::Long, false),
    QuotaKey("consumer_byte_rate", QuotaKind::Long, false),
    QuotaKey("request_percentage", QuotaKind::Double, false),
    QuotaKey("controller_mutation_rate", QuotaKind::Double, false),
    QuotaKey("connection_creation_rate", QuotaKind::Int, true),
];

fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

/// An entity as Kafka prints it: `ClientQuotaEntity(entries={user=alice})`.
fn printed(entity: &[EntityData]) -> String {
    let entries: Vec<String> = entity
        .iter()
        .map(|data| format!("{}={}", data.entity_type, data.entity_name.as_deref().unwrap_or("null")))
        .collect();
    format!("ClientQuotaEntity(entries={{{}}})", entries.join(", "))
}

impl Controller {
    /// Sets and removes quotas: of the entities that are valid, whatever becomes of the others. `resolves` says
    /// whether text is an address, or a host name that resolves to one.
    pub fn alter_client_quotas(
        &self,
        image: &MetadataImage,
        request: &AlterClientQuotasRequest,
        resolves: &dyn Fn(&str) -> bool,
    ) -> ControllerResult<AlterClientQuotasResponse> {
        let mut records = Vec::new();
        let mut outcomes: BTreeMap<ClientQuotaEntity, Result<(), ApiError>> = BTreeMap::new();
        let mut order: Vec<&[EntityData]> = Vec::new();
        for entry in &request.entries {
            let entity = as_entity(&entry.entity);
            let outcome = if outcomes.contains_key(&entity) {
                Err(invalid(format!("Ignoring duplicate entity {}", printed(&entry.entity))))
            } else {
                order.push(&entry.entity);
                alter_entity(image, entry, resolves).map(|changes| records.extend(changes))
            };
            outcomes.insert(entity, outcome);
        }
        let response_entry = |entity: &[EntityData]| {
            let outcome = outcomes.get(&as_entity(entity)).cloned().unwrap_or(Ok(()));
            let (error_code, error_message) = code_and_message(&outcome);
            let data = |(entity_type, entity_name)| alter_client_quotas_response::EntityData {
                entity_type,
                entity_name,
                ..Default::default()
            };
            alter_client_quotas_response::EntryData {
                error_code,
                error_message,
                entity: as_entity(entity).into_iter().map(data).collect(),
                ..Default::default()
            }
        };
        let entries = order.into_iter().map(response_entry).collect();
        let response = AlterClientQuotasResponse { entries, ..Default::default() };
        ControllerResult::new(records, response).validate_only(request.validate_only)
    }
}

fn as_entity(entity: &[EntityData]) -> ClientQuotaEntity {
    entity.iter().map(|data| (data.entity_type.clone(), data.entity_name.clone())).collect()
}

fn alter_entity(
    image: &MetadataImage,
    entry: &EntryData,
    resolves: &dyn Fn(&str) -> bool,
) -> Result<Vec<MetadataRecord>, ApiError> {
    let mut ops: BTreeMap<&str, Option<f64>> = BTreeMap::new();
    for op in &entry.ops {
        if ops.insert(&op.key, (!op.remove).then_some(op.value)).is_some() {
            return Err(invalid(format!(
                "Duplicate quota key {} not updating quota for this entity {}",
                op.key,
                printed(&entry.entity)
            )));
        }
    }
    let for_address = check_entity(&entry.entity, resolves)?;
    let none = QuotaValues::new();
    let current = image.client_quotas.of(&as_entity(&entry.entity)).unwrap_or(&none);
    let mut records = Vec::new();
    for (key, value) in ops {
        match value {
            Some(value) => {
                check_value(key, value, for_address)?;
                if current.get(key) != Some(&value) {
                    records.push(record(&entry.entity, key, Some(value)));
                }
            }
            None if current.contains_key(key) => records.push(record(&entry.entity, key, None)),
            None => {}
        }
    }
    Ok(records)
}

fn record(entity: &[EntityData], key: &str, value: Option<f64>) -> MetadataRecord {
    let data = |(entity_type, entity_name)| client_quota_record::EntityData {
        entity_type,
        entity_name,
        ..Default::default()
    };
    MetadataRecord::ClientQuota(ClientQuotaRecord {
        entity: as_entity(entity).into_iter().map(data).collect(),
        key: key.to_owned(),
        value: value.unwrap_or(0.0),
        remove: value.is_none(),
        ..Default::default()
    })
}

/// Whether the entity is an address; an error if it is nothing that can have quotas.
fn check_entity(entity: &[EntityData], resolves: &dyn Fn(&str) -> bool) -> Result<bool, ApiError> {
    if entity.is_empty() {
        return Err(invalid("Invalid empty client quota entity"));
    }
    for data in entity {
        let entity_type = data.entity_type.as_str();
        if !matches!(entity_type, USER | CLIENT_ID | IP) {
            return Err(invalid(format!("Unhandled client quota entity type: {entity_type}")));
        }
        if data.entity_name.as_deref() == Some("") {
            return Err(invalid(format!("Empty {entity_type} not supported")));
        }
    }
    let Some(address) = entity.iter().find(|data| data.entity_type == IP) else { return Ok(false) };
    if entity.iter().any(|data| data.entity_type != IP) {
        return Err(invalid(
            "Invalid quota entity combination, IP entity shouldnot be combined with User or ClientId",
        ));
    }
    match &address.entity_name {
        Some(name) if !resolves(name) => {
            Err(invalid(format!("{name} is not a valid IP or resolvable host.")))
        }
        _ => Ok(true),
    }
}

fn check_value(key: &str, value: f64, for_address: bool) -> Result<(), ApiError> {
    let known = KEYS.iter().find(|known| known.0 == key && known.2 == for_address);
    let Some(QuotaKey(_, kind, _)) = known else {
        return Err(invalid(format!("Invalid configuration key {key}")));
    };
    if !value.is_finite() {
        return Err(invalid(format!("Quota {key} must be a finite number")));
    }
    if value <= 0.0 {
        return Err(invalid(format!("Quota {key} must be greater than 0")));
    }
    let too_large = |name| Err(invalid(format!("Proposed value for {key} is too large for {name}.")));
    match kind {
        QuotaKind::Double => return Ok(()),
        QuotaKind::Int if value > f64::from(i32::MAX) => return too_large("an INT"),
        QuotaKind::Long if value > i64::MAX as f64 => return too_large("a LONG"),
        QuotaKind::Int | QuotaKind::Long => {}
    }
    // As Kafka: what is lost when a rate is written as a double is no fraction.
    if (value % 1.0).abs() > 1e-6 {
        return Err(invalid(format!("{key} cannot be a fractional value.")));
    }
    Ok(())
}
