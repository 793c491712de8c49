//! `kafka-consumer-perf-test`: how fast a consumer reads.

use std::time::{Duration, Instant};

use klamm_client::admin::{IsolationLevel, OffsetSpec};
use klamm_client::{Admin, Client, ClientConfig, TopicPartition};

use crate::command_line::{
    Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, long, optional, text,
};
use crate::text::calendar::{Moment, now_ms};
use crate::text::{java_fixed, print_row};

use super::console_producer::pairs;
use super::fetching::{Fetched, Fetcher};
use super::session::{BOOTSTRAP, on_this_thread, read_properties};
use super::topic_filter::IncludeList;

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    text("topic", "topic", "The topic to read."),
    text("include", "regex", "Topics to read, as a Java regular expression."),
    text("group", "gid", "The group's id (default: perf-consumer-N)."),
    integer("fetch-size", "size", "Bytes of one fetch of a partition (default: 1048576)."),
    flag("from-latest", "Begins behind the last record, where the group has no position."),
    integer("socket-buffer-size", "size", "The receive buffer of sockets."),
    text("command-property", "name=value", "A setting of the consumer."),
    text("command-config", "file", "A properties file with settings of the consumer."),
    flag("print-metrics", "Prints the consumer's numbers at the end."),
    flag("show-detailed-stats", "Prints a line for each interval."),
    optional("timeout", "ms", "Ends when no record came for so long (default: 10000)."),
    long("num-records", "count", "How many records to read."),
    long("reporting-interval", "ms", "How often to tell how it goes (default: 5000)."),
    text("date-format", "pattern", "How times are written (default: yyyy-MM-dd HH:mm:ss:SSS)."),
    flag("hide-header", "Leaves the first line out."),
    long("messages", "count", "").replaced_by("num-records"),
    text("consumer.config", "file", "").replaced_by("command-config"),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "consumer-perf-test",
    classes: &["org.apache.kafka.tools.ConsumerPerformance"],
    about: "This tool reads many records and tells how fast they came.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// What was read so far.
struct Progress {
    started: Instant,
    started_ms: i64,
    join_ms: u128,
    bytes: u64,
    count: u64,
}

impl Progress {
    fn add(&mut self, fetched: &Fetched) {
        let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
        self.bytes += (length(&fetched.record.key) + length(&fetched.record.value)) as u64;
        self.count += 1;
    }
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.require(&["bootstrap-server"])?;
    arguments.require_one(&["topic", "include"])?;
    arguments.require_one(&["num-records", "messages"])?;
    let wanted = arguments.number::<i64>("num-records")?.or(arguments.number("messages")?).unwrap_or(0);
    let wanted = u64::try_from(wanted).unwrap_or(0);
    let milliseconds = |name: &str, default: u64| -> Result<Duration, Failure> {
        let given: Option<i64> = arguments.number(name)?;
        Ok(Duration::from_millis(given.and_then(|given| u64::try_from(given).ok()).unwrap_or(default)))
    };
    let (patience, interval) = (milliseconds("timeout", 10_000)?, milliseconds("reporting-interval", 5000)?);
    let config = client_config(arguments)?;
    let pattern = arguments.value("date-format")?.unwrap_or("yyyy-MM-dd HH:mm:ss:SSS");
    let detailed = arguments.has("show-detailed-stats");
    let first = if detailed { "time, threadId" } else { "start.time, end.time" };
    let headings = format!(
        "{first}, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, \
         fetch.MB.sec, fetch.nMsg.sec"
    );
    let is_json = arguments.json();
    if !arguments.has("hide-header") && !is_json {
        println!("{headings}");
    }
    if interval.is_zero() {
        eprintln!("Reporting interval must be greater than 0.");
        return Err(Failure::Ended(1));
    }
    let show = move |line: &str| print_row(is_json, &headings, line);
    on_this_thread(async move {
        let (started, started_ms) = (Instant::now(), now_ms());
        let admin = Admin::new(Client::unconnected(config)?);
        let opened = tokio::time::timeout(patience, open(&admin, arguments)).await;
        let mut fetcher = match opened {
            Ok(opened) => Some(opened?),
            // Nobody has answered, which is told as nothing that came.
            Err(_) => None,
        };
        let join_ms = started.elapsed().as_millis();
        let mut progress = Progress { started, started_ms, join_ms, bytes: 0, count: 0 };
        let mut reported = (Instant::now(), 0, 0);
        let mut last = Instant::now();
        let mut bar = crate::text::progress::Progress::new("reading", wanted);
        while progress.count < wanted && last.elapsed() < patience {
            let Some(fetcher) = &mut fetcher else { break };
            let came = fetcher.poll(100).await?;
            if !came.is_empty() {
                last = Instant::now();
            }
            came.iter().for_each(|fetched| progress.add(fetched));
            bar.advance(progress.count);
            if detailed && reported.0.elapsed() >= interval {
                show(&window(&progress, &reported, pattern));
                reported = (Instant::now(), progress.bytes, progress.count);
            }
        }
        drop(bar);
        if progress.count < wanted && !is_json {
            println!(
                "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. You can use \
                 the --timeout option to increase the timeout.",
                patience.as_millis()
            );
        }
        if !detailed {
            show(&total(&progress, pattern));
        }
        Ok(())
    })
}

fn client_config(arguments: &Arguments) -> Result<ClientConfig, Failure> {
    let mut properties = config::Properties::new();
    for option in ["command-config", "consumer.config"] {
        if let Some(path) = arguments.value(option)? {
            properties.extend(read_properties(path)?);
        }
    }
    properties.extend(pairs(arguments.values("command-property")));
    properties.insert("bootstrap.servers".to_owned(), arguments.required("bootstrap-server")?.to_owned());
    properties.entry("client.id".to_owned()).or_insert_with(|| "perf-consumer-client".to_owned());
    Ok(ClientConfig::from_properties(&properties)?)
}

async fn open(admin: &Admin, arguments: &Arguments) -> Result<Fetcher, Failure> {
    let names = match (arguments.value("topic")?, arguments.value("include")?) {
        (Some(topic), _) => vec![topic.to_owned()],
        (None, include) => {
            let filter = IncludeList::new(include.unwrap_or_default())?;
            let topics = admin.list_topics().await?.into_iter().map(|topic| topic.name);
            topics.filter(|name| filter.allows(name, false)).collect()
        }
    };
    let spec = if arguments.has("from-latest") { OffsetSpec::Latest } else { OffsetSpec::Earliest };
    let mut begin = Vec::new();
    for (name, topic) in admin.describe_topics(&names, 2000).await? {
        let partitions = topic?.partitions.into_iter();
        begin.extend(
            partitions.map(|partition| (TopicPartition::new(name.as_str(), partition.partition), spec)),
        );
    }
    let mut fetcher = Fetcher::new(admin.clone(), IsolationLevel::ReadUncommitted, begin).await?;
    fetcher.partition_bytes_max(arguments.number("fetch-size")?.unwrap_or(1 << 20));
    Ok(fetcher)
}

fn rate(amount: f64, milliseconds: u128) -> String {
    java_fixed(amount * 1000.0 / (milliseconds.max(1) as f64), 4)
}

fn total(progress: &Progress, pattern: &str) -> String {
    let elapsed = progress.started.elapsed().as_millis();
    let megabytes = progress.bytes as f64 / 1_048_576.0;
    let fetching = elapsed.saturating_sub(progress.join_ms);
    format!(
        "{}, {}, {}, {}, {}, {}, {}, {fetching}, {}, {}",
        Moment::of_local(progress.started_ms).format(pattern),
        Moment::of_local(now_ms()).format(pattern),
        java_fixed(megabytes, 4),
        rate(megabytes, elapsed),
        progress.count,
        rate(progress.count as f64, elapsed),
        progress.join_ms,
        rate(megabytes, fetching),
        rate(progress.count as f64, fetching)
    )
}

fn window(progress: &Progress, reported: &(Instant, u64, u64), pattern: &str) -> String {
    let elapsed = reported.0.elapsed().as_millis();
    let megabytes = (progress.bytes - reported.1) as f64 / 1_048_576.0;
    let count = (progress.count - reported.2) as f64;
    format!(
        "{}, 0, {}, {}, {}, {}, 0, {elapsed}, {}, {}",
        Moment::of_local(now_ms()).format(pattern),
        java_fixed(progress.bytes as f64 / 1_048_576.0, 4),
        rate(megabytes, elapsed),
        progress.count,
        rate(count, elapsed),
        rate(megabytes, elapsed),
        rate(count, elapsed)
    )
}
