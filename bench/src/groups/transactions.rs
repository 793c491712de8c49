//! Transactions of one record, of the protocol in which a produce adds its partition (KIP-890).

use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use hdrhistogram::Histogram;
use protocol::messages::produce_request::{PartitionProduceData, TopicProduceData};
use protocol::messages::{EndTxnRequest, InitProducerIdRequest, ProduceRequest};
use protocol::{ErrorCode, Records};
use records::BatchBuilder;

use super::Turn;
use super::commits::await_coordinator;
use crate::connection::Connection;

const PRODUCE_VERSION: i16 = 12;
const END_VERSION: i16 = 5;
const INIT_VERSION: i16 = 5;
const TOPIC: &str = "transacted";
const ID: &str = "bench";

/// Rows: latency of the commit, of the whole transaction, and CPU per transaction.
pub fn measure(turn: &mut Turn<'_>) -> Result<()> {
    let mut connection = turn.connect()?;
    connection.create_topic(TOPIC, 1, &[])?;
    await_coordinator(&mut connection, 1)?;
    let mut producer = Producer::take(&mut connection)?;
    producer.run(&mut connection, Duration::from_secs_f64(turn.options.warm_up))?;
    let before = turn.server.cpu_seconds()?;
    let (commits, wholes) = producer.run(&mut connection, Duration::from_secs_f64(turn.options.seconds))?;
    let cpu = turn.server.cpu_seconds()? - before;
    (turn.record)("transaction commit, p50", "µs", commits.value_at_quantile(0.5) as f64);
    (turn.record)("transaction commit, p99", "µs", commits.value_at_quantile(0.99) as f64);
    (turn.record)("whole transaction, p50", "µs", wholes.value_at_quantile(0.5) as f64);
    (turn.record)("CPU per transaction", "µs", cpu * 1e6 / wholes.len() as f64);
    Ok(())
}

struct Producer {
    id: i64,
    epoch: i16,
}

impl Producer {
    fn take(connection: &mut Connection) -> Result<Self> {
        let request = InitProducerIdRequest {
            transactional_id: Some(ID.to_string()),
            transaction_timeout_ms: 60_000,
            ..Default::default()
        };
        let started = Instant::now();
        loop {
            let response = connection.call(INIT_VERSION, &request)?;
            if response.error_code == 0 {
                return Ok(Producer { id: response.producer_id, epoch: response.producer_epoch });
            }
            ensure!(started.elapsed() < Duration::from_secs(60), "error {}", response.error_code);
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Transactions one after the other: microseconds of their ends, and of them as a whole. The next one can begin when
    /// the markers of the last are written, so a whole transaction has waited for those.
    fn run(
        &mut self,
        connection: &mut Connection,
        duration: Duration,
    ) -> Result<(Histogram<u64>, Histogram<u64>)> {
        let (mut commits, mut wholes) = (Histogram::new(3)?, Histogram::new(3)?);
        let started = Instant::now();
        while started.elapsed() < duration {
            let begun = Instant::now();
            self.produce(connection)?;
            let ending = Instant::now();
            let request = EndTxnRequest {
                transactional_id: ID.to_string(),
                producer_id: self.id,
                producer_epoch: self.epoch,
                committed: true,
                ..Default::default()
            };
            let ended = connection.call(END_VERSION, &request)?;
            ensure!(ended.error_code == 0, "end: error {}", ended.error_code);
            commits.record(u64::try_from(ending.elapsed().as_micros())?)?;
            wholes.record(u64::try_from(begun.elapsed().as_micros())?)?;
            (self.id, self.epoch) = (ended.producer_id, ended.producer_epoch);
        }
        Ok((commits, wholes))
    }

    /// Again while the last transaction is still being ended.
    fn produce(&self, connection: &mut Connection) -> Result<()> {
        let mut builder = BatchBuilder::new(0).producer(self.id, self.epoch, 0).transactional();
        builder.append(1_700_000_000_000, None, Some(&[7; 100]), &[]);
        let partition =
            PartitionProduceData { records: Some(Records::from(builder.build())), ..Default::default() };
        let topic = TopicProduceData {
            name: TOPIC.to_string(),
            partition_data: vec![partition],
            ..Default::default()
        };
        let request = ProduceRequest {
            transactional_id: Some(ID.to_string()),
            acks: -1,
            timeout_ms: 30_000,
            topic_data: vec![topic],
            ..Default::default()
        };
        loop {
            let response = connection.call(PRODUCE_VERSION, &request)?;
            let mut codes = response.responses.iter().flat_map(|topic| &topic.partition_responses);
            match codes.next().and_then(|partition| ErrorCode::from_i16(partition.error_code)) {
                Some(ErrorCode::None) => return Ok(()),
                Some(ErrorCode::ConcurrentTransactions | ErrorCode::NotEnoughReplicas) => {
                    std::thread::sleep(Duration::from_micros(200));
                }
                other => bail!("produce: {other:?}"),
            }
        }
    }
}
