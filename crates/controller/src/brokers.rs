//! Brokers come, stay in touch and go (BrokerRegistration 62, BrokerHeartbeat 63, UnregisterBroker 64).

mod heartbeats;

use std::collections::BTreeSet;

use metadata::{KRAFT_VERSION_FEATURE, METADATA_VERSION_FEATURE, MetadataImage, VersionRange, directory_id};
use protocol::ErrorCode;
use protocol::messages::{
    BrokerHeartbeatRequest, BrokerHeartbeatResponse, BrokerRegistrationRequest, BrokerRegistrationResponse,
    UnregisterBrokerRequest, UnregisterBrokerResponse,
};
use protocol::metadata_records::{
    BrokerRegistrationChangeRecord, MetadataRecord, RegisterBrokerRecord, register_broker_record,
};

pub use heartbeats::BrokerHeartbeats;
use heartbeats::BrokerState;

use crate::result::{ApiError, ControllerResult};
use crate::settings::Controller;

/// The first BrokerRegistration version that says which epoch a broker stopped cleanly in.
const FIRST_VERSION_WITH_PREVIOUS_BROKER_EPOCH: i16 = 3;

fn supports_finalized(name: &str, finalized: i16, range: VersionRange) -> Result<(), ApiError> {
    if range.contains(finalized) {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::UnsupportedVersion,
        format!(
            "Unable to register because the broker does not support finalized version {finalized} of {name}. The \
             broker wants a version between {} and {}, inclusive.",
            range.min, range.max
        ),
    ))
}

fn check_directories(image: &MetadataImage, request: &BrokerRegistrationRequest) -> Result<(), ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::InvalidRegistration, message));
    if request.log_dirs.is_empty() {
        return invalid("No directories specified in request".to_owned());
    }
    if request.log_dirs.iter().any(|id| directory_id::is_reserved(*id)) {
        return invalid("Reserved directory ID in request".to_owned());
    }
    if request.log_dirs.iter().collect::<BTreeSet<_>>().len() != request.log_dirs.len() {
        return invalid("Duplicate directory ID in request".to_owned());
    }
    for other in image.cluster.brokers().values().filter(|other| other.id != request.broker_id) {
        if let Some(taken) = request.log_dirs.iter().find(|id| other.directories.contains(id)) {
            return invalid(format!("Broker {} is already registered with directory {taken}", other.id));
        }
    }
    Ok(())
}

/// Every finalised feature must be supported, those too that the broker does not name.
fn check_features(
    image: &MetadataImage,
    request: &BrokerRegistrationRequest,
    kraft_version: i16,
) -> Result<(), ApiError> {
    let mut finalized = image.features.all();
    finalized.insert(KRAFT_VERSION_FEATURE.to_owned(), kraft_version);
    for feature in &request.features {
        let level = finalized.remove(&feature.name).unwrap_or(0);
        let range = VersionRange { min: feature.min_supported_version, max: feature.max_supported_version };
        supports_finalized(&feature.name, level, range)?;
    }
    if !request.features.iter().any(|feature| feature.name == METADATA_VERSION_FEATURE) {
        return Err(ApiError::new(
            ErrorCode::InvalidRegistration,
            format!("Request features do not contain '{METADATA_VERSION_FEATURE}'"),
        ));
    }
    for (name, level) in finalized.iter().filter(|(_, level)| **level != 0) {
        supports_finalized(name, *level, VersionRange { min: 0, max: 0 })?;
    }
    Ok(())
}

fn registration_record(request: &BrokerRegistrationRequest, with_directories: bool) -> RegisterBrokerRecord {
    let end_point = |listener: &protocol::messages::broker_registration_request::Listener| {
        register_broker_record::BrokerEndpoint {
            name: listener.name.clone(),
            host: listener.host.clone(),
            port: listener.port,
            security_protocol: listener.security_protocol,
            ..Default::default()
        }
    };
    let feature = |feature: &protocol::messages::broker_registration_request::Feature| {
        register_broker_record::BrokerFeature {
            name: feature.name.clone(),
            min_supported_version: feature.min_supported_version,
            max_supported_version: feature.max_supported_version,
            ..Default::default()
        }
    };
    RegisterBrokerRecord {
        broker_id: request.broker_id,
        incarnation_id: request.incarnation_id,
        rack: request.rack.clone(),
        end_points: request.listeners.iter().map(end_point).collect(),
        features: request.features.iter().map(feature).collect(),
        log_dirs: if with_directories { request.log_dirs.clone() } else { Vec::new() },
        ..Default::default()
    }
}

impl Controller {
    /// Registers a broker. `next_offset` is where the records will be appended: it becomes the epoch of a new
    /// incarnation. `kraft_version` is the raft log's level.
    pub fn register_broker(
        &self,
        image: &MetadataImage,
        heartbeats: &mut BrokerHeartbeats,
        request: &BrokerRegistrationRequest,
        api_version: i16,
        (next_offset, kraft_version): (i64, i16),
        now_ms: i64,
    ) -> Result<ControllerResult<BrokerRegistrationResponse>, ApiError> {
        let cluster_id = &self.settings.cluster_id;
        if *cluster_id != request.cluster_id {
            return Err(ApiError::new(
                ErrorCode::InconsistentClusterId,
                format!("Expected cluster ID {cluster_id}, but got cluster ID {}", request.cluster_id),
            ));
        }
        let broker_id = request.broker_id;
        let existing = image.cluster.broker(broker_id);
        let same_incarnation = existing.filter(|b| b.incarnation_id == request.incarnation_id);
        let other_alive = existing.is_some_and(|b| heartbeats.has_valid_session(broker_id, b.epoch, now_ms));
        if other_alive && same_incarnation.is_none() {
            return Err(ApiError::new(
                ErrorCode::DuplicateBrokerRegistration,
                "Another broker is registered with that broker id. If the broker was recently restarted this should \
                 self-resolve once the heartbeat manager expires the broker's session.",
            ));
        }
        if request.is_migrating_zk_broker {
            return Err(ApiError::new(
                ErrorCode::BrokerIdNotRegistered,
                "Controller does not support registering ZK brokers.",
            ));
        }
        let with_directories = image.write_options().metadata_version.supports_directory_assignment();
        if with_directories {
            check_directories(image, request)?;
        }
        check_features(image, request, kraft_version)?;
        let mut record = registration_record(request, with_directories);
        let mut records = Vec::new();
        if let Some(existing) = same_incarnation {
            record.fenced = existing.fenced;
            record.in_controlled_shutdown = existing.in_controlled_shutdown;
            record.broker_epoch = existing.epoch;
        } else {
            let knows_epoch = api_version >= FIRST_VERSION_WITH_PREVIOUS_BROKER_EPOCH;
            let clean = knows_epoch && existing.is_some_and(|b| b.epoch == request.previous_broker_epoch);
            self.broker_restarted(image, broker_id, clean, &mut records);
            record.broker_epoch = next_offset;
            heartbeats.remove(broker_id);
        }
        let response = BrokerRegistrationResponse { broker_epoch: record.broker_epoch, ..Default::default() };
        records.push(MetadataRecord::RegisterBroker(record));
        Ok(ControllerResult::new(records, response))
    }

    /// Checks that a request comes from the registered incarnation of a broker.
    pub(crate) fn check_broker_epoch(
        &self,
        image: &MetadataImage,
        broker_id: i32,
        broker_epoch: i64,
    ) -> Result<(), ApiError> {
        let stale = |message: String| Err(ApiError::new(ErrorCode::StaleBrokerEpoch, message));
        match image.cluster.broker(broker_id) {
            None => stale(format!("No broker registration found for broker id {broker_id}")),
            Some(broker) if broker.epoch != broker_epoch => {
                stale(format!("Expected broker epoch {}, but got broker epoch {broker_epoch}", broker.epoch))
            }
            Some(_) => Ok(()),
        }
    }

    /// A broker says that it is there, how far it has replayed the log, and what it wants.
    pub fn broker_heartbeat(
        &self,
        image: &MetadataImage,
        heartbeats: &mut BrokerHeartbeats,
        request: &BrokerHeartbeatRequest,
        now_ms: i64,
    ) -> Result<ControllerResult<BrokerHeartbeatResponse>, ApiError> {
        let (broker_id, broker_epoch) = (request.broker_id, request.broker_epoch);
        let id_and_epoch = (broker_id, broker_epoch);
        self.check_broker_epoch(image, broker_id, broker_epoch)?;
        heartbeats.contacted(broker_id, broker_epoch, now_ms);
        let has_leaderships = || {
            let mut partitions = image.topics.iter().flat_map(|topic| topic.partitions());
            partitions.any(|(_, partition)| partition.leader == broker_id)
        };
        // The registration is among the records of one batch that begins at the epoch: who has replayed any of them
        // has replayed all.
        let is_caught_up = request.current_metadata_offset >= broker_epoch;
        let current = BrokerState::of(image, broker_id);
        let next = heartbeats.next_state(image, request, is_caught_up, has_leaderships);
        let mut records = Vec::new();
        if current != next {
            match next {
                BrokerState::Fenced | BrokerState::ShutdownNow => {
                    self.broker_fenced(image, broker_id, &mut records);
                }
                BrokerState::Unfenced => self.broker_unfenced(image, id_and_epoch, &mut records),
                BrokerState::ControlledShutdown => {
                    self.broker_in_controlled_shutdown(image, id_and_epoch, &mut records);
                }
            }
        }
        heartbeats.replayed_to(broker_id, request.current_metadata_offset);
        let metadata_version = image.write_options().metadata_version;
        if metadata_version.supports_directory_assignment() {
            self.directories_offline(image, id_and_epoch, &request.offline_log_dirs, &mut records);
        }
        if metadata_version.supports_cordoned_log_dirs() {
            records.extend(cordoned(image, request));
        }
        let response = BrokerHeartbeatResponse {
            error_code: ErrorCode::None.into(),
            is_caught_up,
            is_fenced: matches!(next, BrokerState::Fenced | BrokerState::ShutdownNow),
            should_shut_down: next == BrokerState::ShutdownNow,
            ..Default::default()
        };
        Ok(ControllerResult::new(records, response))
    }

    /// Removes a broker that will not come back.
    pub fn unregister_broker(
        &self,
        image: &MetadataImage,
        request: &UnregisterBrokerRequest,
    ) -> ControllerResult<UnregisterBrokerResponse> {
        let broker_id = request.broker_id;
        let Some(broker) = image.cluster.broker(broker_id) else {
            return ControllerResult::unchanged(UnregisterBrokerResponse {
                error_code: ErrorCode::BrokerIdNotRegistered.into(),
                error_message: Some(format!("Broker ID {broker_id} is not currently registered")),
                ..Default::default()
            });
        };
        let mut records = Vec::new();
        self.broker_unregistered(image, (broker_id, broker.epoch), &mut records);
        let response = UnregisterBrokerResponse {
            error_code: ErrorCode::None.into(),
            error_message: None,
            ..Default::default()
        };
        ControllerResult::new(records, response)
    }

    /// Fences one broker whose session has timed out; call it again until it returns `None`.
    pub fn fence_stale_broker(
        &self,
        image: &MetadataImage,
        heartbeats: &mut BrokerHeartbeats,
        now_ms: i64,
    ) -> Option<ControllerResult<i32>> {
        while let Some((broker_id, epoch)) = heartbeats.take_expired(now_ms) {
            // A session of a broker that went, came back, or is fenced already says nothing.
            let registered = image.cluster.broker(broker_id);
            if registered.is_some_and(|broker| broker.epoch == epoch && !broker.fenced) {
                let mut records = Vec::new();
                self.broker_fenced(image, broker_id, &mut records);
                return Some(ControllerResult::new(records, broker_id));
            }
        }
        None
    }
}

/// Cordoned directories changed (KIP-1066).
fn cordoned(image: &MetadataImage, request: &BrokerHeartbeatRequest) -> Option<MetadataRecord> {
    let wanted: BTreeSet<_> = request.cordoned_log_dirs.as_ref()?.iter().copied().collect();
    let broker = image.cluster.broker(request.broker_id)?;
    if wanted.iter().eq(broker.cordoned_directories.iter()) {
        return None;
    }
    Some(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
        broker_id: request.broker_id,
        broker_epoch: request.broker_epoch,
        cordoned_log_dirs: Some(wanted.into_iter().collect()),
        ..Default::default()
    }))
}
