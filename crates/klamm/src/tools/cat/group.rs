//! `klamm cat -G`: reads as a member of a group.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use config::Properties;
use klamm_client::{Client, Consumer, ConsumerConfig, ConsumerHandle, RebalanceListener, TopicPartition};

use crate::command_line::{Arguments, Failure};
use crate::tools::console_consumer::fetched;
use crate::tools::session::Interruption;

use super::consume::Printer;

/// How long to wait for a record before looking whether all is read.
const PATIENCE: Duration = Duration::from_millis(200);

/// Tells of rebalances.
struct Herald {
    group: String,
    is_quiet: bool,
    consumer: Arc<OnceLock<ConsumerHandle>>,
}

type Told<'a> = std::pin::Pin<Box<dyn Future<Output = ()> + Send + 'a>>;

impl Herald {
    fn tell(&self, what: &str, partitions: &[TopicPartition]) {
        if self.is_quiet {
            return;
        }
        let metadata = self.consumer.get().and_then(ConsumerHandle::group_metadata);
        let member = metadata.map(|metadata| metadata.member_id.to_string()).unwrap_or_default();
        let shown: Vec<_> = partitions
            .iter()
            .map(|partition| format!("{} [{}]", partition.topic, partition.partition))
            .collect();
        eprintln!("% Group {} rebalanced (memberid {member}): {what}: {}", self.group, shown.join(", "));
    }
}

impl RebalanceListener for Herald {
    fn assigned<'a>(&'a self, given: &'a [TopicPartition]) -> Told<'a> {
        self.tell("assigned", given);
        Box::pin(std::future::ready(()))
    }

    fn revoked<'a>(&'a self, taken: &'a [TopicPartition]) -> Told<'a> {
        self.tell("revoked", taken);
        Box::pin(std::future::ready(()))
    }
}

/// Reads what the group gives this member.
pub async fn run(arguments: &Arguments, properties: &Properties) -> Result<(), Failure> {
    let group = arguments.required("group")?.to_owned();
    if arguments.words.is_empty() {
        return Err(Failure::usage("-G <group> needs a list of topics"));
    }
    let mut printer = Printer::new(arguments)?;
    let mut properties = properties.clone();
    properties.insert("group.id".to_owned(), group.clone());
    properties.entry("isolation.level".to_owned()).or_insert_with(|| "read_committed".to_owned());
    if let Some(place @ ("beginning" | "end")) = arguments.value("offset")? {
        let reset = if place == "end" { "latest" } else { "earliest" };
        properties.insert("auto.offset.reset".to_owned(), reset.to_owned());
    }
    let (client, config) = ConsumerConfig::from_properties(&properties)?;
    let client = Client::unconnected(client)?;
    let is_quiet = arguments.has("quiet");
    let handle = Arc::new(OnceLock::new());
    let herald = Herald { group, is_quiet, consumer: Arc::clone(&handle) };
    let mut consumer = Consumer::with_listener(&client, config, Some(Arc::new(herald)))?;
    // It was just made, and nobody else sets it.
    let _ = handle.set(consumer.handle());
    if !is_quiet {
        eprintln!("% Waiting for group rebalance");
    }
    subscribe(&consumer, &arguments.words)?;
    let outcome = copy(&mut consumer, &client, &mut printer, arguments.has("exit")).await;
    consumer.close().await;
    printer.flush()?;
    outcome
}

/// Words that begin with ^ are regular expressions, which may begin anywhere else as well.
fn subscribe(consumer: &Consumer, topics: &[String]) -> Result<(), Failure> {
    if !topics.iter().any(|topic| topic.starts_with('^')) {
        return Ok(consumer.subscribe(topics)?);
    }
    let patterns: Vec<String> = topics
        .iter()
        .map(|topic| match topic.strip_prefix('^') {
            Some(pattern) => format!("(?:{pattern}).*"),
            None => regex::escape(topic),
        })
        .collect();
    Ok(consumer.subscribe_pattern(&format!("^(?:{})$", patterns.join("|")))?)
}

async fn copy(
    consumer: &mut Consumer,
    client: &Client,
    printer: &mut Printer,
    exits: bool,
) -> Result<(), Failure> {
    let mut interruption = Interruption::watch()?;
    let mut told: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    loop {
        let next = tokio::select! {
            biased;
            next = tokio::time::timeout(PATIENCE, consumer.next()) => next,
            _ = interruption.heard() => return Ok(()),
        };
        // Only where a partition may be at its end there is something to tell.
        let may_be_read = match next {
            Err(_) => true,
            Ok(record) => {
                let record = record?;
                let partition = record.topic_partition.clone();
                if printer.show(&fetched(record), client)? {
                    return Ok(());
                }
                consumer.lag(&partition) == Some(0)
            }
        };
        if !may_be_read {
            continue;
        }
        printer.flush()?;
        let assigned = consumer.assignment();
        let position = |partition: &TopicPartition| {
            let is_read = consumer.lag(partition) == Some(0);
            Some((partition.clone(), consumer.position(partition).filter(|_| is_read)?))
        };
        let read: Vec<_> = assigned.iter().filter_map(position).collect();
        let exits = exits && !read.is_empty() && read.len() == assigned.len();
        let mut new = read;
        new.retain(|(partition, position)| told.insert(partition.clone(), *position) != Some(*position));
        for (index, (partition, position)) in new.iter().enumerate() {
            printer.tell_end("end of", partition, *position, exits && index + 1 == new.len())?;
        }
        if exits {
            return Ok(());
        }
    }
}
