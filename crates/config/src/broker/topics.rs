//! Broker keys: creating, deleting and describing topics.

use crate::table::config_table;
use crate::value::Class;

config_table! {
    /// Creating, deleting and describing topics.
    TopicsConfig {
        alter_config_policy_class_name: Option<Class> = "alter.config.policy.class.name" => null, Low, Any;

        auto_create_topics_enable: bool = "auto.create.topics.enable" => "true", High, Any;

        create_topic_policy_class_name: Option<Class> = "create.topic.policy.class.name" => null, Low, Any;

        default_replication_factor: i32 = "default.replication.factor" => "1", Medium, Any;

        delete_topic_enable: bool = "delete.topic.enable" => "true", High, Any;

        max_request_partition_size_limit: i32 = "max.request.partition.size.limit" => "2000",
            Medium, AtLeast(1);

        num_partitions: i32 = "num.partitions" => "1", Medium, AtLeast(1);
    }
}
