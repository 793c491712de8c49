//! `kafka-share-consumer-perf-test`: how fast the members of a share group read.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use config::Properties;
use klamm_client::{Client, ShareConsumer, ShareConsumerConfig};
use tokio::task::JoinSet;

use crate::command_line::{
    Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, integer, long, optional, text,
};
use crate::text::calendar::{Moment, now_ms};
use crate::text::{java_fixed, print_row};

use super::console_producer::pairs;
use super::session::{BOOTSTRAP, on_this_thread, read_properties};

const HEADINGS: &str =
    "start.time, end.time, data.consumed.in.MB, MB.sec, nMsg.sec, data.consumed.in.nMsg, fetch.time.ms";
const POLL: Duration = Duration::from_millis(100);

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    text("topic", "topic", "The topic to read.").required(),
    text("group", "gid", "The share group (default: perf-share-consumer)."),
    integer("fetch-size", "size", "Bytes of one fetch (default: 1048576)."),
    integer("socket-buffer-size", "size", "The receive buffer of sockets (default: 2097152)."),
    integer("threads", "count", "How many members of the group share the load (default: 1)."),
    text("command-property", "name=value", "A setting of the consumers."),
    text("command-config", "file", "A properties file with settings of the consumers."),
    flag("print-metrics", "Prints the consumers' numbers at the end."),
    flag("show-detailed-stats", "Prints a line for each interval."),
    flag("show-consumer-stats", "Prints a line for each member at the end."),
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
    name: "share-consumer-perf-test",
    classes: &["org.apache.kafka.tools.ShareConsumerPerformance"],
    about: "This tool reads many records as a share group and tells how fast they came.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// What all members do.
struct Plan {
    topic: String,
    wanted: u64,
    patience: Duration,
    interval: Duration,
    is_detailed: bool,
    pattern: String,
}

/// What one member, or all, have read.
#[derive(Clone, Copy, Default)]
struct Count {
    records: u64,
    bytes: u64,
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    arguments.require(&["bootstrap-server", "topic"])?;
    arguments.require_one(&["num-records", "messages"])?;
    arguments.forbid("command-config", &["consumer.config"])?;
    let is_json = arguments.json();
    if !arguments.has("hide-header") && !is_json {
        println!("{HEADINGS}");
    }
    let wanted = arguments.number::<i64>("num-records")?.or(arguments.number("messages")?).unwrap_or(0);
    let milliseconds = |name: &str, default: u64| -> Result<Duration, Failure> {
        let given: Option<i64> = arguments.number(name)?;
        Ok(Duration::from_millis(given.and_then(|given| u64::try_from(given).ok()).unwrap_or(default)))
    };
    let plan = Arc::new(Plan {
        topic: arguments.required("topic")?.to_owned(),
        wanted: u64::try_from(wanted).unwrap_or(0),
        patience: milliseconds("timeout", 10_000)?,
        interval: milliseconds("reporting-interval", 5000)?,
        is_detailed: arguments.has("show-detailed-stats"),
        pattern: arguments.value("date-format")?.unwrap_or("yyyy-MM-dd HH:mm:ss:SSS").to_owned(),
    });
    if plan.interval.is_zero() {
        eprintln!("Reporting interval must be greater than 0.");
        return Err(Failure::Ended(1));
    }
    let properties = properties(arguments)?;
    let threads: usize = arguments.number::<usize>("threads")?.unwrap_or(1).max(1);
    on_this_thread(async move {
        let started_ms = now_ms();
        let mut ends = measure(&properties, threads, &plan).await?;
        let (pattern, ended_ms) = (&plan.pattern, now_ms());
        ends.sort_by_key(|(member, _, _)| *member);
        if arguments.has("show-consumer-stats") {
            for (member, name, count) in &ends {
                let line = line(started_ms, ended_ms, *count, pattern);
                match is_json {
                    true => print_row(true, &format!("client.id, {HEADINGS}"), &format!("{name}, {line}")),
                    false => println!(
                        "Share consumer {member} having client id {name} consumption metrics- {line}"
                    ),
                }
            }
        }
        let total = ends.iter().fold(Count::default(), |sum, (_, _, count)| Count {
            records: sum.records + count.records,
            bytes: sum.bytes + count.bytes,
        });
        if total.records < plan.wanted && !is_json {
            println!(
                "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. You can use \
                 the --timeout option to increase the timeout.",
                plan.patience.as_millis()
            );
        }
        print_row(is_json, HEADINGS, &line(started_ms, ended_ms, total, pattern));
        Ok(())
    })
}

fn properties(arguments: &Arguments) -> Result<Properties, Failure> {
    let mut properties = Properties::new();
    for option in ["command-config", "consumer.config"] {
        if let Some(path) = arguments.value(option)? {
            properties.extend(read_properties(path)?);
        }
    }
    properties.extend(pairs(arguments.values("command-property")));
    let mut set = |key: &str, value: &str| properties.insert(key.to_owned(), value.to_owned());
    set("bootstrap.servers", arguments.required("bootstrap-server")?);
    set("group.id", arguments.value("group")?.unwrap_or("perf-share-consumer"));
    set("receive.buffer.bytes", arguments.value("socket-buffer-size")?.unwrap_or("2097152"));
    set("fetch.max.bytes", arguments.value("fetch-size")?.unwrap_or("1048576"));
    set("check.crcs", "false");
    properties.entry("client.id".to_owned()).or_insert_with(|| "perf-share-consumer-client".to_owned());
    Ok(properties)
}

/// Runs the members; gives the number, client id and count of each.
async fn measure(
    properties: &Properties,
    threads: usize,
    plan: &Arc<Plan>,
) -> Result<Vec<(usize, String, Count)>, Failure> {
    let together = Arc::new(AtomicU64::new(0));
    let mut members = JoinSet::new();
    for member in 1..=threads {
        let mut properties = properties.clone();
        let base = properties.get("client.id").cloned().unwrap_or_default();
        let name = if threads == 1 { base } else { format!("{base}-{member}") };
        properties.insert("client.id".to_owned(), name.clone());
        let (client, config) = ShareConsumerConfig::from_properties(&properties)?;
        let consumer = ShareConsumer::new(&Client::unconnected(client)?, config)?;
        let (plan, together) = (Arc::clone(plan), Arc::clone(&together));
        members.spawn(async move {
            let count = read(consumer, member, &plan, &together).await?;
            Ok::<_, klamm_client::ClientError>((member, name, count))
        });
    }
    let mut bar = crate::text::progress::Progress::new("reading", plan.wanted);
    let mut ends = Vec::new();
    loop {
        tokio::select! {
            ended = members.join_next() => match ended {
                None => return Ok(ends),
                Some(ended) => ends.push(ended.map_err(Failure::refused)??),
            },
            () = tokio::time::sleep(POLL) => bar.advance(together.load(Ordering::Relaxed)),
        }
    }
}

async fn read(
    mut consumer: ShareConsumer,
    member: usize,
    plan: &Plan,
    together: &AtomicU64,
) -> Result<Count, klamm_client::ClientError> {
    consumer.subscribe([&plan.topic]);
    let mut count = Count::default();
    let mut last = Instant::now();
    let (mut reported, mut before) = (now_ms(), Count::default());
    let mut window = Instant::now();
    while together.load(Ordering::Relaxed) < plan.wanted && last.elapsed() <= plan.patience {
        let came = consumer.poll(POLL).await?;
        if came.is_empty() {
            continue;
        }
        last = Instant::now();
        let length = |bytes: &Option<bytes::Bytes>| bytes.as_ref().map_or(0, bytes::Bytes::len);
        let bytes: u64 = came.iter().map(|record| (length(&record.key) + length(&record.value)) as u64).sum();
        count = Count { records: count.records + came.len() as u64, bytes: count.bytes + bytes };
        together.fetch_add(came.len() as u64, Ordering::Relaxed);
        if window.elapsed() >= plan.interval {
            if plan.is_detailed {
                print_window(member, (reported, before), count, &plan.pattern);
            }
            (reported, before) = (now_ms(), count);
            window = Instant::now();
        }
    }
    consumer.close().await;
    Ok(count)
}

const MEGABYTE: f64 = 1_048_576.0;

fn line(started_ms: i64, ended_ms: i64, count: Count, pattern: &str) -> String {
    let elapsed = ended_ms - started_ms;
    let seconds = elapsed.max(1) as f64 / 1000.0;
    let megabytes = count.bytes as f64 / MEGABYTE;
    format!(
        "{}, {}, {}, {}, {}, {}, {elapsed}",
        Moment::of_local(started_ms).format(pattern),
        Moment::of_local(ended_ms).format(pattern),
        java_fixed(megabytes, 4),
        java_fixed(megabytes / seconds, 4),
        java_fixed(count.records as f64 / seconds, 4),
        count.records
    )
}

fn print_window(member: usize, (begun_ms, before): (i64, Count), count: Count, pattern: &str) {
    let now = now_ms();
    let seconds = (now - begun_ms).max(1) as f64 / 1000.0;
    println!(
        "{}, {}, {}, {}, {}, {}, {} for share consumer {member}",
        Moment::of_local(begun_ms).format(pattern),
        Moment::of_local(now).format(pattern),
        java_fixed(count.bytes as f64 / MEGABYTE, 4),
        java_fixed((count.bytes - before.bytes) as f64 / MEGABYTE / seconds, 4),
        java_fixed((count.records - before.records) as f64 / seconds, 4),
        count.records,
        now - begun_ms
    );
}
