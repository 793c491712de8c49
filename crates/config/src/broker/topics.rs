//! Broker keys: creating, deleting and describing topics.

use super::NO_CLASSES;
use crate::table::config_table;
use crate::value::Class;

config_table! {
    /// Creating, deleting and describing topics.
    TopicsConfig {
        /// Java class that may forbid changes of configuration. It cannot be loaded, and to pass over it
        /// would allow what it forbids.
        alter_config_policy_class_name: Option<Class> = "alter.config.policy.class.name" => null, Low, Any,
            refused(NO_CLASSES);

        /// Whether a topic is created when a client asks for the metadata of one that does not exist.
        auto_create_topics_enable: bool = "auto.create.topics.enable" => "true", High, Any;

        /// Java class that may forbid the creation of topics. It cannot be loaded, and to pass over it
        /// would allow what it forbids.
        create_topic_policy_class_name: Option<Class> = "create.topic.policy.class.name" => null, Low, Any,
            refused(NO_CLASSES);

        /// Replicas of a topic that is created without saying how many.
        default_replication_factor: i32 = "default.replication.factor" => "1", Medium, Any;

        /// Whether topics can be deleted.
        delete_topic_enable: bool = "delete.topic.enable" => "true", High, Any;

        /// Most partitions that one DescribeTopicPartitions request answers.
        max_request_partition_size_limit: i32 = "max.request.partition.size.limit" => "2000",
            Medium, AtLeast(1);

        /// Partitions of a topic that is created without saying how many.
        num_partitions: i32 = "num.partitions" => "1", Medium, AtLeast(1);
    }
}
