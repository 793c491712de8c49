//! When brokers were last heard of: the controller's state that is in no record.

use std::collections::BTreeMap;

use metadata::MetadataImage;
use protocol::messages::BrokerHeartbeatRequest;

/// What a broker may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BrokerState {
    /// Nothing: it leads no partition and is in no ISR.
    Fenced,
    /// Everything.
    Unfenced,
    /// Lead what nobody else can take over yet.
    ControlledShutdown,
    /// Stop.
    ShutdownNow,
}

impl BrokerState {
    pub(super) fn of(image: &MetadataImage, broker_id: i32) -> Self {
        match image.cluster.broker(broker_id) {
            Some(broker) if broker.fenced => Self::Fenced,
            Some(broker) if broker.in_controlled_shutdown => Self::ControlledShutdown,
            Some(_) => Self::Unfenced,
            None => Self::Fenced,
        }
    }
}

/// Sessions and progress of brokers, known to the quorum's leader only.
#[derive(Clone, Debug)]
pub struct BrokerHeartbeats {
    session_timeout_ms: i64,
    /// By broker and epoch: when it was last heard of.
    contact_times_ms: BTreeMap<(i32, i64), i64>,
    /// How far each broker has replayed the log.
    replayed_offsets: BTreeMap<i32, i64>,
    /// For brokers in controlled shutdown: what the others must have replayed before it may stop.
    shutdown_offsets: BTreeMap<i32, i64>,
}

impl BrokerHeartbeats {
    /// Starts when this node becomes the quorum's leader: every unfenced broker gets one session's time to report.
    ///
    /// `same_process` is the broker that runs in the controller's own process. Its last incarnation ended with the
    /// last controller here, so it gets no time: it registers again at once, even after a kill.
    pub fn new(
        image: &MetadataImage,
        session_timeout_ms: i64,
        same_process: Option<i32>,
        now_ms: i64,
    ) -> Self {
        let unfenced = image.cluster.brokers().values().filter(|broker| !broker.fenced);
        Self {
            session_timeout_ms,
            contact_times_ms: unfenced
                .filter(|broker| Some(broker.id) != same_process)
                .map(|broker| ((broker.id, broker.epoch), now_ms))
                .collect(),
            replayed_offsets: BTreeMap::new(),
            shutdown_offsets: BTreeMap::new(),
        }
    }

    /// Renews the sessions of `broker_id`, if it has any: for the broker in the controller's own process, which lives as long as the
    /// controller does. Its silence could only mean that the whole process stood still, or that the clock has jumped.
    pub fn renew(&mut self, broker_id: i32, now_ms: i64) {
        let sessions = self.contact_times_ms.range_mut((broker_id, i64::MIN)..=(broker_id, i64::MAX));
        sessions.for_each(|(_, contact_time_ms)| *contact_time_ms = now_ms);
    }

    pub(super) fn contacted(&mut self, broker_id: i32, broker_epoch: i64, now_ms: i64) {
        self.contact_times_ms.insert((broker_id, broker_epoch), now_ms);
    }

    pub(super) fn remove(&mut self, broker_id: i32) {
        self.contact_times_ms.retain(|(id, _), _| *id != broker_id);
        self.replayed_offsets.remove(&broker_id);
        self.shutdown_offsets.remove(&broker_id);
    }

    pub(super) fn replayed_to(&mut self, broker_id: i32, offset: i64) {
        self.replayed_offsets.insert(broker_id, offset);
    }

    fn is_expired(&self, contact_time_ms: i64, now_ms: i64) -> bool {
        now_ms > contact_time_ms && contact_time_ms.saturating_add(self.session_timeout_ms) < now_ms
    }

    /// Whether this incarnation was heard of within a session's time.
    pub fn has_valid_session(&self, broker_id: i32, broker_epoch: i64, now_ms: i64) -> bool {
        let contact = self.contact_times_ms.get(&(broker_id, broker_epoch));
        contact.is_some_and(|contact| !self.is_expired(*contact, now_ms))
    }

    /// Forgets and returns one incarnation whose session has ended: broker and epoch.
    pub(super) fn take_expired(&mut self, now_ms: i64) -> Option<(i32, i64)> {
        let expired = self
            .contact_times_ms
            .iter()
            .find(|(_, contact)| self.is_expired(**contact, now_ms))
            .map(|(k, _)| *k)?;
        self.contact_times_ms.remove(&expired);
        Some(expired)
    }

    /// When the next session ends unless its broker reports; `None` if there is none.
    pub fn next_deadline_ms(&self) -> Option<i64> {
        let earliest = self.contact_times_ms.values().min()?;
        Some(earliest.saturating_add(self.session_timeout_ms).saturating_add(1))
    }

    /// The least that any broker which may serve has replayed.
    fn lowest_active_offset(&self, image: &MetadataImage) -> i64 {
        let active = image.cluster.brokers().keys().filter(|id| image.cluster.is_active(**id));
        active.map(|id| self.replayed_offsets.get(id).copied().unwrap_or(-1)).min().unwrap_or(i64::MAX)
    }

    pub(super) fn next_state(
        &mut self,
        image: &MetadataImage,
        request: &BrokerHeartbeatRequest,
        is_caught_up: bool,
        has_leaderships: impl Fn() -> bool,
    ) -> BrokerState {
        let current = BrokerState::of(image, request.broker_id);
        if current != BrokerState::ControlledShutdown {
            self.shutdown_offsets.remove(&request.broker_id);
        }
        // Who wanted to stop and was fenced meanwhile comes back only as a new incarnation: until then its registration
        // says that it is stopping, and it could not lead.
        let stopping =
            image.cluster.broker(request.broker_id).is_some_and(|broker| broker.in_controlled_shutdown);
        match current {
            BrokerState::Fenced if request.want_shut_down => BrokerState::ShutdownNow,
            BrokerState::Fenced if !request.want_fence && is_caught_up && !stopping => BrokerState::Unfenced,
            BrokerState::Fenced => BrokerState::Fenced,
            BrokerState::Unfenced if request.want_fence && request.want_shut_down => BrokerState::ShutdownNow,
            BrokerState::Unfenced if request.want_fence => BrokerState::Fenced,
            BrokerState::Unfenced if request.want_shut_down && has_leaderships() => {
                BrokerState::ControlledShutdown
            }
            BrokerState::Unfenced if request.want_shut_down => BrokerState::ShutdownNow,
            BrokerState::Unfenced => BrokerState::Unfenced,
            BrokerState::ControlledShutdown => {
                // The image holds the handing over by now; who has replayed up to here knows the new leaders.
                let here = image.provenance.last_contained_offset;
                let shutdown_offset = *self.shutdown_offsets.entry(request.broker_id).or_insert(here);
                if !has_leaderships() && shutdown_offset <= self.lowest_active_offset(image) {
                    BrokerState::ShutdownNow
                } else {
                    BrokerState::ControlledShutdown
                }
            }
            BrokerState::ShutdownNow => BrokerState::ShutdownNow,
        }
    }
}
