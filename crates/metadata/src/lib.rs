//! The cluster's metadata as an immutable image, and the deltas that records make.
//!
//! Records of the metadata log (`protocol::metadata_records`) are replayed into a [`MetadataDelta`], which gives the
//! next [`MetadataImage`] and says what changed. Images share what did not change, so creating one topic among
//! many copies one path of two trees. Nothing here does I/O, reads a clock or draws a random number.

pub mod acls;
pub mod client_quotas;
pub mod cluster;
pub mod configs;
pub mod delegation_tokens;
pub mod directory_id;
pub mod features;
pub mod producer_ids;
pub mod scram;
pub mod topics;

mod delta;
mod error;
mod image;
mod loader;
mod metadata_version;
mod partition;
mod provenance;

pub use cluster::{BrokerRegistration, ClusterImage, Endpoint, VersionRange};
pub use configs::{ConfigResource, ConfigResourceType, ConfigurationsImage, ResourceConfigs};
pub use delta::MetadataDelta;
pub use error::MetadataError;
pub use features::{FeaturesImage, KRAFT_VERSION_FEATURE};
pub use image::{ELIGIBLE_LEADER_REPLICAS_FEATURE, MetadataImage};
pub use loader::{MetadataBatch, MetadataLoader, Publication};
pub use metadata_version::{METADATA_VERSION_FEATURE, MetadataVersion};
pub use partition::{LeaderRecoveryState, NO_LEADER, NO_LEADER_CHANGE, PartitionRegistration, WriteOptions};
pub use producer_ids::ProducerIdsImage;
pub use provenance::Provenance;
pub use topics::{LocalReplica, LocalReplicaChanges, TopicDelta, TopicImage, TopicsDelta, TopicsImage};
