//! One scenario, run by real Kafka clients in their own languages: see README.md.
//!
//! `KLAMM_TEST_SERVER=kafka` runs it against Apache Kafka, to prove the tests themselves.

mod client;
mod consumer_groups;
mod dataset;
mod franz_go_transactions;
mod kcat;
mod program;
mod scenario;
mod share_groups;
mod share_workers;
mod streams;
mod text;
mod transactions;
mod verify;

use anyhow::Result;

#[test]
fn java_4_4_0() -> Result<()> {
    scenario::run(&["java-clients"], &program::java("4.4.0"))
}

#[test]
fn java_2_1_1() -> Result<()> {
    scenario::run(&["java-clients"], &program::java("2.1.1"))
}

#[test]
fn confluent_kafka_python() -> Result<()> {
    scenario::run(&["python-clients"], &program::python("confluent-kafka", "confluent_client.py"))
}

#[test]
fn kafka_python() -> Result<()> {
    scenario::run(&["python-clients"], &program::python("kafka-python", "kafka_python_client.py"))
}

#[test]
fn franz_go() -> Result<()> {
    scenario::run(&["franz-go"], &program::franz_go())
}

#[test]
fn kafkajs() -> Result<()> {
    scenario::run(&["kafkajs"], &program::kafkajs())
}

#[test]
fn kcat() -> Result<()> {
    scenario::run(&["kcat"], &kcat::Kcat)
}

#[test]
fn transactions_of_java_4_4_0() -> Result<()> {
    transactions::run(&["java-clients"], &program::java_source("4.4.0", "Transactions.java"))
}

#[test]
fn transactions_of_confluent_kafka_python() -> Result<()> {
    let script = program::python("confluent-kafka", "transactions_confluent.py");
    transactions::run(&["python-clients"], &script.command)
}

#[test]
fn transactions_of_kafka_python() -> Result<()> {
    let script = program::python("kafka-python", "transactions_kafka_python.py");
    transactions::run(&["python-clients"], &script.command)
}

/// Rebalances and regular expressions of the new protocol, without a transaction.
#[test]
fn consumer_protocol_of_confluent_kafka_python() -> Result<()> {
    let script = program::python("confluent-kafka", "groups_confluent.py");
    transactions::run(&["python-clients"], &script.command)
}

/// Share groups have a program and steps of their own.
#[test]
fn java_share_consumer() -> Result<()> {
    share_groups::run()
}
