//! What a server is started with: file, environment and command line put together.

use crate::error::{ConfigError, ConfigErrors};
use crate::properties::Properties;
use crate::variables::{VariableSource, resolve};

/// Where the settings of a start come from, weakest first.
#[derive(Clone, Debug, Default)]
pub struct LaunchSources {
    /// The properties file, if one was named.
    pub file: Option<Properties>,
    /// The environment, whole: what is no setting is passed over.
    pub environment: Vec<(String, String)>,
    /// `--override key=value`, in the order given.
    pub overrides: Vec<(String, String)>,
}

/// Variables of Kafka's start scripts and container images that are no settings.
const NO_SETTINGS: [&str; 12] = [
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JMX_PORT",
    "KAFKA_JMX_HOSTNAME",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
];

/// The setting that an environment variable stands for by the convention of Kafka's container images:
/// `KAFKA_LOG_DIRS` is `log.dirs`, two underscores are one, three are a dash. `None` if it is none.
pub fn key_of_variable(variable: &str) -> Option<String> {
    let name = variable.strip_prefix("KAFKA_").filter(|name| !name.is_empty())?;
    if NO_SETTINGS.contains(&variable) {
        return None;
    }
    Some(name.to_lowercase().replace('_', ".").replace("...", "-").replace("..", "_"))
}

/// Puts the sources together, the command line winning over the environment and that over the file, and fills
/// in `${provider:path:key}` where `config.providers` asks for it. Where no file was named, the settings of a
/// node that is alone stand in for it ([`settings_without_file`]).
///
/// # Errors
/// A variable or provider that cannot be resolved.
pub fn merge(sources: &LaunchSources, variables: &dyn VariableSource) -> Result<Properties, ConfigErrors> {
    let mut merged = Properties::new();
    for (variable, text) in &sources.environment {
        merged.extend(key_of_variable(variable).map(|key| (key, text.clone())));
    }
    merged.extend(sources.overrides.iter().cloned());
    let base = match &sources.file {
        Some(file) => file.clone(),
        None => settings_without_file(&merged),
    };
    let merged = base.into_iter().chain(merged).collect();
    resolve(merged, variables).map_err(|error: ConfigError| ConfigErrors(vec![error]))
}

/// What stands for a properties file where there is none, given what else is `set`: a broker and controller
/// that is its own quorum, with data beside the working directory. It has no controller listener: none is
/// needed while no other node is known. Its internal topics have one replica, unless other voters are set.
pub fn settings_without_file(set: &Properties) -> Properties {
    let mut settings: Vec<(&str, &str)> = vec![
        ("process.roles", "broker,controller"),
        ("controller.listener.names", "CONTROLLER"),
        ("log.dirs", "./klamm-data"),
    ];
    if !set.contains_key("broker.id") {
        settings.push(("node.id", "1"));
    }
    let voters = set.get("controller.quorum.voters").map_or(0, |voters| voters.split(',').count());
    if voters <= 1 && !set.contains_key("controller.quorum.bootstrap.servers") {
        settings.extend([
            ("offsets.topic.replication.factor", "1"),
            ("transaction.state.log.replication.factor", "1"),
            ("transaction.state.log.min.isr", "1"),
            ("share.coordinator.state.topic.replication.factor", "1"),
            ("share.coordinator.state.topic.min.isr", "1"),
        ]);
    }
    settings.into_iter().map(|(key, text)| (key.to_owned(), text.to_owned())).collect()
}
