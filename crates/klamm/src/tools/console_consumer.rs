//! `kafka-console-consumer`: records of topics on standard output.

mod member;
mod source;

use std::io::{BufWriter, Write, stdout};
use std::time::Duration;

use config::Properties;
use klamm_client::admin::IsolationLevel;

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, long, text};

pub use member::fetched;

use super::console_producer::{bootstrap, pairs};
use super::formatters::Formatter;
use super::java_errors;
use super::session::{BOOTSTRAP, Interruption, on_this_thread, read_properties};

const DEFAULT_FORMATTER: &str = "org.apache.kafka.tools.consumer.DefaultMessageFormatter";

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    text("topic", "topic", "The topic to read."),
    text("include", "regex", "Topics to read, as a Java regular expression."),
    integer("partition", "partition", "The partition to read; from its end on unless --offset says where."),
    text("offset", "offset", "Where to begin: a number, earliest or latest (default: latest)."),
    flag("from-beginning", "Begins with the first record where the group has no position yet."),
    text("group", "group", "The group to be a member of; without one nothing is committed."),
    integer("max-messages", "number", "Ends after so many records."),
    long("timeout-ms", "ms", "Ends when no record came for so long."),
    text(
        "isolation-level",
        "level",
        "read_committed leaves aborted and open transactions out; read_uncommitted does not (default).",
    ),
    flag("skip-message-on-error", "Goes on after a record that cannot be shown."),
    text(
        "formatter",
        "class",
        "What makes text of records (default: org.apache.kafka.tools.consumer.DefaultMessageFormatter).",
    ),
    text(
        "formatter-property",
        "name=value",
        "How: print.timestamp, print.key, print.offset, print.epoch, print.partition, print.headers, print.value, key.separator, line.separator, headers.separator, null.literal, key.deserializer, value.deserializer, headers.deserializer.",
    ),
    text("formatter-config", "file", "A properties file with the same."),
    text("key-deserializer", "class", "The deserializer of keys."),
    text("value-deserializer", "class", "The deserializer of values."),
    text("command-property", "name=value", "A setting of the consumer."),
    text("command-config", "file", "A properties file with settings of the consumer."),
    flag("enable-systest-events", "Tells on standard output when it ends."),
    text("property", "name=value", "").replaced_by("formatter-property"),
    text("consumer-property", "name=value", "").replaced_by("command-property"),
    text("consumer.config", "file", "").replaced_by("command-config"),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "console-consumer",
    classes: &["org.apache.kafka.tools.consumer.ConsoleConsumer", "kafka.tools.ConsoleConsumer"],
    about: "This tool reads topics and writes their records to standard output.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// What the command line asks for.
struct Request {
    properties: Properties,
    topic: Option<String>,
    include: Option<String>,
    partition: Option<i32>,
    offset: Option<i64>,
    from_beginning: bool,
    group: Option<String>,
    isolation: IsolationLevel,
    limit: Option<u64>,
    patience: Option<Duration>,
}

impl Request {
    /// Kafka's word for the isolation level.
    fn isolation_name(&self) -> &'static str {
        match self.isolation {
            IsolationLevel::ReadUncommitted => "read_uncommitted",
            IsolationLevel::ReadCommitted => "read_committed",
        }
    }
}

/// How long to wait for the group when leaving it.
const GOODBYE: Duration = Duration::from_secs(30);

/// Offsets that stand for places, as ListOffsets numbers them.
const LATEST: i64 = -1;
const EARLIEST: i64 = -2;

fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    let request = request(arguments)?;
    let formatter = formatter(arguments)?;
    let skips_errors = arguments.has("skip-message-on-error");
    let mut count = 0;
    let mut ended = None;
    let outcome = on_this_thread(async {
        let mut interruption = Interruption::watch()?;
        let opened = source::Source::open(&request);
        let opened = match request.patience {
            None => opened.await.map(Some),
            // Java's consumer waits for brokers and topics as long as for records.
            Some(patience) => {
                tokio::time::timeout(patience, opened).await.map_or(Ok(None), |opened| opened.map(Some))
            }
        };
        let Some(mut source) = opened? else { return Ok(()) };
        let mut out = BufWriter::with_capacity(1 << 16, stdout().lock());
        while request.limit.is_none_or(|limit| count < limit) {
            if source.would_wait() {
                out.flush()?;
            }
            let fetched = tokio::select! {
                biased;
                fetched = source.next(request.patience) => fetched?,
                code = interruption.heard() => {
                    ended = Some(code);
                    break;
                }
            };
            let Some(fetched) = fetched else { break };
            count += 1;
            match formatter.write(&mut out, &fetched) {
                Err(failure) if skips_errors => drop(failure),
                other => other?,
            }
        }
        out.flush()?;
        // A coordinator that does not answer keeps nobody.
        _ = tokio::time::timeout(GOODBYE, source.close()).await;
        Ok(())
    });
    eprintln!("Processed a total of {count} messages");
    if arguments.has("enable-systest-events") {
        println!("shutdown_complete");
    }
    if let (Ok(()), Some(code)) = (&outcome, ended) {
        return Err(Failure::Ended(code));
    }
    if count == 0 && outcome.is_ok() && !request.from_beginning && request.offset.is_none() {
        eprintln!("hint: it began behind the last record; --from-beginning shows what was there before");
    }
    outcome
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    arguments.require_one(&["topic", "include"])?;
    if arguments.has("partition") {
        if !arguments.has("topic") {
            return Err(Failure::usage("The topic is required when partition is specified."));
        }
        if arguments.has("from-beginning") && arguments.has("offset") {
            return Err(Failure::usage("Options from-beginning and offset cannot be specified together."));
        }
    } else if arguments.has("offset") {
        return Err(Failure::usage("The partition is required when offset is specified."));
    }
    if arguments.has("group") && arguments.has("partition") {
        return Err(Failure::usage("Options group and partition cannot be specified together."));
    }
    for (new, old) in [
        ("command-config", "consumer.config"),
        ("command-property", "consumer-property"),
        ("formatter-property", "property"),
    ] {
        if arguments.has(new) && arguments.has(old) {
            return Err(Failure::Usage(format!("Options --{new} and --{old} cannot be specified together.")));
        }
    }
    Ok(())
}

fn request(arguments: &Arguments) -> Result<Request, Failure> {
    let number = |name: &str| {
        arguments.number::<i64>(name).map_err(|failure| match failure {
            Failure::Usage(message) => Failure::bare(format!(
                "Exception in thread \"main\" joptsimple.OptionArgumentConversionException: {message}"
            )),
            other => other,
        })
    };
    let partition = number("partition")?.and_then(|partition| i32::try_from(partition).ok());
    let offset = match arguments.value("offset")? {
        None => None,
        Some(text) => Some(match text.to_ascii_lowercase().as_str() {
            "earliest" => EARLIEST,
            "latest" => LATEST,
            text => text.parse::<i64>().ok().filter(|offset| *offset >= 0).ok_or_else(|| {
                Failure::Usage(format!(
                    "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a \
                     non-negative long."
                ))
            })?,
        }),
    };
    let mut properties = Properties::new();
    for option in ["command-config", "consumer.config"] {
        if let Some(path) = arguments.value(option)? {
            properties.extend(read_properties(path)?);
        }
    }
    properties.extend(pairs(arguments.values("command-property")));
    properties.extend(pairs(arguments.values("consumer-property")));
    properties.insert("bootstrap.servers".to_owned(), bootstrap(arguments)?);
    properties.entry("client.id".to_owned()).or_insert_with(|| "console-consumer".to_owned());
    let isolation = match arguments.value("isolation-level")?.unwrap_or("read_uncommitted") {
        "read_uncommitted" => IsolationLevel::ReadUncommitted,
        "read_committed" => IsolationLevel::ReadCommitted,
        other => {
            return Err(Failure::bare(format!(
                "Exception in thread \"main\" org.apache.kafka.common.config.ConfigException: Invalid value {other} for \
                 configuration isolation.level: String must be one of: read_committed, read_uncommitted"
            )));
        }
    };
    let group = group(arguments, &properties, "consumer.config")?;
    if let Some(group) = &group {
        properties.insert("group.id".to_owned(), group.clone());
    }
    let milliseconds = number("timeout-ms")?.and_then(|limit| u64::try_from(limit).ok());
    Ok(Request {
        topic: arguments.value("topic")?.map(str::to_owned),
        include: arguments.value("include")?.map(str::to_owned),
        partition,
        offset,
        from_beginning: arguments.has("from-beginning"),
        group,
        isolation,
        limit: number("max-messages")?.and_then(|limit| u64::try_from(limit).ok()),
        patience: milliseconds.map(Duration::from_millis),
        properties,
    })
}

/// The group, which may be named in three places that must agree; `file` is the old name of the one for files.
pub fn group(arguments: &Arguments, properties: &Properties, file: &str) -> Result<Option<String>, Failure> {
    let named = arguments.value("group")?;
    let configured = properties.get("group.id").map(String::as_str);
    match (named, configured) {
        (Some(named), Some(configured)) if named != configured => Err(Failure::Usage(format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
             '--{file}') do not match. Detected group ids: '{named}', '{configured}'"
        ))),
        (named, configured) => Ok(named.or(configured).map(str::to_owned)),
    }
}

/// What `--formatter` and its properties ask for.
pub fn formatter(arguments: &Arguments) -> Result<Formatter, Failure> {
    if arguments.json() {
        return Ok(Formatter::Json);
    }
    let mut properties = match arguments.value("formatter-config")? {
        Some(path) => read_properties(path)?,
        None => Properties::new(),
    };
    properties.extend(pairs(arguments.values("formatter-property")));
    properties.extend(pairs(arguments.values("property")));
    for (option, key) in
        [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")]
    {
        if let Some(class) = arguments.value(option)? {
            properties.insert(key.to_owned(), class.to_owned());
        }
    }
    Formatter::of_class(arguments.value("formatter")?.unwrap_or(DEFAULT_FORMATTER), &properties)
}

/// A client's error, where the consumer gives up.
fn failed(error: &klamm_client::ClientError) -> Failure {
    Failure::bare(format!(
        "Error processing message, terminating consumer process: {}",
        java_errors::full(error)
    ))
}
