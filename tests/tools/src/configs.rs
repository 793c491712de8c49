//! `kafka-configs`.

use anyhow::{Result, ensure};

use crate::tool::{CONFIGS, Tools};

/// Sets, sees, removes and sees again.
fn alter_and_describe(tools: &Tools, entity: &[&str], key: &str, value: &str) -> Result<()> {
    let run = |options: &[&str]| tools.run(CONFIGS, &[entity, options].concat());
    let setting = format!("{key}={value}");
    let altered = run(&["--alter", "--add-config", &setting])?;
    ensure!(altered.contains("Completed updating"), "{altered}");
    let shown = setting.replace(['[', ']'], "");
    let described = run(&["--describe"])?;
    ensure!(described.contains(&shown), "{setting}: {described}");
    let altered = run(&["--alter", "--delete-config", key])?;
    ensure!(altered.contains("Completed updating"), "{altered}");
    let described = run(&["--describe"])?;
    ensure!(!described.contains(&shown), "{setting}: {described}");
    Ok(())
}

#[test]
fn configs_of_topics_and_brokers_are_altered_and_described() -> Result<()> {
    let Some((_server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    tools.create_topic("one", &[])?;
    let topic = ["--entity-type", "topics", "--entity-name", "one"];
    alter_and_describe(&tools, &topic, "cleanup.policy", "[compact,delete]")?;
    let refused =
        tools.refusal(CONFIGS, &[&topic[..], &["--alter", "--add-config", "retention.ms=soon"]].concat())?;
    ensure!(refused.contains("Not a number of type LONG"), "{refused}");
    let all = tools.lines(CONFIGS, &[&topic[..], &["--describe", "--all"]].concat())?;
    let wanted =
        "segment.bytes=1073741824 sensitive=false synonyms={DEFAULT_CONFIG:log.segment.bytes=1073741824}";
    ensure!(all.iter().any(|line| line == wanted), "{all:?}");

    let broker = ["--entity-type", "brokers", "--entity-name", "1"];
    alter_and_describe(&tools, &broker, "log.cleaner.threads", "2")?;
    let defaults = ["--entity-type", "brokers", "--entity-default"];
    alter_and_describe(&tools, &defaults, "log.retention.ms", "99999999")?;
    let all = tools.lines(CONFIGS, &[&broker[..], &["--describe", "--all"]].concat())?;
    ensure!(all.iter().any(|line| line.starts_with("node.id=1 sensitive=false")), "{all:?}");
    let refused =
        tools.refusal(CONFIGS, &[&broker[..], &["--alter", "--add-config", "node.id=7"]].concat())?;
    ensure!(refused.contains("Cannot update these configs dynamically"), "{refused}");
    Ok(())
}

#[test]
fn configs_of_groups_metrics_quotas_and_users_are_altered_and_described() -> Result<()> {
    let Some((_server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    let group = ["--entity-type", "groups", "--entity-name", "readers"];
    alter_and_describe(&tools, &group, "consumer.session.timeout.ms", "50000")?;
    let metrics = ["--entity-type", "client-metrics", "--entity-name", "some"];
    alter_and_describe(&tools, &metrics, "interval.ms", "10000")?;
    let client = [
        "--entity-type",
        "users",
        "--entity-name",
        "ann",
        "--entity-type",
        "clients",
        "--entity-name",
        "app",
    ];
    alter_and_describe(&tools, &client, "producer_byte_rate", "1024")?;
    let address = ["--entity-type", "ips", "--entity-name", "127.0.0.9"];
    alter_and_describe(&tools, &address, "connection_creation_rate", "10")?;

    let user = ["--entity-type", "users", "--entity-name", "ann"];
    let credential = ["--alter", "--add-config", "SCRAM-SHA-256=[iterations=8192,password=secret]"];
    tools.run(CONFIGS, &[&user[..], &credential].concat())?;
    let described = tools.run(CONFIGS, &[&user[..], &["--describe"]].concat())?;
    let wanted = "SCRAM credential configs for user-principal 'ann' are SCRAM-SHA-256=iterations=8192";
    ensure!(described.contains(wanted), "{described}");
    tools.run(CONFIGS, &[&user[..], &["--alter", "--delete-config", "SCRAM-SHA-256"]].concat())?;
    let described = tools.run(CONFIGS, &[&user[..], &["--describe"]].concat())?;
    ensure!(!described.contains("SCRAM-SHA-256"), "{described}");
    Ok(())
}
