//! What the sender does with what it waited for.

use std::sync::Arc;

use protocol::messages::ProduceResponse;
use protocol::messages::produce_response::{NodeEndpoint, PartitionProduceResponse};
use protocol::{ApiKey, ErrorCode};

use super::{Event, Sender};
use crate::error::{ClientError, is_stale_metadata};
use crate::producer::outbox::Failure;
use crate::producer::produce_call::{self, Part};

impl Sender {
    pub(super) fn handle(&mut self, event: Event) {
        match event {
            Event::Connected(broker, connected) => self.connected(broker, connected),
            Event::Produced(broker, parts, answer) => self.produced(broker, parts, answer),
            Event::Sent(broker, parts, Ok(())) => {
                self.answered(broker, 0);
                let mut assembly = self.shared.assembly.lock();
                for part in &parts {
                    assembly.outbox.written(part.key, part.batch_id, -1, -1);
                }
            }
            Event::Sent(broker, parts, Err(error)) => self.produced(broker, parts, Err(error)),
            Event::Refreshed => self.is_refreshing = false,
            Event::Identity(identity) => {
                self.is_identifying = false;
                let mut assembly = self.shared.assembly.lock();
                match identity {
                    Ok(identity) => assembly.outbox.set_identity(identity),
                    Err(error) if error.is_retriable() => {}
                    Err(error) => assembly.outbox.fail_waiting(&error),
                }
            }
            Event::PartitionsAdded(partitions, added) => {
                self.is_adding = false;
                match added {
                    Ok(()) => self.shared.transaction.note_added(partitions),
                    Err(error) => {
                        let error = self.shared.transaction.judge(error);
                        self.shared.assembly.lock().outbox.fail_waiting(&error);
                    }
                }
            }
        }
    }

    fn connected(&mut self, broker: i32, connected: Result<Arc<crate::connection::Connection>, ClientError>) {
        let state = self.brokers.entry(broker).or_default();
        state.is_connecting = false;
        match connected {
            Ok(connection) => (state.connection, self.failures) = (Some(connection), 0),
            Err(error) => {
                // Its leaderships may have gone elsewhere.
                tracing::debug!(%error, "no connection to send on");
                let metadata = self.shared.client.metadata();
                let topics = self.shared.assembly.lock().outbox.fates();
                let led = topics.iter().map(|fate| fate.topic_partition());
                let led =
                    led.filter(|named| metadata.leader(named).is_none_or(|(leader, _)| leader.id == broker));
                let names = led.map(|named| Arc::clone(&named.topic)).collect();
                self.refresh(names);
            }
        }
    }

    fn produced(&mut self, broker: i32, parts: Vec<Part>, answer: Result<ProduceResponse, ClientError>) {
        let now_ms = self.shared.client.now_ms();
        self.answered(broker, answer.as_ref().map_or(0, |response| response.throttle_time_ms));
        let response = match answer {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(%error, batches = parts.len(), "batches have no answer");
                if error.is_stale_metadata() {
                    self.refresh(parts.iter().map(|part| Arc::clone(&part.topic_partition.topic)).collect());
                }
                return self.lost(&parts, &error);
            }
        };
        let (answered, endpoints) = produce_call::answers(parts, response);
        let mut stale = std::collections::BTreeSet::new();
        let endpoint = self.shared.client.metadata().broker(broker).cloned();
        let by = |error: ClientError| match &endpoint {
            Some(endpoint) => error.by(endpoint),
            None => error,
        };
        for (part, answer) in answered {
            if let Some(error) = self.batch_answered(&part, answer, &endpoints, now_ms, &by)
                && error.code().is_some_and(is_stale_metadata)
            {
                stale.insert(Arc::clone(&part.topic_partition.topic));
            }
        }
        match stale.is_empty() {
            true => self.failures = 0,
            false => self.refresh(stale),
        }
    }

    fn answered(&mut self, broker: i32, throttle_time_ms: i32) {
        let until_ms = self.shared.client.now_ms() + i64::from(throttle_time_ms);
        if let Some(state) = self.brokers.get_mut(&broker) {
            state.in_flight = state.in_flight.saturating_sub(1);
            state.muted_until_ms = state.muted_until_ms.max(until_ms);
        }
    }

    /// The failure, if metadata is to be asked for because of it.
    fn batch_answered(
        &self,
        part: &Part,
        answer: Option<PartitionProduceResponse>,
        endpoints: &[NodeEndpoint],
        now_ms: i64,
        by: &impl Fn(ClientError) -> ClientError,
    ) -> Option<ClientError> {
        let api = ApiKey::Produce;
        let Some(answer) = answer else {
            let error = ClientError::refused(api, ErrorCode::UnknownServerError).about(&part.topic_partition);
            let error = by(error);
            let failure = Failure { code: None, error };
            self.shared.assembly.lock().outbox.failed(part.key, part.batch_id, failure, now_ms);
            return None;
        };
        let said = answer.record_errors.first().and_then(|error| error.batch_index_error_message.as_deref());
        let message = answer.error_message.as_deref().or(said);
        let error = match ClientError::check(api, answer.error_code, message) {
            Ok(()) => {
                let (offset, time_ms) = (answer.base_offset, answer.log_append_time_ms);
                self.shared.assembly.lock().outbox.written(part.key, part.batch_id, offset, time_ms);
                return None;
            }
            Err(error) => by(error.about(&part.topic_partition)),
        };
        let code = error.code();
        let hint = &answer.current_leader;
        let endpoint = produce_call::hinted(endpoints, hint.leader_id);
        let is_hinted = self.shared.client.note_leader(
            &part.topic_partition,
            hint.leader_id,
            hint.leader_epoch,
            endpoint,
        );
        let error = self.shared.transaction.judge(error);
        tracing::debug!(%error, "a batch was refused");
        let mut assembly = self.shared.assembly.lock();
        if self.shared.transaction.is_fatal() {
            assembly.outbox.fail_waiting(&error);
        }
        assembly.outbox.failed(part.key, part.batch_id, Failure { code, error: error.clone() }, now_ms);
        (!is_hinted).then_some(error)
    }
}
