//! Where the console consumer's records come from: partitions of its own, or a group's share of them.

use std::collections::BTreeMap;
use std::time::Duration;

use klamm_client::admin::OffsetSpec;
use klamm_client::{Admin, Client, ClientConfig, ErrorCode, TopicPartition};
use regex::Regex;

use crate::command_line::Failure;
use crate::tools::fetching::{Fetched, Fetcher};
use crate::tools::java_errors;
use crate::tools::topic_filter::INTERNAL;

use super::member::Member;
use super::{EARLIEST, LATEST, Request, failed};

/// An open reader.
pub enum Source {
    /// Partitions of its own.
    Alone(Fetcher),
    /// A group's share.
    Member(Member),
}

impl Source {
    /// Finds the partitions and where to begin, or joins the group.
    pub async fn open(request: &Request) -> Result<Self, Failure> {
        if request.group.is_some() {
            return Ok(Self::Member(Member::join(request)?));
        }
        let config = ClientConfig::from_properties(&request.properties).map_err(|error| failed(&error))?;
        let client = Client::unconnected(config).map_err(|error| failed(&error))?;
        let admin = Admin::new(client);
        let partitions = partitions(&admin, request).await?;
        let offset = request.offset.unwrap_or(if request.from_beginning { EARLIEST } else { LATEST });
        let fetcher = match offset {
            EARLIEST | LATEST => {
                let spec = if offset == EARLIEST { OffsetSpec::Earliest } else { OffsetSpec::Latest };
                let begin = partitions.into_iter().map(|partition| (partition, spec)).collect();
                Fetcher::new(admin, request.isolation, begin).await.map_err(|error| failed(&error))?
            }
            offset => {
                let positions: BTreeMap<_, _> =
                    partitions.into_iter().map(|partition| (partition, offset)).collect();
                Fetcher::at(admin, request.isolation, positions)
            }
        };
        Ok(Self::Alone(fetcher))
    }

    /// Whether the next record has to be asked for.
    pub fn would_wait(&self) -> bool {
        match self {
            Self::Alone(fetcher) => !fetcher.has_waiting(),
            Self::Member(member) => !member.has_waiting(),
        }
    }

    /// The next record; `None` when none came in time.
    pub async fn next(&mut self, patience: Option<Duration>) -> Result<Option<Fetched>, Failure> {
        match self {
            Self::Alone(fetcher) => fetcher.next(patience).await.map_err(|error| failed(&error)),
            Self::Member(member) => member.next(patience).await,
        }
    }

    /// Leaves.
    pub async fn close(self) {
        if let Self::Member(member) = self {
            member.close().await;
        }
    }
}

async fn partitions(admin: &Admin, request: &Request) -> Result<Vec<TopicPartition>, Failure> {
    if let (Some(topic), Some(partition)) = (&request.topic, request.partition) {
        return Ok(vec![TopicPartition::new(topic.as_str(), partition)]);
    }
    let names: Vec<String> = match (&request.topic, &request.include) {
        (Some(topic), _) => vec![topic.clone()],
        (None, include) => {
            let text = include.as_deref().unwrap_or_default();
            let pattern = Regex::new(&format!("^(?:{})$", text.replace(',', "|")))
                .map_err(|_| Failure::bare(format!("{text} is an invalid regex.")))?;
            let topics = admin.list_topics().await.map_err(|error| failed(&error))?;
            topics
                .into_iter()
                .map(|topic| topic.name)
                .filter(|name| pattern.is_match(name) && !INTERNAL.contains(&name.as_str()))
                .collect()
        }
    };
    let mut partitions = Vec::new();
    for (name, topic) in admin.describe_topics(&names, 2000).await.map_err(|error| failed(&error))? {
        if let (Err(error), Some(patience)) = (&topic, request.patience)
            && error.code() == Some(ErrorCode::UnknownTopicOrPartition)
        {
            // It may come into being; Java's consumer waits, too.
            eprintln!("WARN {name}: {}", java_errors::message(error));
            tokio::time::sleep(patience).await;
            continue;
        }
        let topic = topic.map_err(|error| failed(&error))?;
        partitions
            .extend(topic.partitions.iter().map(|found| TopicPartition::new(name.as_str(), found.partition)));
    }
    Ok(partitions)
}
