//! A conversation with a fresh server: each question has a name, each answer becomes masked text.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use protocol::messages::create_topics_request::CreatableTopic;
use protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use protocol::messages::metadata_request::MetadataRequestTopic;
use protocol::messages::{CreateTopicsRequest, ListOffsetsRequest, MetadataRequest, MetadataResponse};
use protocol::{Message, Request, Uuid};
use testkit::raw_client::{RawClient, Received};
use testkit::server_process::{Product, ServerProcess};

use crate::order;
use crate::recording::Answer;
use crate::rendering::Masks;

/// How long a change may take to be seen.
const PATIENCE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(10);

/// Old timestamps must not be deleted while a family runs; topics come into being only when asked for.
const CONFIGURATION: &[(&str, &str)] = &[
    ("log.retention.ms", "-1"),
    ("num.partitions", "2"),
    ("offsets.topic.num.partitions", "5"),
    ("log.cleaner.enable", "false"),
];

/// One family's run.
pub struct Session {
    server: ServerProcess,
    connections: Vec<RawClient>,
    masks: Masks,
    answers: Vec<Answer>,
}

impl Session {
    /// Starts a fresh server with these settings beside the usual ones.
    pub fn start(product: Product, settings: &[(&str, &str)]) -> Result<Self> {
        let server = ServerProcess::start(product, &[CONFIGURATION, settings].concat())?;
        let mut masks = Masks::default();
        masks.hide(&server.data().to_string_lossy(), "LOG_DIR");
        masks.hide_number(u64::from(server.port()), "PORT");
        Ok(Self { server, connections: Vec::new(), masks, answers: Vec::new() })
    }

    /// The path of one of the server's log directories.
    pub fn log_directory(&self, name: &str) -> String {
        self.server.data().with_file_name(name).to_string_lossy().into_owned()
    }

    /// Everything recorded so far.
    pub fn into_answers(self) -> Vec<Answer> {
        self.answers
    }

    /// Asks and records the answer.
    pub fn ask<R: Request>(&mut self, name: &str, version: i16, request: R) -> Result<R::Response> {
        self.ask_on(0, name, version, request)
    }

    /// Asks on a connection of its own: its client id is `client-NUMBER`.
    pub fn ask_on<R: Request>(
        &mut self,
        connection: usize,
        name: &str,
        version: i16,
        request: R,
    ) -> Result<R::Response> {
        let response = self.quietly_on(connection, version, request).with_context(|| name.to_owned())?;
        self.record_response::<R>(name, version, &response);
        Ok(response)
    }

    /// Asks again until `is_settled` likes the answer: some changes take a moment to be seen.
    pub fn ask_until<R: Request>(
        &mut self,
        name: &str,
        version: i16,
        request: R,
        is_settled: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response> {
        self.ask_until_showing(name, version, request, is_settled, settled)
    }

    /// As `ask_until`, recording what `show` makes of the answer.
    pub fn ask_until_showing<R: Request>(
        &mut self,
        name: &str,
        version: i16,
        request: R,
        is_settled: impl Fn(&R::Response) -> bool,
        show: impl Fn(&R::Response) -> String,
    ) -> Result<R::Response> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.quietly(version, request.clone()).with_context(|| name.to_owned())?;
            let is_settled = is_settled(&response);
            if is_settled || Instant::now() > deadline {
                self.record::<R>(name, version, &show(&response));
                ensure!(is_settled, "{name}: not there after {PATIENCE:?}");
                return Ok(response);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Asks and records what `show` makes of the answer.
    pub fn ask_showing<R: Request>(
        &mut self,
        name: &str,
        version: i16,
        request: R,
        show: impl Fn(&R::Response) -> String,
    ) -> Result<R::Response> {
        let response = self.quietly(version, request).with_context(|| name.to_owned())?;
        self.record::<R>(name, version, &show(&response));
        Ok(response)
    }

    /// Sends now; `finish` records the answer later.
    pub fn begin<R: Request>(&mut self, connection: usize, version: i16, request: R) -> Result<()> {
        self.connection(connection)?.send(version, &request)?;
        Ok(())
    }

    /// The answer to what `begin` has sent.
    pub fn finish<R: Request>(&mut self, connection: usize, name: &str, version: i16) -> Result<R::Response> {
        let response = self.connection(connection)?.receive::<R>(version).with_context(|| name.to_owned())?;
        self.record_response::<R>(name, version, &response);
        Ok(response)
    }

    /// As `finish`, recording what `show` makes of the answer.
    pub fn finish_showing<R: Request>(
        &mut self,
        connection: usize,
        name: &str,
        version: i16,
        show: impl Fn(&R::Response) -> String,
    ) -> Result<R::Response> {
        let response = self.connection(connection)?.receive::<R>(version).with_context(|| name.to_owned())?;
        self.record::<R>(name, version, &show(&response));
        Ok(response)
    }

    /// Asks without recording.
    pub fn quietly<R: Request>(&mut self, version: i16, request: R) -> Result<R::Response> {
        self.quietly_on(0, version, request)
    }

    /// Asks without recording, until `is_settled` likes the answer.
    pub fn until<R: Request>(
        &mut self,
        version: i16,
        request: R,
        is_settled: impl Fn(&R::Response) -> bool,
    ) -> Result<R::Response> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.quietly(version, request.clone())?;
            if is_settled(&response) {
                return Ok(response);
            }
            ensure!(Instant::now() < deadline, "{}: not there after {PATIENCE:?}: {response:?}", R::NAME);
            thread::sleep(PAUSE);
        }
    }

    fn quietly_on<R: Request>(&mut self, connection: usize, version: i16, request: R) -> Result<R::Response> {
        self.connection(connection)?.call(version, &request)
    }

    /// Sends bytes on a fresh connection and records the frame that comes back, if one does.
    pub fn ask_bytes(&mut self, name: &str, bytes: &[u8]) -> Result<()> {
        self.ask_bytes_showing(name, bytes, |frame| frame.iter().map(|byte| format!("{byte:02x}")).collect())
    }

    /// As `ask_bytes`, recording what `show` makes of the frame.
    pub fn ask_bytes_showing(
        &mut self,
        name: &str,
        bytes: &[u8],
        show: impl Fn(&Bytes) -> String,
    ) -> Result<()> {
        let mut connection = RawClient::connect(self.server.bootstrap(), "client-raw")?;
        connection.send_bytes(bytes)?;
        let received = connection.receive_frame().with_context(|| name.to_owned())?;
        let text = match received {
            Received::Frame(frame) => show(&frame),
            Received::Closed => "connection closed".to_owned(),
        };
        let text = self.masks.apply(&text);
        self.answers.push(Answer { name: name.to_owned(), request: "bytes".to_owned(), text });
        Ok(())
    }

    /// Creates a topic and waits until its leaders are known. Records nothing; returns its id.
    pub fn create_topic(&mut self, name: &str, partitions: i32) -> Result<Uuid> {
        let topic = CreatableTopic {
            name: name.to_owned(),
            num_partitions: partitions,
            replication_factor: 1,
            ..Default::default()
        };
        let request = CreateTopicsRequest { topics: vec![topic], ..Default::default() };
        let response = self.quietly(7, request)?;
        let created = response.topics.first().context("an answer for the topic")?;
        ensure!(created.error_code == 0, "{name}: {created:?}");
        self.wait_for_topic(name)
    }

    /// Waits until every partition of the topic has a leader; returns the topic's id.
    pub fn wait_for_topic(&mut self, name: &str) -> Result<Uuid> {
        let response = self.metadata_until(name, |response| {
            response.topics.iter().all(|topic| {
                topic.error_code == 0 && topic.partitions.iter().all(|partition| partition.error_code == 0)
            })
        })?;
        let topic = response.topics.first().context("the topic that was asked for")?;
        for partition in &topic.partitions {
            self.wait_for_leader(name, partition.partition_index)?;
        }
        Ok(topic.topic_id)
    }

    /// A leader is named in metadata a moment before it serves.
    fn wait_for_leader(&mut self, name: &str, partition_index: i32) -> Result<()> {
        let partition = ListOffsetsPartition { partition_index, timestamp: -1, ..Default::default() };
        let topic =
            ListOffsetsTopic { name: name.to_owned(), partitions: vec![partition], ..Default::default() };
        let request = ListOffsetsRequest { replica_id: -1, topics: vec![topic], ..Default::default() };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.quietly(7, request.clone())?;
            let mut partitions = response.topics.iter().flat_map(|topic| &topic.partitions);
            if partitions.all(|partition| partition.error_code == 0) {
                return Ok(());
            }
            ensure!(Instant::now() < deadline, "{name}: {response:?}");
            thread::sleep(PAUSE);
        }
    }

    /// Waits until nobody knows the topic any more.
    pub fn wait_until_gone(&mut self, name: &str) -> Result<()> {
        self.metadata_until(name, |response| response.topics.iter().all(|topic| topic.error_code != 0))?;
        Ok(())
    }

    fn metadata_until(
        &mut self,
        name: &str,
        is_settled: impl Fn(&MetadataResponse) -> bool,
    ) -> Result<MetadataResponse> {
        let topic = MetadataRequestTopic { name: Some(name.to_owned()), ..Default::default() };
        let request = MetadataRequest {
            topics: Some(vec![topic]),
            allow_auto_topic_creation: false,
            ..Default::default()
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let response = self.quietly(12, request.clone())?;
            if is_settled(&response) {
                return Ok(response);
            }
            ensure!(Instant::now() < deadline, "{name}: {response:?}");
            thread::sleep(PAUSE);
        }
    }

    fn connection(&mut self, index: usize) -> Result<&mut RawClient> {
        while self.connections.len() <= index {
            let client_id = format!("client-{}", self.connections.len());
            self.connections.push(RawClient::connect(self.server.bootstrap(), &client_id)?);
        }
        Ok(&mut self.connections[index])
    }

    fn record_response<R: Request>(&mut self, name: &str, version: i16, response: &R::Response) {
        self.record::<R>(name, version, &settled(response));
    }

    fn record<R: Request>(&mut self, name: &str, version: i16, text: &str) {
        let request = format!("{} v{version}", R::NAME);
        let text = self.masks.apply(text);
        self.answers.push(Answer { name: name.to_owned(), request, text });
    }
}

/// In the order in which answers are compared.
fn settled<T: Message + 'static>(response: &T) -> String {
    let mut response = response.clone();
    order::settle(&mut response);
    format!("{response:#?}")
}
