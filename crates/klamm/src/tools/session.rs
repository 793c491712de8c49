//! From options to a connected administrator, on a runtime of this thread.

use std::path::Path;

use config::Properties;
use klamm_client::{Admin, Client, ClientConfig, ClientError};
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::command_line::{Arguments, Failure, Opt, text};

use super::{first_call, java_errors};

/// Where the cluster is.
pub const BOOTSTRAP: Opt =
    text("bootstrap-server", "host:port,...", "Some brokers of the cluster to connect to.").required();

/// The client's settings.
pub const COMMAND_CONFIG: Opt =
    text("command-config", "file", "A properties file with settings of the client.");

impl From<ClientError> for Failure {
    fn from(error: ClientError) -> Self {
        match &error {
            ClientError::NoBroker { .. } | ClientError::TimedOut { .. }
                if first_call::shows_what_was_thrown() =>
            {
                Self::Bare(format!("java.util.concurrent.ExecutionException: {}", java_errors::full(&error)))
            }
            error => Self::Refused(java_errors::message(error)),
        }
    }
}

/// What `--command-config` says, with the bootstrap servers of the command line.
pub fn properties(arguments: &Arguments) -> Result<Properties, Failure> {
    let mut properties = match arguments.value("command-config")? {
        Some(path) => read_properties(path)?,
        None => Properties::new(),
    };
    if let Some(bootstrap) = arguments.value("bootstrap-server")? {
        properties.insert("bootstrap.servers".to_owned(), bootstrap.to_owned());
    }
    Ok(properties)
}

/// Reads a properties file; a missing one is told as Java tells it.
pub fn read_properties(path: &str) -> Result<Properties, Failure> {
    if !Path::new(path).exists() {
        return Err(first_call::missing_file(path));
    }
    let bytes = std::fs::read(path)?;
    config::properties::parse(&bytes).map_err(|error| Failure::refused(format!("{path}: {error}")))
}

/// Runs `work` on this thread with an administrator's connection.
pub fn with_admin<T>(
    arguments: &Arguments,
    client_id: &str,
    work: impl AsyncFnOnce(Admin) -> Result<T, Failure>,
) -> Result<T, Failure> {
    with_admin_of(properties(arguments)?, client_id, work)
}

/// The same with these settings.
pub fn with_admin_of<T>(
    mut properties: Properties,
    client_id: &str,
    work: impl AsyncFnOnce(Admin) -> Result<T, Failure>,
) -> Result<T, Failure> {
    properties.entry("client.id".to_owned()).or_insert_with(|| client_id.to_owned());
    let config = ClientConfig::from_properties(&properties)?;
    let bootstrap = properties.get("bootstrap.servers").cloned().unwrap_or_default();
    on_this_thread(async move {
        let client = Client::unconnected(config)
            .map_err(|error| first_call::no_client(java_errors::message(&error), &bootstrap))?;
        work(Admin::new(client)).await
    })
}

/// Runs a future to its end; no threads are started for it.
pub fn on_this_thread<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(work)
}

/// An early mistake in options that the tool finds only at work, and tells like every other failure.
pub fn late(failure: Failure) -> Failure {
    match failure {
        Failure::Bare(message) | Failure::Usage(message) => Failure::Refused(message),
        other => other,
    }
}

/// What asks a tool to end before it is done: Ctrl-C, or a SIGTERM.
pub struct Interruption {
    interrupt: Signal,
    terminate: Signal,
}

impl Interruption {
    /// From now on these signals are heard, and do not end the process by themselves.
    pub fn watch() -> Result<Self, Failure> {
        Ok(Self { interrupt: signal(SignalKind::interrupt())?, terminate: signal(SignalKind::terminate())? })
    }

    /// Waits for one; gives the exit code of a program that ends because of it.
    pub async fn heard(&mut self) -> u8 {
        tokio::select! {
            _ = self.interrupt.recv() => 130,
            _ = self.terminate.recv() => 143,
        }
    }
}
