//! `--output json` of every tool that prints data: it parses, and it holds what the text holds.

use std::collections::BTreeSet;
use std::fs;

use anyhow::{Context, Result, ensure};
use serde_json::Value;
use testkit::server_process::{Product, ServerProcess};

use crate::recorded::player::{Answer, our_tool};

/// What is done before; `<` parts the command from its input.
const BEFORE: &[&str] = &[
    "topics B --create --topic one --partitions 2 --config retention.ms=3600000",
    "topics B --create --topic readable --partitions 1",
    "console-producer B --topic one --reader-property parse.key=true --reader-property key.separator=: < k1:v1\nk2:v2\nk3:v3\n",
    "console-consumer B --topic one --group g1 --from-beginning --max-messages 3 --timeout-ms 30000",
    "configs B --alter --group sg --add-config share.auto.offset.reset=earliest",
    "configs B --alter --entity-type clients --entity-name c1 --add-config producer_byte_rate=2048",
    "console-share-consumer B --topic one --group sg --max-messages 3 --timeout-ms 30000",
    "client-metrics B --alter --name m1 --metrics org.apache --interval 60000 --match client_id=x1",
    "producer-perf-test B --topic readable --num-records 20 --record-size 10 --throughput -1 --transactional-id t1",
];

/// Commands whose text and JSON say the same.
const SAME: &[&str] = &[
    "topics B --list",
    "topics B --describe",
    "topics B --describe --topic one",
    "configs B --describe --topic one",
    "configs B --describe --topic one --all",
    "configs B --describe --entity-type clients --entity-name c1",
    "configs B --describe --group sg",
    "consumer-groups B --list",
    "consumer-groups B --list --state --type",
    "consumer-groups B --describe --group g1",
    "consumer-groups B --describe --group g1 --offsets --verbose",
    "consumer-groups B --describe --group g1 --members --verbose",
    "consumer-groups B --describe --group g1 --state --verbose",
    "consumer-groups B --reset-offsets --group g1 --topic one --to-earliest --dry-run",
    "consumer-groups B --reset-offsets --group g1 --topic one --to-earliest --export --dry-run",
    "groups B --list",
    "share-groups B --list --state",
    "share-groups B --describe --group sg",
    "share-groups B --describe --group sg --offsets --verbose",
    "share-groups B --describe --group sg --state --verbose",
    "share-groups B --reset-offsets --group sg --topic one --to-earliest --dry-run",
    "streams-groups B --list",
    "get-offsets B --topic one",
    "delete-records B --offset-json-file {folder}/records.json",
    "log-dirs B --describe --topic-list one",
    "broker-api-versions B",
    "cluster cluster-id B",
    "cluster list-endpoints B",
    "features B describe",
    "features B version-mapping",
    "features B feature-dependencies --feature kraft.version=1",
    "leader-election B --election-type preferred --topic one --partition 0",
    "reassign-partitions B --list",
    "reassign-partitions B --verify --reassignment-json-file {folder}/same.json --preserve-throttles",
    "reassign-partitions B --generate --topics-to-move-json-file {folder}/topics.json --broker-list 1",
    "transactions B list",
    "transactions B describe-producers --topic readable --partition 0",
    "client-metrics B --list",
    "client-metrics B --describe --name m1",
    "storage info --config {folder}/node.properties",
    "storage version-mapping",
    "storage feature-dependencies --feature kraft.version=1",
    "dump-log --files {data}/readable-0/00000000000000000000.log --print-data-log",
    "dump-log --files {data}/readable-0/00000000000000000000.log",
];

/// Commands whose numbers are others each time, with fields that must be there.
const SHAPES: &[(&str, &[&str])] = &[
    ("metadata-quorum B describe --status", &["ClusterId", "LeaderId", "HighWatermark", "CurrentVoters"]),
    ("metadata-quorum B describe --replication", &["NodeId", "LogEndOffset", "Lag", "Status"]),
    ("transactions B describe --transactional-id t1", &["TransactionalId", "ProducerId", "TransactionState"]),
    (
        "producer-perf-test B --topic one --num-records 5 --record-size 9 --throughput -1",
        &["records", "latencyMs", "p99"],
    ),
    ("consumer-perf-test B --topic readable --num-records 5", &["data.consumed.in.nMsg", "fetch.time.ms"]),
    (
        "share-consumer-perf-test B --topic one --group sg --num-records 1",
        &["data.consumed.in.nMsg", "fetch.time.ms"],
    ),
    ("e2e-latency B --topic readable --num-records 2 --producer-acks 1 --record-size 9", &["records", "p50"]),
    ("verifiable-producer B --topic one --max-messages 2", &["name", "offset", "acked"]),
    ("verifiable-consumer B --topic one --group-id v1 --max-messages 2", &["name", "partitions", "count"]),
    (
        "console-consumer B --topic one --from-beginning --max-messages 2",
        &["topic", "partition", "offset", "value"],
    ),
    (
        "console-share-consumer B --topic one --group sg --max-messages 1",
        &["topic", "partition", "offset", "value"],
    ),
    ("consumer-groups B --delete-offsets --group g1 --topic one", &["topic", "partition", "status"]),
    ("share-groups B --delete-offsets --group sg --topic one", &["topic", "status"]),
    (
        "reassign-partitions B --execute --reassignment-json-file {folder}/same.json",
        &["partitions", "replicas"],
    ),
    ("topics B --create --topic new", &["topic", "id"]),
    ("storage random-uuid", &["uuid"]),
    ("cat -b {bootstrap} -L", &["brokers", "topics"]),
    ("cat -b {bootstrap} -Q -t one:0:-1", &["one"]),
];

/// Commands that do something: standard output stays free for results.
const DEEDS: &[&str] = &[
    "configs B --alter --topic one --add-config retention.ms=7200000",
    "client-metrics B --alter --name m2 --interval 1000",
    "client-metrics B --delete --name m2",
    "consumer-groups --validate-regex a.*",
    "topics B --alter --topic one --partitions 3",
    "topics B --delete --topic new",
];

/// Everything that a document says, in words.
fn scalars(value: &Value, words: &mut BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            words.extend(parts(name));
            scalars(value, words);
        }),
        Value::Array(values) => values.iter().for_each(|value| scalars(value, words)),
        Value::String(text) => words.extend(parts(text)),
        other => words.extend(parts(&other.to_string())),
    }
}

fn parts(text: &str) -> impl Iterator<Item = String> {
    let words = text.split(|letter: char| letter.is_whitespace() || ",:;()[]{}=\"'/|#`".contains(letter));
    let words = words.map(|word| word.trim_end_matches('.').to_lowercase()).filter(|word| !word.is_empty());
    // `one-0` is a topic and a partition.
    words.flat_map(|word| match word.strip_prefix("one-") {
        Some(partition) => vec!["one".to_owned(), partition.to_owned()],
        None => vec![word],
    })
}

/// Numbers, and the names that this test has given; the rest of a text is headings and sentences.
fn is_datum(word: &str) -> bool {
    // Releases stand beside their levels for people.
    word.bytes().any(|byte| byte.is_ascii_digit()) && !word.contains("-iv")
        || matches!(
            word,
            "one" | "readable" | "Stable" | "Empty" | "Consumer" | "Classic" | "Share" | "Leader"
        )
}

/// A document, or one per line.
fn documents(answer: &Answer) -> Result<Vec<Value>> {
    if let Ok(value) = serde_json::from_str(&answer.out) {
        return Ok(vec![value]);
    }
    let parse = |line: &str| serde_json::from_str(line).with_context(|| format!("no JSON: {line}"));
    answer.out.lines().map(parse).collect()
}

#[test]
fn json_holds_what_the_text_holds() -> Result<()> {
    let server = ServerProcess::start(Product::Klamm, &[])?;
    let folder = tempfile::tempdir()?;
    let data = server.data().to_string_lossy().into_owned();
    for (name, content) in [
        ("records.json", r#"{"partitions": [{"topic": "one", "partition": 0, "offset": 0}], "version": 1}"#),
        ("same.json", r#"{"partitions": [{"topic": "one", "partition": 0, "replicas": [1]}], "version": 1}"#),
        ("topics.json", r#"{"topics": [{"topic": "one"}], "version": 1}"#),
        ("node.properties", &format!("node.id=1\nlog.dirs={data}\n")),
    ] {
        fs::write(folder.path().join(name), content)?;
    }
    let path = folder.path().to_string_lossy().into_owned();
    let run = |line: &str, more: &[&str]| -> Result<Answer> {
        let (line, input) = line.split_once(" < ").unwrap_or((line, ""));
        let words = line.split(' ').flat_map(|word| match word {
            "B" => vec!["--bootstrap-server".to_owned(), server.bootstrap()],
            word => vec![
                word.replace("{folder}", &path)
                    .replace("{data}", &data)
                    .replace("{bootstrap}", &server.bootstrap()),
            ],
        });
        let words: Vec<String> = words.chain(more.iter().map(|word| (*word).to_owned())).collect();
        let answer = our_tool(&words, input)?;
        ensure!(answer.exit == 0, "{line} {more:?}: {} {}{}", answer.exit, answer.out, answer.err);
        Ok(answer)
    };
    for line in BEFORE {
        run(line, &[])?;
    }
    let json = ["--output", "json"];
    let mut report = String::new();
    for line in SAME {
        let (text, answer) = (run(line, &[])?, run(line, &json)?);
        let mut known = BTreeSet::new();
        documents(&answer)
            .with_context(|| (*line).to_owned())?
            .iter()
            .for_each(|value| scalars(value, &mut known));
        let missing: Vec<_> =
            parts(&text.out).filter(|word| is_datum(word) && !known.contains(word)).collect();
        if !missing.is_empty() {
            report += &format!("{line}: without {missing:?}\n{}{}\n", text.out, answer.out);
        }
    }
    for (line, fields) in SHAPES {
        let answer = run(line, &json)?;
        let mut known = BTreeSet::new();
        documents(&answer)
            .with_context(|| (*line).to_owned())?
            .iter()
            .for_each(|value| scalars(value, &mut known));
        let missing: Vec<_> = fields.iter().filter(|field| !known.contains(&field.to_lowercase())).collect();
        if !missing.is_empty() {
            report += &format!("{line}: without {missing:?}\n{}\n", answer.out);
        }
    }
    for line in DEEDS {
        let answer = run(line, &json)?;
        if !answer.out.is_empty() {
            report += &format!("{line}: {}\n", answer.out);
        }
    }
    println!("note: json: {} commands say the same, {} have their fields", SAME.len(), SHAPES.len());
    ensure!(report.is_empty(), "{report}");
    Ok(())
}
