//! A node of Apache Kafka is taken over with everything it holds, goes on, and is given back.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use klamm_client::{Client, ClientConfig, Producer, ProducerConfig, ProducerRecord};
use testkit::server_process::{Product, ServerProcess, klamm_binary};
use testkit::{bounded, prepared};

use crate::tool::{CONFIGS, CONSUMER_GROUPS, TOPICS, Tools, ensure_equal, lines};

const LIMIT: Duration = Duration::from_secs(60);
const SETTINGS: &[(&str, &str)] =
    &[("offsets.topic.num.partitions", "2"), ("transaction.state.log.num.partitions", "2")];
const COMMITTED_ONLY: [&str; 2] = ["--isolation-level", "read_committed"];

#[test]
fn a_node_is_taken_over_with_all_it_holds_and_given_back() -> Result<()> {
    if !prepared::is_ready(&["kafka-tools", "kafka-server"]) {
        return Ok(());
    }
    let mut server = ServerProcess::start(Product::Kafka, SETTINGS)?;
    let tools = Tools::of(&server);
    let text: String = (0..500).map(|number| format!("line {number}\n")).collect();
    let before = fill(&server, &tools, &text)?;
    ensure!(storage(&server, "adopt", &[])?.1.contains("in use by a running server"));
    server.stop()?;

    server.hand_to(Product::Klamm)?;
    let refused = format!("{:#}", server.launch().err().context("Kafka's directory is refused")?);
    ensure!(refused.contains("klamm storage adopt"), "{refused}");
    let untouched = fs::read(server.data().join("__cluster_metadata-0/quorum-state"))?;
    let (is_done, said) = storage(&server, "adopt", &[])?;
    ensure!(!is_done && said.contains("1 SCRAM users") && said.contains("1 client quotas"), "{said}");
    ensure!(said.contains("ann") && said.contains("producer_byte_rate=1000"), "{said}");
    ensure!(untouched == fs::read(server.data().join("__cluster_metadata-0/quorum-state"))?);
    let (is_done, said) = storage(&server, "adopt", &["--accept-unenforced"])?;
    ensure!(is_done, "{said}");
    server.launch()?;

    ensure_equal(&described(&tools)?, &before)?;
    ensure_equal(&tools.consume("text", 500, &[])?, &text)?;
    let more: String = (0..20).map(|number| format!("more {number}\n")).collect();
    tools.produce("text", &more, &[])?;
    // The group goes on where it was.
    ensure_equal(&tools.consume("text", 20, &["--group", "readers"])?, &more)?;
    ensure_equal(&tools.consume("paid", 2, &COMMITTED_ONLY)?, "committed 0\ncommitted 1\n")?;
    // What was pending is fenced off and aborted, and the next transaction shows.
    transact(&server, "pending", "after", true)?;
    ensure_equal(&tools.consume("paid", 4, &COMMITTED_ONLY)?, &paid("after"))?;
    create_with_own_setting(&server, "new")?;
    tools.produce("new", &text, &[])?;

    server.kill()?;
    let (is_done, said) = storage(&server, "hand-back", &[])?;
    ensure!(!is_done && said.contains("not stopped cleanly"), "{said}");
    server.launch()?;
    server.stop()?;
    let (is_done, said) = storage(&server, "hand-back", &[])?;
    ensure!(is_done && said.contains("Removed klamm.durability of topic new"), "{said}");
    server.hand_to(Product::Kafka)?;
    server.launch()?;
    ensure_equal(&tools.consume("text", 520, &[])?, &format!("{text}{more}"))?;
    ensure_equal(&tools.consume("paid", 4, &COMMITTED_ONLY)?, &paid("after"))?;
    ensure_equal(&tools.consume("new", 500, &[])?, &text)?;
    let altered =
        ["--entity-type", "topics", "--entity-name", "new", "--alter", "--add-config", "segment.ms=1"];
    tools.run(CONFIGS, &altered)?;
    let group = tools.lines(CONSUMER_GROUPS, &["--describe", "--group", "readers"])?;
    ensure!(group.contains(&"readers text 0 520 520 0 - - -".to_owned()), "{group:?}");
    tools.run(TOPICS, &["--delete", "--topic", "new"])?;
    ensure_equal(&described(&tools)?, &before)
}

#[test]
fn a_killed_node_is_taken_over() -> Result<()> {
    if !prepared::is_ready(&["kafka-tools", "kafka-server"]) {
        return Ok(());
    }
    let mut server = ServerProcess::start(Product::Kafka, SETTINGS)?;
    let tools = Tools::of(&server);
    tools.create_topic("text", &[])?;
    tools.produce("text", "one\ntwo\n", &[])?;
    server.kill()?;
    // What a power cut leaves of a batch.
    let log = server.data().join("__cluster_metadata-0/00000000000000000000.log");
    let whole = fs::read(&log)?;
    fs::write(&log, [&whole[..], &whole[..50]].concat())?;
    server.hand_to(Product::Klamm)?;
    let (is_done, said) = storage(&server, "adopt", &[])?;
    ensure!(is_done && said.contains("50 bytes") && said.contains("not stopped cleanly"), "{said}");
    server.launch()?;
    ensure_equal(&tools.consume("text", 2, &[])?, "one\ntwo\n")?;
    // Damage that no crash leaves is another thing.
    server.stop()?;
    ensure!(storage(&server, "hand-back", &[])?.0);
    let mut damaged = fs::read(&log)?;
    damaged[whole.len() / 2] ^= 1;
    fs::write(&log, damaged)?;
    let (is_done, said) = storage(&server, "adopt", &[])?;
    ensure!(!is_done && said.contains("is damaged at position"), "{said}");
    Ok(())
}

/// Topics, settings, offsets, transactions, users and quotas; what the topics look like.
fn fill(server: &ServerProcess, tools: &Tools, text: &str) -> Result<String> {
    tools.create_topic("text", &["--config", "retention.ms=99999999"])?;
    let compacted = ["--partitions", "3", "--config", "cleanup.policy=compact"];
    tools.create_topic("paid", &[])?;
    tools.create_topic("keyed", &compacted)?;
    tools.produce("text", text, &["--compression-codec", "lz4"])?;
    ensure_equal(&tools.consume("text", 500, &["--group", "readers"])?, text)?;
    transact(server, "committed", "committed", true)?;
    transact(server, "pending", "pending", false)?;
    let user = ["--entity-type", "users", "--entity-name", "ann", "--alter", "--add-config"];
    for setting in ["SCRAM-SHA-256=[password=secret]", "producer_byte_rate=1000"] {
        tools.run(CONFIGS, &[&user[..], &[setting]].concat())?;
    }
    described(tools)
}

fn described(tools: &Tools) -> Result<String> {
    let described = tools.lines(TOPICS, &["--describe", "--exclude-internal"])?;
    ensure!(described.iter().filter(|line| line.contains("TopicId:")).count() == 3, "{described:?}");
    Ok(described.join("\n"))
}

fn paid(last: &str) -> String {
    format!("committed 0\ncommitted 1\n{last} 0\n{last} 1\n")
}

/// Two records in a transaction, which is committed or left as a crash of the producer leaves it.
fn transact(server: &ServerProcess, id: &str, word: &str, commits: bool) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let ended = runtime.block_on(async {
        let client = Client::connect(ClientConfig::new(server.bootstrap())).await?;
        let config =
            ProducerConfig::new().transactional_id(Some(id.to_owned())).transaction_timeout_ms(600_000);
        let producer = Producer::new(&client, config)?;
        producer.init_transactions().await?;
        let transaction = producer.begin().await?;
        for number in 0..2 {
            transaction.send(ProducerRecord::to("paid").value(format!("{word} {number}"))).await?;
        }
        if commits {
            return transaction.commit().await.map_err(|(_, error)| error.into());
        }
        // Its drop would abort it.
        std::mem::forget(transaction);
        Ok(())
    });
    runtime.shutdown_background();
    ended
}

/// Kafka's tool refuses settings that it does not know before it asks the server.
fn create_with_own_setting(server: &ServerProcess, topic: &str) -> Result<()> {
    let create = ["topics", "--bootstrap-server", &server.bootstrap(), "--create", "--topic", topic];
    klamm(
        &[&create[..], &["--config", "klamm.durability=page-cache", "--config", "segment.ms=7200000"]]
            .concat(),
    )?;
    Ok(())
}

/// `klamm storage VERB --config …`: whether it succeeded, and all it said.
fn storage(server: &ServerProcess, verb: &str, options: &[&str]) -> Result<(bool, String)> {
    run(&server.properties(), verb, options)
}

fn run(properties: &Path, verb: &str, options: &[&str]) -> Result<(bool, String)> {
    let mut command = Command::new(klamm_binary());
    command.args(["storage", verb, "--config"]).arg(properties).args(options);
    match bounded::output(&mut command, b"", LIMIT) {
        Ok(output) => Ok((true, String::from_utf8(output)?)),
        Err(error) if format!("{error:#}").contains("panicked") => bail!("{error:#}"),
        Err(error) => Ok((false, lines(&format!("{error:#}")).join("\n"))),
    }
}

#[test]
fn a_first_start_begins_with_what_the_directory_was_formatted_with() -> Result<()> {
    if !prepared::is_ready(&["kafka-server"]) {
        return Ok(());
    }
    // Kafka's own tool has formatted it.
    let mut server = ServerProcess::stopped(Product::Kafka, SETTINGS)?;
    server.hand_to(Product::Klamm)?;
    server.launch()?;
    let features = klamm(&["features", "--bootstrap-server", &server.bootstrap(), "describe"])?;
    ensure!(features.contains("FinalizedVersionLevel: 4.4-IV2"), "{features}");
    server.stop()?;

    // Ours, with levels of an older release and a user.
    fs::remove_dir_all(server.data())?;
    let properties = server.properties();
    let properties = properties.to_str().context("a name in UTF-8")?;
    let format = ["storage", "format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config", properties];
    let user = "SCRAM-SHA-256=[name=ann,password=secret]";
    klamm(&[&format[..], &["--release-version", "4.1", "--add-scram", user]].concat())?;
    for _ in 0..2 {
        server.launch()?;
        let features = klamm(&["features", "--bootstrap-server", &server.bootstrap(), "describe"])?;
        ensure!(features.contains("FinalizedVersionLevel: 4.1-IV1"), "{features}");
        let described = ["--describe", "--entity-type", "users", "--entity-name", "ann"];
        let users =
            klamm(&[&["configs", "--bootstrap-server", &server.bootstrap()][..], &described].concat())?;
        ensure!(users.contains("SCRAM-SHA-256=iterations=4096"), "{users}");
        server.stop()?;
    }
    Ok(())
}

#[test]
fn kafka_starts_with_what_our_tool_formatted() -> Result<()> {
    if !prepared::is_ready(&["kafka-tools", "kafka-server"]) {
        return Ok(());
    }
    let mut server = ServerProcess::stopped(Product::Kafka, SETTINGS)?;
    let properties = server.properties();
    let name = properties.to_str().context("a name in UTF-8")?;
    let format = ["storage", "format", "--cluster-id", "4L6g3nShT-eMCtK--X86sw", "--config", name];
    let user = ["--add-scram", "SCRAM-SHA-256=[name=ann,password=secret]"];
    for (quorum, options) in [("voters", &user[..]), ("bootstrap.servers", &["--standalone"])] {
        fs::remove_dir_all(server.data())?;
        let settings = fs::read_to_string(&properties)?;
        let address = settings.lines().find_map(|line| line.strip_prefix("controller.quorum.voters=1@"));
        if let (Some(address), "bootstrap.servers") = (address, quorum) {
            let (is, shall_be) = (format!("voters=1@{address}"), format!("bootstrap.servers={address}"));
            fs::write(&properties, settings.replace(&is, &shall_be))?;
        }
        klamm(&[&format[..], options].concat())?;
        // What Kafka 4.4 does not find here it does not look for elsewhere.
        let snapshot = "__cluster_metadata-0/00000000000000000000-0000000000.checkpoint";
        ensure!(
            server.data().join(snapshot).exists() && !server.data().join("bootstrap.checkpoint").exists()
        );
        server.launch()?;
        let address = server.bootstrap();
        let features = klamm(&["features", "--bootstrap-server", &address, "describe"])?;
        ensure!(features.contains("FinalizedVersionLevel: 4.4-IV2"), "{features}");
        let kraft = features.lines().find(|line| line.contains("kraft.version")).context("is listed")?;
        let level = i32::from(quorum == "bootstrap.servers");
        ensure!(kraft.contains(&format!("FinalizedVersionLevel: {level}")), "{kraft}");
        if quorum == "voters" {
            let described = ["--describe", "--entity-type", "users", "--entity-name", "ann"];
            let users = klamm(&[&["configs", "--bootstrap-server", &address][..], &described].concat())?;
            ensure!(users.contains("SCRAM-SHA-256=iterations=4096"), "{users}");
        }
        let tools = Tools::of(&server);
        tools.create_topic("text", &[])?;
        tools.produce("text", "one\n", &[])?;
        ensure_equal(&tools.consume("text", 1, &[])?, "one\n")?;
        server.stop()?;
    }
    Ok(())
}

/// What a tool of Klamm's prints.
fn klamm(arguments: &[&str]) -> Result<String> {
    let output = bounded::output(Command::new(klamm_binary()).args(arguments), b"", LIMIT)?;
    Ok(String::from_utf8(output)?)
}
