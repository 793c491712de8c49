//! Runs a command line: as ours, or as Kafka's.

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::PathBuf;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use anyhow::{Context, Result, bail};
use testkit::prepared;

/// What a tool said.
pub struct Answer {
    pub exit: i32,
    pub out: String,
    pub err: String,
}

const TOOLS: &str = "org.apache.kafka.tools.";

/// Each of our tools with the class of Kafka's.
const CLASSES: &[(&str, &str)] = &[
    ("topics", "TopicCommand"),
    ("console-producer", "ConsoleProducer"),
    ("console-consumer", "consumer.ConsoleConsumer"),
    ("console-share-consumer", "consumer.ConsoleShareConsumer"),
    ("consumer-groups", "consumer.group.ConsumerGroupCommand"),
    ("share-groups", "consumer.group.ShareGroupCommand"),
    ("streams-groups", "streams.StreamsGroupCommand"),
    ("groups", "GroupsCommand"),
    ("get-offsets", "GetOffsetShell"),
    ("delete-records", "DeleteRecordsCommand"),
    ("log-dirs", "LogDirsCommand"),
    ("producer-perf-test", "ProducerPerformance"),
    ("consumer-perf-test", "ConsumerPerformance"),
    ("share-consumer-perf-test", "ShareConsumerPerformance"),
    ("e2e-latency", "EndToEndLatency"),
    ("verifiable-producer", "VerifiableProducer"),
    ("verifiable-consumer", "VerifiableConsumer"),
    ("broker-api-versions", "BrokerApiVersionsCommand"),
    ("cluster", "ClusterTool"),
    ("features", "FeatureCommand"),
    ("dump-log", "DumpLogSegments"),
    ("transactions", "TransactionsCommand"),
    ("leader-election", "LeaderElectionCommand"),
    ("reassign-partitions", "reassign.ReassignPartitionsCommand"),
    ("client-metrics", "ClientMetricsCommand"),
    ("acls", "AclCommand"),
    ("metadata-quorum", "MetadataQuorumCommand"),
];

/// Every tool of ours that one of Kafka's classes answers for.
pub fn tools_of_kafka() -> impl Iterator<Item = &'static str> {
    CLASSES.iter().map(|(name, _)| *name).chain(["configs", "storage"])
}

/// Our binary beside the test programs, or `KLAMM_BINARY`.
pub fn our_binary() -> Result<PathBuf> {
    if let Some(path) = env::var_os("KLAMM_BINARY") {
        return Ok(PathBuf::from(path));
    }
    let program = env::current_exe()?;
    Ok(program.ancestors().nth(2).context("test programs lie in target/debug/deps")?.join("klamm"))
}

/// The class of Kafka's that does what one of our tools does.
pub fn kafkas_class(tool: &str) -> Result<String> {
    Ok(match tool {
        "configs" => "kafka.admin.ConfigCommand".to_owned(),
        "storage" => "kafka.tools.StorageTool".to_owned(),
        tool => match CLASSES.iter().find(|(name, _)| *name == tool) {
            Some((_, class)) => format!("{TOOLS}{class}"),
            None => bail!("no class is known for {tool}"),
        },
    })
}

/// Runs one of our tools.
pub fn our_tool(words: &[String], input: &str) -> Result<Answer> {
    let mut child = Command::new("timeout")
        .arg("60")
        .arg(our_binary()?)
        .args(words)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()?;
    let mut stdin = child.stdin.take().context("standard input is a pipe")?;
    // A tool may end without reading everything.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    Ok(Answer {
        exit: output.status.code().unwrap_or(-1),
        out: String::from_utf8_lossy(&output.stdout).into_owned(),
        err: String::from_utf8_lossy(&output.stderr).into_owned(),
    })
}

/// Kafka's tools, in one JVM that runs one after the other.
pub struct KafkasTools {
    child: Child,
    stdin: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl KafkasTools {
    pub fn start() -> Result<Self> {
        let source = prepared::repository().join("tests/tools/java/ToolRunner.java");
        let mut child = Command::new("java")
            .args([
                "-Djava.security.manager=allow",
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-Dlog4j2.level=OFF",
                "-cp",
            ])
            .arg(prepared::folder().join("kafka-tools-4.3.1/*"))
            .arg(source)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .context("java")?;
        let stdin = child.stdin.take().context("standard input is a pipe")?;
        let answers = BufReader::new(child.stdout.take().context("standard output is a pipe")?);
        Ok(Self { child, stdin, answers })
    }

    pub fn run(&mut self, words: &[String], input: &str) -> Result<Answer> {
        let (tool, arguments) = words.split_first().context("an empty command line")?;
        let class = kafkas_class(tool)?;
        let mut request = vec![class, input.replace('\n', "\u{1e}")];
        request.extend_from_slice(arguments);
        writeln!(self.stdin, "{}", request.join("\u{1f}"))?;
        self.stdin.flush()?;
        loop {
            let mut line = String::new();
            if self.answers.read_line(&mut line)? == 0 {
                bail!("the JVM has ended");
            }
            let Some(answer) = line.trim_end_matches('\n').strip_prefix('\u{1}') else { continue };
            let parts: Vec<_> = answer.split('\u{2}').collect();
            let [exit, out, err] = parts[..] else { bail!("a malformed answer: {answer}") };
            return Ok(Answer {
                exit: exit.parse()?,
                out: out.replace('\u{1e}', "\n"),
                err: err.replace('\u{1e}', "\n"),
            });
        }
    }
}

impl Drop for KafkasTools {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
