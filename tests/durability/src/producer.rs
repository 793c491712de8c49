//! An idempotent producer as clients are built: what has no answer is sent again, in order, with the same sequence numbers.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::{Result, bail, ensure};
use bytes::Bytes;
use protocol::ErrorCode;
use protocol::messages::InitProducerIdRequest;
use records::BatchBuilder;
use testkit::calls::{receive_produce, send_produce};
use testkit::raw_client::RawClient;

use crate::gate::Gate;
use crate::random::Random;

/// Kafka's limit for idempotent producers.
pub const IN_FLIGHT_MAX: usize = 5;
const RECORDS_MAX: u64 = 8;
const PADDING_MAX: u64 = 400;
const TIMEOUT_MS: i32 = 30_000;
/// Between a refusal and the next attempt.
const BACKOFF: Duration = Duration::from_millis(20);

/// What a producer is told.
pub struct Order<'a> {
    /// Distinguishes its records from those of others.
    pub name: usize,
    /// `host:port`.
    pub address: &'a str,
    /// Each has one partition.
    pub topics: &'a [&'a str],
    /// 1 or -1.
    pub acks: i16,
    /// Where its random numbers begin.
    pub seed: u64,
    /// Errors after which a batch is sent again; any other is wrong.
    pub refusals: &'a [ErrorCode],
    /// Batches under way for one topic. As in Kafka's, a snapshot of producers knows the last one only: who sends more
    /// than that again after a clean stop is out of order.
    pub in_flight_max: usize,
}

/// A batch that was acknowledged.
pub struct Acknowledged {
    /// Where it went.
    pub topic: usize,
    /// The offset that the server named for its first record.
    pub base_offset: i64,
    /// The values of its records.
    pub values: Vec<String>,
}

struct Batch {
    topic: usize,
    bytes: Bytes,
    values: Vec<String>,
}

/// Sends until the gate says that it is over; everything that it sent, all of it acknowledged by then.
pub fn run(order: &Order<'_>, gate: &Gate) -> Result<Vec<Acknowledged>> {
    let mut producer = Producer {
        order,
        gate,
        random: Random::new(order.seed),
        id: None,
        sequences: vec![0; order.topics.len()],
        in_flight: VecDeque::new(),
        acknowledged: Vec::new(),
    };
    while !(gate.is_over() && producer.in_flight.is_empty()) {
        gate.wait_until_up()?;
        let Ok(mut client) = RawClient::connect(order.address, "idempotent") else { continue };
        // A connection that breaks is what this is about; an error in an answer is not.
        if let Err(reason) = producer.serve(&mut client)
            && reason.is::<WrongAnswer>()
        {
            return Err(reason);
        }
    }
    Ok(producer.acknowledged)
}

/// An answer that a healthy single node never gives.
#[derive(Debug)]
struct WrongAnswer(String);

impl std::fmt::Display for WrongAnswer {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::error::Error for WrongAnswer {}

struct Producer<'a> {
    order: &'a Order<'a>,
    gate: &'a Gate,
    random: Random,
    id: Option<(i64, i16)>,
    sequences: Vec<i32>,
    in_flight: VecDeque<Batch>,
    acknowledged: Vec<Acknowledged>,
}

impl Producer<'_> {
    /// Until the connection breaks or everything is answered.
    fn serve(&mut self, client: &mut RawClient) -> Result<()> {
        let (id, epoch) = match self.id {
            Some(known) => known,
            None => *self.id.insert(init_producer_id(client)?),
        };
        for batch in &self.in_flight {
            self.send(client, batch)?;
        }
        loop {
            while self.in_flight.len() < IN_FLIGHT_MAX && !self.gate.is_over() {
                let topic = self.random.below(self.order.topics.len() as u64) as usize;
                let under_way = self.in_flight.iter().filter(|batch| batch.topic == topic).count();
                if under_way >= self.order.in_flight_max {
                    break;
                }
                let batch = self.next_batch(topic, id, epoch);
                // It counts as sent even if the connection breaks now: it may have arrived.
                let sent = self.send(client, &batch);
                self.in_flight.push_back(batch);
                sent?;
            }
            if self.in_flight.is_empty() {
                return Ok(());
            }
            self.receive(client)?;
        }
    }

    fn send(&self, client: &mut RawClient, batch: &Batch) -> Result<()> {
        send_produce(client, self.order.topics[batch.topic], batch.bytes.clone(), self.order.acks, TIMEOUT_MS)
    }

    fn receive(&mut self, client: &mut RawClient) -> Result<()> {
        let row = receive_produce(client)?;
        if self.order.refusals.iter().any(|refusal| refusal.as_i16() == row.error_code) {
            self.gate.refused(row.error_code);
            self.gate.pass(BACKOFF);
            bail!("refused with {}", row.error_code);
        }
        ensure!(
            row.error_code == ErrorCode::None.as_i16(),
            WrongAnswer(format!("producer {}: {row:?}", self.order.name))
        );
        let Batch { topic, values, .. } = self.in_flight.pop_front().expect("an answer to a request");
        self.acknowledged.push(Acknowledged { topic, base_offset: row.base_offset, values });
        self.gate.acknowledged();
        Ok(())
    }

    fn next_batch(&mut self, topic: usize, id: i64, epoch: i16) -> Batch {
        let count = 1 + self.random.below(RECORDS_MAX);
        let first = self.sequences[topic];
        let mut builder = BatchBuilder::new(0).producer(id, epoch, first);
        let mut values = Vec::new();
        // As Kafka does, a server forgets producers whose last record is old.
        let now_ms = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |now| now.as_millis() as i64);
        for number in (first..).take(count as usize) {
            let padding = "x".repeat(self.random.below(PADDING_MAX) as usize);
            let value = format!("{}/{number}/{padding}", self.order.name);
            builder.append(now_ms, None, Some(value.as_bytes()), &[]);
            values.push(value);
        }
        self.sequences[topic] += count as i32;
        Batch { topic, bytes: builder.build(), values }
    }
}

fn init_producer_id(client: &mut RawClient) -> Result<(i64, i16)> {
    let request = InitProducerIdRequest {
        transactional_id: None,
        transaction_timeout_ms: TIMEOUT_MS,
        producer_id: -1,
        producer_epoch: -1,
        ..Default::default()
    };
    let response = client.call(4, &request)?;
    ensure!(response.error_code == 0, WrongAnswer(format!("{response:?}")));
    Ok((response.producer_id, response.producer_epoch))
}
