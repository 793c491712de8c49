//! `klamm cat -P`.

use std::fs::File;
use std::io::{BufRead, BufReader, Read, stdin};
use std::time::Duration;

use bytes::Bytes;
use config::Properties;
use klamm_client::{Client, Producer, ProducerConfig, ProducerRecord};

use crate::command_line::{Arguments, Failure};
use crate::tools::java_errors;

use super::unescaped;

/// Writes standard input, or files: a record for each piece between delimiters.
pub async fn run(arguments: &Arguments, properties: &Properties) -> Result<(), Failure> {
    let mut properties = properties.clone();
    if let Some(codec) = arguments.value("compression")? {
        properties.insert("compression.type".to_owned(), codec.to_owned());
    }
    let (client, config) = ProducerConfig::from_properties(&properties)?;
    let client = Client::unconnected(client)?;
    let producer = Producer::new(&client, config)?;
    let template = template(arguments)?;
    let limit: Option<u64> = arguments.number("count")?;
    let delimiter = unescaped(arguments.value("delimiter")?.unwrap_or("\\n"));
    let key_delimiter = arguments.value("key-delimiter")?.map(unescaped);
    let mut deliveries = std::collections::VecDeque::new();
    let mut count = 0u64;
    let mut inputs: Vec<Box<dyn BufRead>> = Vec::new();
    let files: Vec<&str> = arguments.values("file");
    if files.is_empty() && arguments.words.is_empty() {
        inputs.push(Box::new(BufReader::new(stdin())));
    }
    for file in &files {
        inputs.push(Box::new(BufReader::new(File::open(file)?)));
    }
    for file in &arguments.words {
        // kcat sends each further word as a file of one record.
        let mut whole = Vec::new();
        File::open(file)?.read_to_end(&mut whole)?;
        let delivery = producer.enqueue(record(&template, &whole, None, arguments.has("null"))).await?;
        deliveries.push_back(delivery);
    }
    'inputs: for mut input in inputs {
        while let Some(piece) = next_piece(&mut input, &delimiter)? {
            if limit.is_some_and(|limit| count >= limit) {
                break 'inputs;
            }
            count += 1;
            let record = record(&template, &piece, key_delimiter.as_deref(), arguments.has("null"));
            deliveries.push_back(producer.enqueue(record).await?);
            if deliveries.len() > 10_000
                && let Some(oldest) = deliveries.pop_front()
            {
                oldest.await.map_err(|error| failed(&error))?;
            }
        }
    }
    producer.flush().await;
    for delivery in deliveries {
        delivery.await.map_err(|error| failed(&error))?;
    }
    producer.close(Duration::from_secs(60)).await;
    Ok(())
}

fn failed(error: &klamm_client::ClientError) -> Failure {
    Failure::refused(format!("Delivery failed: {}", java_errors::message(error)))
}

/// What all records have in common.
fn template(arguments: &Arguments) -> Result<ProducerRecord, Failure> {
    let mut record = ProducerRecord::to(arguments.required("topic")?);
    record.partition = arguments.number::<i32>("partition")?.filter(|partition| *partition >= 0);
    record.key = arguments.value("key")?.map(|key| Bytes::from(unescaped(key)));
    for header in arguments.values("header") {
        let (name, value) = header
            .split_once('=')
            .ok_or_else(|| Failure::refused(format!("{header} is no header: write name=value")))?;
        record = record.header(Bytes::from(name.to_owned()), Bytes::from(value.to_owned()));
    }
    Ok(record)
}

fn record(
    template: &ProducerRecord,
    piece: &[u8],
    key_delimiter: Option<&[u8]>,
    empty_is_null: bool,
) -> ProducerRecord {
    let mut record = template.clone();
    let mut value = piece;
    if let Some(delimiter) = key_delimiter
        && let Some(index) = piece.windows(delimiter.len().max(1)).position(|window| window == delimiter)
    {
        record.key =
            Some(Bytes::copy_from_slice(&piece[..index])).filter(|key| !(empty_is_null && key.is_empty()));
        value = &piece[index + delimiter.len()..];
    }
    record.value = match value {
        [] if empty_is_null => None,
        value => Some(Bytes::copy_from_slice(value)),
    };
    record
}

/// The bytes up to the next delimiter; `None` at the end.
fn next_piece(input: &mut dyn BufRead, delimiter: &[u8]) -> Result<Option<Vec<u8>>, Failure> {
    let Some(last) = delimiter.last() else {
        let mut whole = Vec::new();
        input.read_to_end(&mut whole)?;
        return Ok((!whole.is_empty()).then_some(whole));
    };
    let mut piece = Vec::new();
    loop {
        if input.read_until(*last, &mut piece)? == 0 {
            return Ok((!piece.is_empty()).then_some(piece));
        }
        if piece.ends_with(delimiter) {
            piece.truncate(piece.len() - delimiter.len());
            return Ok(Some(piece));
        }
    }
}
