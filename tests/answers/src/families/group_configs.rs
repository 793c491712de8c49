//! Settings of groups: IncrementalAlterConfigs and DescribeConfigs of GROUP resources.

use anyhow::Result;
use protocol::messages::describe_configs_request::DescribeConfigsResource;
use protocol::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use protocol::messages::{
    DescribeConfigsRequest, IncrementalAlterConfigsRequest, ListConfigResourcesRequest,
};

use crate::session::Session;

const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;

pub fn ask(session: &mut Session) -> Result<()> {
    session.ask("every setting of a group nobody knows", 4, describing("unknown"))?;
    for (key, values) in [
        ("consumer.session.timeout.ms", &["50000", "44999", "60001", "soon"][..]),
        ("consumer.heartbeat.interval.ms", &["6000", "4999", "15001"]),
        ("consumer.assignment.interval.ms", &["100", "-1", "999999"]),
        ("consumer.assignor.offload.enable", &["false", "perhaps"]),
        ("share.session.timeout.ms", &["50000", "44999", "60001"]),
        ("share.heartbeat.interval.ms", &["6000", "4999", "15001"]),
        ("share.record.lock.duration.ms", &["20000", "14999", "60001", "100"]),
        ("share.delivery.count.limit", &["7", "1", "11", "0"]),
        ("share.partition.max.record.locks", &["300", "99", "10001"]),
        ("share.auto.offset.reset", &["earliest", "latest", "by_duration:PT1H", "by_duration:soon", "none"]),
        ("share.isolation.level", &["read_committed", "read_uncommitted", "read_everything"]),
        ("share.renew.acknowledge.enable", &["false", "maybe"]),
        ("share.assignment.interval.ms", &["100", "-1"]),
        ("errors.deadletterqueue.topic.name", &["dlq.sharers", "a b", "__dlq"]),
        ("errors.deadletterqueue.topic.auto.create.enable", &["true"]),
        ("errors.deadletterqueue.copy.record.enable", &["true"]),
        ("streams.session.timeout.ms", &["50000", "44999", "60001"]),
        ("streams.heartbeat.interval.ms", &["6000", "4999", "15001"]),
        ("streams.num.standby.replicas", &["1", "3", "-1"]),
        ("streams.num.warmup.replicas", &["3", "0"]),
        ("streams.initial.rebalance.delay.ms", &["100", "-1"]),
        ("streams.task.offset.interval.ms", &["30000", "1"]),
        ("streams.acceptable.recovery.lag", &["100", "-1"]),
        ("no.such.key", &["1"]),
        ("retention.ms", &["1"]),
    ] {
        for value in values {
            let name = format!("set {key} to {value}");
            session.ask(&name, 1, altering("settled", &[(key, SET, Some(value))]))?;
        }
    }
    together(session)
}

fn together(session: &mut Session) -> Result<()> {
    session.ask("every setting of the group", 4, describing("settled"))?;
    session.ask(
        "a heartbeat longer than the session",
        1,
        altering(
            "settled",
            &[
                ("consumer.heartbeat.interval.ms", SET, Some("15000")),
                ("consumer.session.timeout.ms", SET, Some("45000")),
            ],
        ),
    )?;
    session.ask(
        "one good, one bad",
        1,
        altering(
            "halves",
            &[
                ("consumer.session.timeout.ms", SET, Some("50000")),
                ("share.session.timeout.ms", SET, Some("1")),
            ],
        ),
    )?;
    session.ask("what became of the good one", 4, describing("halves"))?;
    session.ask(
        "delete a setting",
        1,
        altering("settled", &[("consumer.session.timeout.ms", DELETE, None)]),
    )?;
    session.ask(
        "delete a setting that is not set",
        1,
        altering("halves", &[("share.session.timeout.ms", DELETE, None)]),
    )?;
    session.ask(
        "append to a setting",
        1,
        altering("settled", &[("share.auto.offset.reset", APPEND, Some("latest"))]),
    )?;
    session.ask("set it to nothing", 1, altering("settled", &[("share.auto.offset.reset", SET, None)]))?;
    session.ask(
        "a group without a name",
        1,
        altering("", &[("share.auto.offset.reset", SET, Some("latest"))]),
    )?;
    let mut checked = altering("checked", &[("share.auto.offset.reset", SET, Some("latest"))]);
    checked.validate_only = true;
    session.ask("only checked", 1, checked)?;
    let groups = ListConfigResourcesRequest { resource_types: vec![GROUP], ..Default::default() };
    session.ask("groups that have settings", 1, groups)?;
    session.ask("settings in the end", 4, describing("settled"))?;
    Ok(())
}

fn altering(group: &str, settings: &[(&str, i8, Option<&str>)]) -> IncrementalAlterConfigsRequest {
    let config = |(name, config_operation, value): &(&str, i8, Option<&str>)| AlterableConfig {
        name: (*name).to_owned(),
        config_operation: *config_operation,
        value: value.map(str::to_owned),
        ..Default::default()
    };
    let resource = AlterConfigsResource {
        resource_type: GROUP,
        resource_name: group.to_owned(),
        configs: settings.iter().map(config).collect(),
        ..Default::default()
    };
    IncrementalAlterConfigsRequest { resources: vec![resource], ..Default::default() }
}

fn describing(group: &str) -> DescribeConfigsRequest {
    let resource = DescribeConfigsResource {
        resource_type: GROUP,
        resource_name: group.to_owned(),
        ..Default::default()
    };
    DescribeConfigsRequest { resources: vec![resource], include_synonyms: true, ..Default::default() }
}
