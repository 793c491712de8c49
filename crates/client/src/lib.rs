//! A client of Apache Kafka and Klamm in pure Rust.
//!
#![doc = include_str!("../README.md")]
//!
//! # The client itself
//!
//! [`Client`] is the root: a pool of connections, the cluster's metadata, and [`Client::send`] for any request of the
//! protocol. It is cheap to clone and may be shared by everything in a process.
//!
//! ```no_run
//! # async fn run() -> Result<(), klamm_client::ClientError> {
//! use klamm_client::{Client, ClientConfig};
//! let client = Client::connect(ClientConfig::new("localhost:9092")).await?;
//! for broker in client.metadata().brokers() {
//!     println!("{broker}");
//! }
//! # Ok(())
//! # }
//! ```

#![forbid(unsafe_code)]

#[macro_use]
mod settings;

pub mod admin;
mod api_versions;
mod backoff;
mod client;
mod connection;
mod consumer;
mod coordinators;
mod endpoint;
mod error;
mod group_offsets;
mod metadata;
mod pool;
mod producer;
mod routing;
mod share;
mod topic_partition;
mod transport;

pub use admin::Admin;
pub use api_versions::ApiVersions;
pub use backoff::{Backoff, Jitter};
pub use client::{Client, Lane, SendOptions};
pub use consumer::{
    AssignorName, Consumer, ConsumerBatch, ConsumerConfig, ConsumerHandle, ConsumerRecord, GroupProtocol,
    HeaderRef, IsolationLevel, OffsetAndTimestamp, OffsetReset, PartitionStream, RebalanceListener,
    RecordRef, RecordRefs, RecordStream,
};
pub use endpoint::Endpoint;
pub use error::ClientError;
pub use group_offsets::{ConsumerGroupMetadata, OffsetAndMetadata};
pub use metadata::{ClusterMetadata, PartitionMetadata, TopicMetadata};
pub use producer::{
    Acks, Delivery, Partitioner, Partitioning, Producer, ProducerConfig, ProducerRecord, RecordMetadata,
    Transaction, murmur2, partition_for_key,
};
pub use protocol;
pub use protocol::{CoordinatorType, ErrorCode, Uuid};
pub use records;
pub use settings::{ClientConfig, RecoveryStrategy, read_properties};
pub use share::{Acknowledgement, AcknowledgementMode, ShareConsumer, ShareConsumerConfig};
pub use topic_partition::TopicPartition;
pub use transport::{BoxedStream, ByteStream, Connecting, TcpTransport, Transport};
