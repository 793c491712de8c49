//! `kafka-transactions`: transactions and producers, and how to get rid of those that hang.

mod hanging;

use klamm_client::admin::AbortTransaction;
use klamm_client::{Admin, ClientError, ErrorCode, TopicPartition};
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, Verb, flag, integer, long, text};
use crate::text::calendar::now_ms;

use super::java_errors;
use super::session::{BOOTSTRAP, COMMAND_CONFIG, with_admin};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "transactions",
    classes: &["org.apache.kafka.tools.TransactionsCommand"],
    about: "Shows the transactions of a cluster, and finds and aborts those that hang.",
    grammar: Grammar::Argparse,
    options: &[&[BOOTSTRAP, COMMAND_CONFIG, flag("version", "Shows the version.").or(&["v", "V"])]],
    verbs: &[
        Verb {
            name: "list",
            about: "Lists transactions.",
            options: &[&[
                long("duration-filter", "MS", "Only those that run longer than this."),
                text("transactional-id-pattern", "REGEX", "Only those whose id matches."),
            ]],
        },
        Verb {
            name: "describe",
            about: "Shows the transaction of a transactional id.",
            options: &[&[text("transactional-id", "TRANSACTIONAL_ID", "The id.").required()]],
        },
        Verb {
            name: "describe-producers",
            about: "Shows the producers that a partition remembers.",
            options: &[&[
                integer("broker-id", "BROKER_ID", "The replica to ask; the leader if not given."),
                text("topic", "TOPIC", "The topic.").required(),
                integer("partition", "PARTITION", "The partition.").required(),
            ]],
        },
        Verb {
            name: "abort",
            about: "Aborts a transaction that hangs.",
            options: &[&[
                text("topic", "TOPIC", "The topic.").required(),
                integer("partition", "PARTITION", "The partition.").required(),
                long("start-offset", "OFFSET", "Where the transaction begins."),
                long("producer-id", "ID", "Whose it is, for brokers that do not know where it begins."),
                integer("producer-epoch", "EPOCH", "The producer's epoch."),
                integer("coordinator-epoch", "EPOCH", "The coordinator's epoch."),
            ]],
        },
        Verb {
            name: "find-hanging",
            about: "Finds transactions that hang.",
            options: &[&[
                integer("broker-id", "BROKER_ID", "Only partitions with a replica there."),
                integer("max-transaction-timeout", "MINUTES", "Only older ones; 15 minutes if not given."),
                text("topic", "TOPIC", "Only this topic."),
                integer("partition", "PARTITION", "Only this partition of it."),
            ]],
        },
        Verb {
            name: "forceTerminateTransaction",
            about: "Ends the open transaction of a transactional id.",
            options: &[&[text("transactionalId", "TRANSACTIONAL_ID", "The id.").required()]],
        },
    ],
    refusals: Refusals::PLAIN,
    run,
};

/// A failure as this tool words it.
fn failed(what: &str, error: &ClientError) -> Failure {
    let message = java_errors::message(error);
    Failure::refused(format!("{what}: {message}. Enable debug logging for additional detail."))
}

/// Kafka's table of this tool: each column as wide as its widest cell, and a tab after each.
fn print_table(headers: &[&str], rows: &[Vec<String>], arguments: &Arguments) {
    if arguments.json() {
        let object = |row: &Vec<String>| {
            let pairs = headers.iter().zip(row).map(|(header, cell)| ((*header).to_owned(), json!(cell)));
            Value::Object(pairs.collect())
        };
        println!("{}", Value::Array(rows.iter().map(object).collect()));
        return;
    }
    let width = |column: usize| {
        let cells = rows.iter().map(|row| row[column].len());
        cells.chain([headers[column].len()]).max().unwrap_or(0)
    };
    let widths: Vec<_> = (0..headers.len()).map(width).collect();
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}\t"));
        println!("{}", padded.collect::<String>());
    };
    line(headers.to_vec());
    rows.iter().for_each(|row| line(row.iter().map(String::as_str).collect()));
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let partition: Option<i32> = arguments.number("partition")?;
    let topic_partition =
        arguments.value("topic")?.map(|topic| TopicPartition::new(topic, partition.unwrap_or(0)));
    with_admin(arguments, "adminclient-1", async |admin| match (arguments.verb_name(), topic_partition) {
        ("list", _) => list(&admin, arguments).await,
        ("describe", _) => describe(&admin, arguments).await,
        ("describe-producers", Some(partition)) => producers(&admin, arguments, &partition).await,
        ("abort", Some(partition)) => abort(&admin, arguments, partition).await,
        ("find-hanging", _) => hanging::find(&admin, arguments).await,
        _ => {
            let id = arguments.required("transactionalId")?;
            let outcome = admin.fence_producer(id).await;
            outcome
                .map(drop)
                .map_err(|error| failed(&format!("Failed to force terminate transactionalId `{id}`"), &error))
        }
    })
}

async fn list(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    let duration = arguments.number("duration-filter")?.unwrap_or(-1);
    let pattern = arguments.value("transactional-id-pattern")?;
    let listed = admin.list_transactions(duration, pattern).await;
    let listed = listed.map_err(|error| failed("Failed to list transactions", &error))?;
    let mut rows = Vec::new();
    for (coordinator, transactions) in listed {
        for transaction in transactions {
            rows.push(vec![
                transaction.transactional_id,
                coordinator.to_string(),
                transaction.producer_id.to_string(),
                transaction.transaction_state,
            ]);
        }
    }
    print_table(&["TransactionalId", "Coordinator", "ProducerId", "TransactionState"], &rows, arguments);
    Ok(())
}

async fn describe(admin: &Admin, arguments: &Arguments) -> Result<(), Failure> {
    const HEADERS: &[&str] = &[
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ];
    let id = arguments.required("transactional-id")?;
    let described = admin.describe_transaction(id).await;
    let (coordinator, transaction) = described.map_err(|error| {
        if error.code() == Some(ErrorCode::TransactionalIdNotFound) {
            return Failure::refused(format!(
                "Failed to describe transaction state of transactional-id `{id}`: DescribeTransactions request for \
                 transactionalId `{id}` failed because the ID could not be found. Enable debug logging for additional \
                 detail."
            ));
        }
        failed(&format!("Failed to describe transaction state of transactional-id `{id}`"), &error)
    })?;
    let start = transaction.transaction_start_time_ms;
    let (start, duration) = match start {
        start if start >= 0 => (start.to_string(), (now_ms() - start).to_string()),
        _ => ("None".to_owned(), "None".to_owned()),
    };
    let partitions = transaction.topics.iter().flat_map(|topic| {
        topic.partitions.iter().map(move |partition| format!("{}-{partition}", topic.topic))
    });
    let row = vec![
        coordinator.to_string(),
        id.to_owned(),
        transaction.producer_id.to_string(),
        transaction.producer_epoch.to_string(),
        transaction.transaction_state,
        transaction.transaction_timeout_ms.to_string(),
        start,
        duration,
        partitions.collect::<Vec<_>>().join(","),
    ];
    print_table(HEADERS, &[row], arguments);
    Ok(())
}

async fn producers(admin: &Admin, arguments: &Arguments, partition: &TopicPartition) -> Result<(), Failure> {
    const HEADERS: &[&str] = &[
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ];
    let broker: Option<i32> = arguments.number("broker-id")?;
    let found = admin.describe_producers(partition, broker).await.map_err(|error| {
        let whom = broker.map_or_else(|| "leader".to_owned(), |id| format!("broker {id}"));
        failed(&format!("Failed to describe producers for partition {partition} on {whom}"), &error)
    })?;
    let row = |producer: protocol::messages::describe_producers_response::ProducerState| {
        let start = match producer.current_txn_start_offset {
            offset if offset >= 0 => offset.to_string(),
            _ => "None".to_owned(),
        };
        vec![
            producer.producer_id.to_string(),
            producer.producer_epoch.to_string(),
            producer.coordinator_epoch.to_string(),
            producer.last_sequence.to_string(),
            producer.last_timestamp.to_string(),
            start,
        ]
    };
    print_table(HEADERS, &found.into_iter().map(row).collect::<Vec<_>>(), arguments);
    Ok(())
}

async fn abort(admin: &Admin, arguments: &Arguments, partition: TopicPartition) -> Result<(), Failure> {
    let start: Option<i64> = arguments.number("start-offset")?;
    let producer_id: Option<i64> = arguments.number("producer-id")?;
    let spec = match (start, producer_id) {
        (Some(start), _) => {
            let producers = admin.describe_producers(&partition, None).await.map_err(|error| {
                failed(&format!("Failed to validate producer state for partition {partition}"), &error)
            })?;
            let found = producers.into_iter().find(|state| state.current_txn_start_offset == start);
            let Some(state) = found else {
                return Err(Failure::refused(format!(
                    "Could not find any open transactions starting at offset {start} on partition {partition}"
                )));
            };
            AbortTransaction {
                topic_partition: partition,
                producer_id: state.producer_id,
                producer_epoch: i16::try_from(state.producer_epoch).unwrap_or(-1),
                coordinator_epoch: state.coordinator_epoch.max(0),
            }
        }
        (None, Some(producer_id)) => {
            let missing = |name: &str| Failure::refused(format!("Missing required argument --{name}"));
            AbortTransaction {
                topic_partition: partition,
                producer_id,
                producer_epoch: arguments
                    .number("producer-epoch")?
                    .ok_or_else(|| missing("producer-epoch"))?,
                coordinator_epoch: arguments
                    .number::<i32>("coordinator-epoch")?
                    .ok_or_else(|| missing("coordinator-epoch"))?
                    .max(0),
            }
        }
        (None, None) => {
            return Err(Failure::refused(
                "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) or \
                 with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)",
            ));
        }
    };
    admin.abort_transaction(&spec).await.map_err(|error| {
        let what = format!(
            "Failed to abort transaction AbortTransactionSpec(topicPartition={}, producerId={}, producerEpoch={}, \
             coordinatorEpoch={})",
            spec.topic_partition, spec.producer_id, spec.producer_epoch, spec.coordinator_epoch
        );
        failed(&what, &error)
    })
}
