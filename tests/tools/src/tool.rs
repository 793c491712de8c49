//! One run of one of Kafka's tools, and the text that tests send through them.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use testkit::server_process::{Product, ServerProcess};
use testkit::{bounded, prepared};

const LIMIT: Duration = Duration::from_secs(120);
const TOOLS: &str = "org.apache.kafka.tools.";

pub const TOPICS: &str = "TopicCommand";
pub const CONFIGS: &str = "kafka.admin.ConfigCommand";
pub const CONSUMER_GROUPS: &str = "consumer.group.ConsumerGroupCommand";
pub const GET_OFFSETS: &str = "GetOffsetShell";

/// A server, and the tools that are told its address.
pub struct Tools {
    bootstrap: String,
}

impl Tools {
    /// A fresh server of the product under test and the tools for it; `None` where they are not set up.
    pub fn with_server(configuration: &[(&str, &str)]) -> Result<Option<(ServerProcess, Self)>> {
        let product = Product::under_test();
        if !prepared::is_ready(&["kafka-tools"])
            || (product == Product::Kafka && !prepared::is_ready(&["kafka-server"]))
        {
            return Ok(None);
        }
        let server = ServerProcess::start(product, configuration)?;
        let tools = Self::of(&server);
        Ok(Some((server, tools)))
    }

    /// The tools for a server.
    pub fn of(server: &ServerProcess) -> Self {
        Self { bootstrap: server.bootstrap() }
    }

    /// What the tool prints.
    pub fn run(&self, tool: &str, arguments: &[&str]) -> Result<String> {
        self.feed(tool, arguments, b"")
    }

    /// What the tool prints, as lines with single spaces; empty ones are left out.
    pub fn lines(&self, tool: &str, arguments: &[&str]) -> Result<Vec<String>> {
        Ok(lines(&self.run(tool, arguments)?))
    }

    /// What the tool prints when it is given `input`.
    pub fn feed(&self, tool: &str, arguments: &[&str], input: &[u8]) -> Result<String> {
        // `kafka-cluster` and its like take their verb first.
        let (verb, options): (Vec<&str>, Vec<&str>) = match arguments.split_first() {
            Some((verb, options)) if !verb.starts_with("--") => (vec![verb], options.to_vec()),
            _ => (Vec::new(), arguments.to_vec()),
        };
        // `kafka-features` and `kafka-metadata-quorum` take it last.
        let (first, last) = match tool {
            "FeatureCommand" | "MetadataQuorumCommand" => (Vec::new(), verb),
            _ => (verb, Vec::new()),
        };
        let mut command = java(tool);
        command.args(first).args(["--bootstrap-server", &self.bootstrap]).args(last).args(options);
        let output = bounded::output(&mut command, input, LIMIT)?;
        String::from_utf8(output).with_context(|| format!("{tool} printed no text"))
    }

    /// What a tool prints that must end with an error.
    pub fn refusal(&self, tool: &str, arguments: &[&str]) -> Result<String> {
        match self.run(tool, arguments) {
            Ok(output) => bail!("{tool} {arguments:?} succeeded: {output}"),
            Err(error) => Ok(format!("{error:#}")),
        }
    }

    /// Creates a topic.
    pub fn create_topic(&self, topic: &str, options: &[&str]) -> Result<()> {
        let created = self.run(TOPICS, &[&["--create", "--topic", topic], options].concat())?;
        ensure!(created.contains(&format!("Created topic {topic}.")), "{created}");
        Ok(())
    }

    /// Sends each line of `text` as a record.
    pub fn produce(&self, topic: &str, text: &str, options: &[&str]) -> Result<()> {
        self.feed("ConsoleProducer", &[&["--topic", topic], options].concat(), text.as_bytes())?;
        Ok(())
    }

    /// `count` records, a line each.
    pub fn consume(&self, topic: &str, count: usize, options: &[&str]) -> Result<String> {
        let count = count.to_string();
        let fixed = ["--topic", topic, "--from-beginning", "--max-messages", &count, "--timeout-ms", "60000"];
        self.run("consumer.ConsoleConsumer", &[&fixed, options].concat())
    }
}

/// What a tool that needs no server prints.
pub fn run_offline(tool: &str, arguments: &[&str]) -> Result<String> {
    let output = bounded::output(java(tool).args(arguments), b"", LIMIT)?;
    Ok(String::from_utf8_lossy(&output).into_owned())
}

fn java(tool: &str) -> Command {
    let class = if tool.starts_with("kafka.") { tool.to_owned() } else { format!("{TOOLS}{tool}") };
    let mut command = Command::new("java");
    command.args(["-Xmx256m", "-XX:+UseSerialGC", "-XX:TieredStopAtLevel=1", "-cp"]);
    command.arg(prepared::folder().join("kafka-tools-4.3.1/*")).arg(class);
    command
}

/// Lines with single spaces; empty ones are left out.
pub fn lines(text: &str) -> Vec<String> {
    let squeezed = text.lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "));
    squeezed.filter(|line| !line.is_empty()).collect()
}

/// A text that people have written: some of this repository's, empty lines and umlauts included.
pub fn text() -> Result<String> {
    let mut text = String::new();
    for name in ["LICENSE", "README.md", "CONTRIBUTING.md"] {
        let path = prepared::repository().join(name);
        text += &fs::read_to_string(&path).with_context(|| path.display().to_string())?;
    }
    text += "Zwölf Boxkämpfer jagen Viktor quer über den großen Sylter Deich: 十二 🥊\n";
    Ok(text)
}

/// Fails unless the texts are equal, showing where they part.
pub fn ensure_equal(got: &str, wanted: &str) -> Result<()> {
    let number = got.lines().zip(wanted.lines()).take_while(|(got, wanted)| got == wanted).count();
    ensure!(
        got == wanted,
        "{} bytes instead of {}; line {number} is {:?} instead of {:?}",
        got.len(),
        wanted.len(),
        got.lines().nth(number),
        wanted.lines().nth(number)
    );
    Ok(())
}
