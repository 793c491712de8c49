//! `kafka-e2e-latency`: how long a record takes from a producer to a consumer.

use std::time::{Duration, Instant};

use bytes::Bytes;
use klamm_client::admin::{IsolationLevel, NewTopic, OffsetSpec};
use klamm_client::{Admin, Client, Producer, ProducerConfig, ProducerRecord, TopicPartition};
use rand::RngExt;
use serde_json::json;

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, integer, optional, text};
use crate::text::{java_double, java_fixed};

use super::fetching::Fetcher;
use super::session::{BOOTSTRAP, COMMAND_CONFIG, on_this_thread, read_properties};

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    COMMAND_CONFIG.value_may_miss(),
    text("topic", "topic-name", "The topic; it is made if it does not exist."),
    integer("num-records", "count", "How many records, one after the other."),
    text("producer-acks", "acks", "Who has to acknowledge: 1 or all."),
    integer("record-size", "bytes", "Bytes of a record's value."),
    optional("record-key-size", "bytes", "Bytes of its key (default: 0)."),
    optional("num-headers", "count", "How many headers it has (default: 0)."),
    optional("record-header-key-size", "bytes", "Bytes of a header's key (default: 0)."),
    optional("record-header-size", "bytes", "Bytes of a header's value (default: 0)."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "e2e-latency",
    classes: &["org.apache.kafka.tools.EndToEndLatency"],
    about: "This tool measures how long records take from a producer to a consumer.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals::PLAIN,
    run,
};

/// What is measured.
struct Plan {
    properties: config::Properties,
    topic: String,
    count: usize,
    size: usize,
    key: usize,
    headers: usize,
    header_key: usize,
    header: usize,
    is_json: bool,
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut plan = if arguments.words.is_empty() { named(arguments)? } else { positional(&arguments.words)? };
    plan.is_json = arguments.json();
    on_this_thread(measure(plan))
}

fn size(number: Option<i32>, name: &str) -> Result<usize, Failure> {
    usize::try_from(number.unwrap_or(0))
        .map_err(|_| Failure::Usage(format!("Value for --{name} must be a non-negative integer.")))
}

fn named(arguments: &Arguments) -> Result<Plan, Failure> {
    arguments.require(&["bootstrap-server", "topic", "num-records", "producer-acks", "record-size"])?;
    let acks = arguments.required("producer-acks")?;
    check_acks(acks)
        .map_err(|()| Failure::usage("Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. Please use '1' or 'all'."))?;
    let mut properties = match arguments.value("command-config")? {
        Some(path) => read_properties(path)?,
        None => config::Properties::new(),
    };
    properties.insert("bootstrap.servers".to_owned(), arguments.required("bootstrap-server")?.to_owned());
    properties.insert("acks".to_owned(), acks.to_owned());
    let number = |name: &str| size(arguments.number(name)?, name);
    let count = number("num-records")?;
    if count == 0 {
        return Err(Failure::usage("Value for --num-records must be a positive integer."));
    }
    Ok(Plan {
        properties,
        topic: arguments.required("topic")?.to_owned(),
        count,
        size: number("record-size")?,
        key: number("record-key-size")?,
        headers: number("num-headers")?,
        header_key: number("record-header-key-size")?,
        header: number("record-header-size")?,
        is_json: false,
    })
}

fn check_acks(acks: &str) -> Result<(), ()> {
    if ["1", "all"].contains(&acks) { Ok(()) } else { Err(()) }
}

/// `broker_list topic num_messages producer_acks message_size_bytes [properties_file]`, as before 4.2.
fn positional(words: &[String]) -> Result<Plan, Failure> {
    let (required, file) = match words {
        [required @ .., _] if required.len() == 5 => (required, words.last()),
        words if words.len() == 5 => (words, None),
        _ => {
            return Err(Failure::usage(
                "USAGE: kafka-e2e-latency broker_list topic num_messages producer_acks message_size_bytes [properties_file]",
            ));
        }
    };
    println!(
        "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. Please use named \
         arguments instead: --bootstrap-server, --topic, --num-records, --producer-acks, --record-size, --command-config"
    );
    let mut properties = match file {
        Some(path) => read_properties(path)?,
        None => config::Properties::new(),
    };
    check_acks(&required[3]).map_err(|()| {
        Failure::usage("Latency testing requires synchronous acknowledgement. Please use 1 or all")
    })?;
    properties.insert("bootstrap.servers".to_owned(), required[0].clone());
    properties.insert("acks".to_owned(), required[3].clone());
    let number =
        |text: &String| text.parse().map_err(|_| Failure::usage(format!("For input string: \"{text}\"")));
    Ok(Plan {
        properties,
        topic: required[1].clone(),
        count: number(&required[2])?,
        size: number(&required[4])?,
        key: 0,
        headers: 0,
        header_key: 0,
        header: 0,
        is_json: false,
    })
}

fn random(size: usize) -> Bytes {
    let mut random = rand::rng();
    Bytes::from((0..size).map(|_| random.random_range(b'A'..=b'Z')).collect::<Vec<u8>>())
}

async fn measure(mut plan: Plan) -> Result<(), Failure> {
    plan.properties.insert("linger.ms".to_owned(), "0".to_owned());
    let (client, producer) = ProducerConfig::from_properties(&plan.properties)?;
    let client = Client::unconnected(client)?;
    let admin = Admin::new(client.clone());
    let exists = admin.list_topics().await?.iter().any(|topic| topic.name == plan.topic);
    if !exists {
        println!(
            "Topic \"{}\" does not exist. Will create topic with 1 partition(s) and replication factor = 1",
            plan.topic
        );
        let topic = NewTopic {
            name: plan.topic.clone(),
            partitions: Some(1),
            replication_factor: Some(1),
            ..NewTopic::default()
        };
        for (_, result) in admin.create_topics(vec![topic], false).await? {
            result?;
        }
    }
    let described = admin.describe_topics(std::slice::from_ref(&plan.topic), 2000).await?;
    let mut begin = Vec::new();
    for (name, topic) in described {
        let partitions = topic?.partitions.into_iter();
        begin.extend(
            partitions.map(|partition| {
                (TopicPartition::new(name.as_str(), partition.partition), OffsetSpec::Latest)
            }),
        );
    }
    let mut fetcher = Fetcher::new(admin, IsolationLevel::ReadUncommitted, begin).await?;
    let producer = Producer::new(&client, producer)?;
    let mut latencies = Vec::with_capacity(plan.count.min(1 << 20));
    let mut total = 0.0;
    for index in 0..plan.count {
        let value = random(plan.size);
        let mut record = ProducerRecord::to(plan.topic.as_str()).value(value.clone());
        if plan.key > 0 {
            record = record.key(random(plan.key));
        }
        for _ in 0..plan.headers {
            record = record.header(random(plan.header_key), random(plan.header));
        }
        let started = Instant::now();
        producer.send(record).await?;
        let Some(found) = fetcher.next(Some(Duration::from_secs(60))).await? else {
            return Err(Failure::bare("poll() timed out before finding a result (timeout:[60000ms])"));
        };
        let elapsed = started.elapsed();
        if found.record.value.as_ref() != Some(&value) {
            return Err(Failure::bare("The message value read did not match the message value sent"));
        }
        if index % 1000 == 0 && !plan.is_json {
            println!("{index}\t{}", java_double(elapsed.as_nanos() as f64 / 1e6));
        }
        total += elapsed.as_nanos() as f64;
        latencies.push(elapsed.as_millis());
    }
    producer.close(Duration::from_secs(10)).await;
    latencies.sort_unstable();
    report(&plan, &latencies, total / plan.count as f64 / 1e6);
    Ok(())
}

fn report(plan: &Plan, latencies: &[u128], average: f64) {
    let at = |part: f64| {
        let index = ((latencies.len() as f64 * part) as usize).min(latencies.len().saturating_sub(1));
        latencies.get(index).copied().unwrap_or(0)
    };
    if plan.is_json {
        let latency = json!({ "average": average, "p50": at(0.5), "p99": at(0.99), "p999": at(0.999) });
        println!("{}", json!({ "records": plan.count, "latencyMs": latency }));
        return;
    }
    println!("Avg latency: {} ms", java_fixed(average, 4));
    println!("Percentiles: 50th = {}, 99th = {}, 99.9th = {}", at(0.5), at(0.99), at(0.999));
}
