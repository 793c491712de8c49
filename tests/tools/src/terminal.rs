//! What only people see: colours and bars on a terminal, and a hint after every mistake.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use testkit::server_process::{Product, ServerProcess};

use crate::recorded::player::{our_binary, our_tool};

fn words(line: &str) -> Vec<String> {
    line.split(' ').map(str::to_owned).collect()
}

/// What a tool writes on a terminal, which `script` pretends to be.
fn on_a_terminal(line: &str, variables: &[(&str, &str)]) -> Result<String> {
    let command = format!("{} {line}", our_binary()?.display());
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env_remove("NO_COLOR").envs(variables.iter().copied());
    let output = script.stdin(Stdio::null()).output()?;
    ensure!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stdout));
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn colours_and_bars_are_for_terminals() -> Result<()> {
    let server = ServerProcess::start(Product::Klamm, &[])?;
    let bootstrap = server.bootstrap();
    let made = our_tool(&words(&format!("topics --bootstrap-server {bootstrap} --create --topic one")), "")?;
    ensure!(made.exit == 0, "{}", made.err);
    let describe = format!("topics --bootstrap-server {bootstrap} --describe --topic one");
    let coloured = on_a_terminal(&describe, &[])?;
    ensure!(coloured.contains("\u{1b}[1mone\u{1b}[0m"), "{coloured:?}");
    let plain = on_a_terminal(&describe, &[("NO_COLOR", "1")])?;
    ensure!(plain.contains("Topic: one\t") && !plain.contains('\u{1b}'), "{plain:?}");
    // An empty variable asks for nothing.
    let coloured = on_a_terminal(&describe, &[("NO_COLOR", "")])?;
    ensure!(coloured.contains('\u{1b}'), "{coloured:?}");
    let piped = our_tool(&words(&describe), "")?;
    ensure!(!piped.out.contains('\u{1b}') && piped.out.replace('\n', "\r\n") == plain, "{:?}", piped.out);

    // Half a second of work, so that there is something to wait for.
    let work = format!(
        "producer-perf-test --bootstrap-server {bootstrap} --topic one --num-records 100 --record-size 10 --throughput 200"
    );
    let shown = on_a_terminal(&work, &[])?;
    ensure!(shown.contains("sending [") && shown.contains("%\r"), "{shown:?}");
    ensure!(shown.contains("100 records sent"), "{shown:?}");
    let piped = our_tool(&words(&work), "")?;
    ensure!(!piped.err.contains("sending") && !piped.out.contains("sending"), "{}", piped.err);
    Ok(())
}

/// Mistakes, and the word that was meant.
const SLIPS: &[(&str, &str)] = &[
    ("topcs --list", "topics"),
    ("kafka-consumer-group.sh --list", "consumer-groups"),
    ("topics --lst B", "--list"),
    ("topics B --create --topic t --confg a=b", "--config"),
    ("topics B --create --topic t --config retention.mss=1", "retention.ms"),
    ("configs B --alter --topic one --add-config cleanup.polcy=compact", "cleanup.policy"),
    ("configs B --alter --broker-defaults --add-config log.retention.mss=1", "log.retention.ms"),
    ("configs B --describe --entity-type topcs --entity-name one", "topics"),
    ("consumer-groups B --list --state stabel", "Stable"),
    ("consumer-groups B --list --type clasic", "classic"),
    ("groups B --list --group-type consumr", "consumer"),
    ("share-groups B --list --state emtpy", "Empty"),
    ("leader-election B --election-type prefered --all-topic-partitions", "preferred"),
    ("acls B --add --allow-principal User:a --topic one --operation Raed", "Read"),
    ("acls B --list --topic one --resource-pattern-type literl", "literal"),
    ("console-producer B --topic one --compression-codec gzp", "gzip"),
    ("console-producer B --topic one --reader-property parse.kye=true", "parse.key"),
    ("console-consumer B --topic one --isolation-level read_comitted", "read_committed"),
    ("console-consumer B --topic one --partition 0 --offset earlist", "earliest"),
    ("console-consumer B --topic one --formatter-property print.kye=true --timeout-ms 100", "print.key"),
    (
        "console-consumer B --topic one --formatter org.apache.kafka.tools.consumer.NoOpMessageFormater",
        "NoOpMessageFormatter",
    ),
    ("cluster cluster-ids B", "cluster-id"),
    ("cluster list-endpoints B --include-fenced-broker5", "--include-fenced-brokers"),
    ("transactions B lsit", "list"),
    ("transactions B list --duration-filtr 5", "--duration-filter"),
    ("features B descrbe", "describe"),
    ("features B upgrade --feature share.versoin=1", "share.version"),
    ("features B upgrade --release-version 4.3-IV9", "4.3-IV"),
    ("metadata-quorum B describe --statsu", "--status"),
    ("get-offsets B --time lastest", "latest"),
    ("verifiable-consumer B --topic one --group-id g --reset-policy earlist", "earliest"),
    ("verifiable-consumer B --topic one --group-id g --group-protocol clasic", "classic"),
    ("e2e-latency B --topic one --num-records 1 --producer-acks al --record-size 1", "all"),
    ("storage fromat", "format"),
    ("storage feature-dependencies --feature group.versoin=1", "group.version"),
    ("completions bsh", "bash"),
    ("man topcs", "topics"),
    ("cat -b x --match-kye x", "--match-key"),
    ("topics B --list --output jsn", "json"),
];

#[test]
fn every_mistake_meets_a_hint() -> Result<()> {
    let server = ServerProcess::start(Product::Klamm, &[])?;
    let option = format!("--bootstrap-server {}", server.bootstrap());
    let made = our_tool(&words(&format!("topics {option} --create --topic one")), "")?;
    ensure!(made.exit == 0, "{}", made.err);
    let mut report = String::new();
    for (line, meant) in SLIPS {
        let answer = our_tool(&words(&line.replace(" B", &format!(" {option}"))), "x\n")?;
        let is_hint = |line: &&str| line.contains("hint: ") || line.contains("did you mean");
        if !answer.err.lines().filter(is_hint).any(|hint| hint.contains(meant)) {
            report += &format!(
                "{line}: {meant}? {}{}\n",
                answer.out,
                answer.err.chars().take(400).collect::<String>()
            );
        }
    }
    println!("note: hints: {} mistakes", SLIPS.len());
    ensure!(report.is_empty(), "{report}");
    Ok(())
}
