//! `klamm cat -P`.

use std::collections::VecDeque;
use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write, stdin, stdout};
use std::time::Duration;

use bytes::Bytes;
use config::Properties;
use klamm_client::{
    Client, ClientError, Delivery, Producer, ProducerConfig, ProducerRecord, RecordMetadata, Transaction,
};
use protocol::messages::MetadataRequest;
use records::RecordHeader;

use crate::command_line::{Arguments, Failure};
use crate::tools::java_errors;

use super::{unescaped, unreachable};

/// Where records go, and what is said on the way.
struct Outlet<'a> {
    producer: &'a Producer,
    transaction: Option<Transaction>,
    deliveries: VecDeque<Delivery>,
    tees: bool,
    failures: u64,
}

impl Outlet<'_> {
    async fn send(&mut self, record: ProducerRecord, piece: &[u8]) -> Result<(), Failure> {
        let delivery = match &self.transaction {
            Some(transaction) => transaction.enqueue(record).await?,
            None => self.producer.enqueue(record).await?,
        };
        self.deliveries.push_back(delivery);
        if self.tees {
            stdout().write_all(piece)?;
        }
        if self.deliveries.len() > 10_000
            && let Some(oldest) = self.deliveries.pop_front()
        {
            self.hear(oldest.await);
        }
        Ok(())
    }

    fn hear(&mut self, outcome: Result<RecordMetadata, ClientError>) {
        if let Err(error) = outcome {
            self.failures += 1;
            eprintln!("% Delivery failed for message: {}", java_errors::message(&error));
        }
    }

    async fn finish(mut self) -> Result<(), Failure> {
        self.producer.flush().await;
        for delivery in std::mem::take(&mut self.deliveries) {
            self.hear(delivery.await);
        }
        match self.transaction.take() {
            Some(transaction) if self.failures > 0 => transaction.abort().await?,
            Some(transaction) => transaction.commit().await.map_err(|(_, error)| error)?,
            None => {}
        }
        if self.failures > 0 { Err(Failure::Ended(1)) } else { Ok(()) }
    }
}

/// Writes standard input, or files: a record for each piece between delimiters.
pub async fn run(arguments: &Arguments, properties: &Properties) -> Result<(), Failure> {
    let mut properties = properties.clone();
    if let Some(codec) = arguments.value("compression")? {
        if !["none", "gzip", "snappy", "lz4", "zstd"].contains(&codec) {
            return Err(Failure::refused(format!(
                "Invalid value \"{codec}\" for configuration property \"compression.codec\""
            )));
        }
        properties.insert("compression.type".to_owned(), codec.to_owned());
    }
    let is_transactional = properties.contains_key("transactional.id");
    let (client, config) = ProducerConfig::from_properties(&properties)?;
    let client = Client::unconnected(client)?;
    let template = template(arguments)?;
    let nothing = MetadataRequest { topics: Some(Vec::new()), ..MetadataRequest::default() };
    let reachable = client.send_to_any(&nothing).await;
    reachable.map_err(|error| unreachable("Failed to acquire metadata", &error, ""))?;
    let producer = Producer::new(&client, config)?;
    let transaction = match is_transactional {
        true => {
            producer.init_transactions().await?;
            Some(producer.begin().await?)
        }
        false => None,
    };
    let mut outlet = Outlet {
        producer: &producer,
        transaction,
        deliveries: VecDeque::new(),
        tees: arguments.has("tee"),
        failures: 0,
    };
    let copied = copy(arguments, &template, &mut outlet).await;
    let finished = outlet.finish().await;
    producer.close(Duration::from_secs(60)).await;
    copied?;
    finished
}

async fn copy(
    arguments: &Arguments,
    template: &ProducerRecord,
    outlet: &mut Outlet<'_>,
) -> Result<(), Failure> {
    let empty_is_null = arguments.has("null");
    let limit = arguments.number::<u64>("count")?.filter(|limit| *limit > 0);
    if !arguments.has("lines") && !arguments.words.is_empty() {
        // Each word is a file of one record.
        let mut opened = 0;
        for path in &arguments.words {
            match fs::read(path) {
                Ok(whole) => {
                    opened += 1;
                    outlet.send(record(template, &whole, None, empty_is_null), &whole).await?;
                }
                Err(error) => {
                    eprintln!("% Failed to open {path}: {}", reason(&error));
                }
            }
        }
        return if opened == 0 { Err(Failure::Ended(1)) } else { Ok(()) };
    }
    let mut input: Box<dyn BufRead> = match &arguments.words[..] {
        [path, ..] => Box::new(BufReader::new(
            File::open(path)
                .map_err(|error| Failure::refused(format!("Cannot open {path}: {}", reason(&error))))?,
        )),
        [] => Box::new(BufReader::new(stdin())),
    };
    let delimiter = unescaped(arguments.value("delimiter")?.unwrap_or("\\n"));
    let key_delimiter = arguments.value("key-delimiter")?.map(unescaped);
    let mut count = 0u64;
    // kcat leaves empty pieces out.
    while limit.is_none_or(|limit| count < limit)
        && let Some(piece) = next_piece(&mut *input, &delimiter)?
    {
        if piece.is_empty() {
            continue;
        }
        count += 1;
        let record = record(template, &piece, key_delimiter.as_deref(), empty_is_null);
        outlet.send(record, &piece).await?;
    }
    Ok(())
}

/// What `strerror` says, without the number.
fn reason(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or_default().to_owned()
}

/// What all records have in common.
fn template(arguments: &Arguments) -> Result<ProducerRecord, Failure> {
    let mut record = ProducerRecord::to(arguments.required("topic")?);
    record.partition = arguments.number::<i32>("partition")?.filter(|partition| *partition >= 0);
    record.key = arguments.value("key")?.map(|key| Bytes::from(unescaped(key)));
    for header in arguments.values("header") {
        let (name, value) = match header.split_once('=') {
            Some((name, value)) => (name, Some(Bytes::from(value.to_owned()))),
            None => (header, None),
        };
        record.headers.push(RecordHeader { key: Bytes::from(name.to_owned()), value });
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
