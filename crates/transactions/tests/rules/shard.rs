//! A shard under test: asks it, keeps its log, and can build it again from that.

use bytes::Bytes;
use coordinator::{CoordinatorEvent, CoordinatorShard, RecordPosition, RequestId};
use protocol::ErrorCode;
use protocol::messages::ListTransactionsRequest;
use transactions::{
    Action, MarkersToWrite, Producer, Reply, Request, TopicPartition, TransactionCoordinatorConfig,
    TransactionShard,
};

pub struct Shard {
    pub engine: TransactionShard,
    pub config: TransactionCoordinatorConfig,
    pub log: Vec<(Bytes, Option<Bytes>)>,
    pub actions: Vec<Action>,
    pub replies: Vec<(RequestId, Reply)>,
    pub now_ms: i64,
    pub leader_epoch: i32,
    next_producer_id: i64,
    next_request: u64,
}

pub const ID: &str = "tx";

pub fn partition(index: i32) -> TopicPartition {
    TopicPartition { topic: "t".to_owned(), partition: index }
}

impl Shard {
    pub fn new() -> Self {
        Self::with(TransactionCoordinatorConfig { add_partitions_wait_ms: 0, ..Default::default() })
    }

    pub fn with(config: TransactionCoordinatorConfig) -> Self {
        let engine = TransactionShard::new(&config, 1_048_588);
        let mut shard = Shard {
            engine,
            config,
            log: Vec::new(),
            actions: Vec::new(),
            replies: Vec::new(),
            now_ms: 1_000,
            leader_epoch: 3,
            next_producer_id: 4_000,
            next_request: 0,
        };
        shard.event(CoordinatorEvent::Loaded { leader_epoch: 3 });
        shard
    }

    fn event(&mut self, event: CoordinatorEvent<TransactionShard>) {
        let effects = CoordinatorShard::step(&mut self.engine, self.now_ms, event);
        self.log.extend(effects.records.into_iter().map(|record| (record.key, record.value)));
        self.actions.extend(effects.actions);
        self.replies.extend(effects.replies);
    }

    pub fn tick(&mut self) {
        self.event(CoordinatorEvent::Tick);
    }

    /// The answer, or none if the request is parked.
    pub fn ask(&mut self, request: Request) -> Option<Reply> {
        self.next_request += 1;
        let asked = RequestId(self.next_request);
        self.event(CoordinatorEvent::Request { id: asked, request });
        let position = self.replies.iter().position(|(id, _)| *id == asked)?;
        Some(self.replies.remove(position).1)
    }

    /// As the broker asks: again with a producer id where one is needed.
    fn ask_with_id(&mut self, request: impl Fn(Option<i64>) -> Request) -> Reply {
        match self.ask(request(None)).expect("answered at once") {
            Reply::NeedsProducerId => {
                self.next_producer_id += 1;
                self.ask(request(Some(self.next_producer_id))).expect("answered at once")
            }
            reply => reply,
        }
    }

    pub fn init(&mut self, expected: Option<Producer>) -> Result<Producer, ErrorCode> {
        let reply = self.ask_with_id(|fresh_producer_id| Request::InitProducerId {
            transactional_id: ID.to_owned(),
            transaction_timeout_ms: 60_000,
            expected,
            enable_two_phase_commit: false,
            keep_prepared_transaction: false,
            fresh_producer_id,
        });
        let Reply::InitProducerId(outcome) = reply else { panic!("{reply:?}") };
        outcome
    }

    pub fn add(&mut self, producer: Producer, index: i32, version: i16) -> Result<(), ErrorCode> {
        let reply = self.ask(Self::adding(producer, index, version)).expect("answered at once");
        let Reply::AddPartitions(outcome) = reply else { panic!("{reply:?}") };
        outcome
    }

    pub fn adding(producer: Producer, index: i32, version: i16) -> Request {
        Request::AddPartitions {
            transactional_id: ID.to_owned(),
            producer,
            partitions: vec![partition(index)],
            client_transaction_version: version,
        }
    }

    pub fn end(&mut self, producer: Producer, committed: bool, version: i16) -> Result<Producer, ErrorCode> {
        let reply = self.ask_with_id(|fresh_producer_id| Request::EndTransaction {
            transactional_id: ID.to_owned(),
            producer,
            committed,
            client_transaction_version: version,
            fresh_producer_id,
        });
        let Reply::EndTransaction(outcome) = reply else { panic!("{reply:?}") };
        outcome
    }

    /// The markers asked for since the last call.
    pub fn markers(&mut self) -> Vec<MarkersToWrite> {
        std::mem::take(&mut self.actions)
            .into_iter()
            .filter_map(|action| match action {
                Action::WriteMarkers(markers) => Some(markers),
                Action::AbortTimedOut { .. } => None,
            })
            .collect()
    }

    pub fn written(&mut self, markers: &MarkersToWrite) {
        self.ask(Request::MarkersWritten {
            transactional_id: markers.transactional_id.clone(),
            producer: markers.producer,
            coordinator_epoch: markers.coordinator_epoch,
        });
    }

    /// Writes all markers that were asked for.
    pub fn complete(&mut self) {
        for markers in self.markers() {
            self.written(&markers);
        }
    }

    pub fn state(&mut self) -> String {
        match self.ask(Request::Describe(ID.to_owned())) {
            Some(Reply::Describe(described)) if described.error_code == 0 => described.transaction_state,
            Some(Reply::Describe(described)) => format!("error {}", described.error_code),
            other => panic!("{other:?}"),
        }
    }

    pub fn list(&mut self, request: ListTransactionsRequest) -> Vec<String> {
        match self.ask(Request::List(request)) {
            Some(Reply::List(listed)) => {
                listed.transaction_states.into_iter().map(|state| state.transactional_id).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    /// Another broker takes over: all that it knows is the log.
    pub fn fail_over(&mut self) {
        self.actions.clear();
        self.engine = TransactionShard::new(&self.config, 1_048_588);
        for (offset, (key, value)) in self.log.clone().into_iter().enumerate() {
            let position = RecordPosition { offset: offset as i64, producer_id: -1 };
            self.engine.replay(position, Some(key), value).expect("a record that we wrote");
        }
        self.leader_epoch += 1;
        let leader_epoch = self.leader_epoch;
        self.event(CoordinatorEvent::Loaded { leader_epoch });
    }
}
