//! Log levels of a broker: what IncrementalAlterConfigs may do to resources of type BROKER_LOGGER.

use protocol::ErrorCode;
use protocol::messages::incremental_alter_configs_request::AlterConfigsResource;

use crate::result::ApiError;

/// The name of the logger that all others are below.
const ROOT: &str = "root";

/// Kafka's levels, in the order in which its message lists them.
const LEVELS: &[&str] = &["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// A change of one logger's level.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggerChange {
    /// The logger.
    pub logger: String,
    /// Its new level, one of Kafka's words; `None` for that of the logger above it.
    pub level: Option<String>,
}

/// The changes that a request asks of this broker's loggers: all of them, or none.
pub fn logger_changes(
    resource: &AlterConfigsResource,
    node_id: i32,
    logger_exists: impl Fn(&str) -> bool,
) -> Result<Vec<LoggerChange>, ApiError> {
    let invalid = |message: String| Err(ApiError::new(ErrorCode::InvalidRequest, message));
    let name = &resource.resource_name;
    match name.parse::<i32>() {
        Err(_) => return invalid(format!("Node id must be an integer, but it is: {name}")),
        Ok(id) if id != node_id => {
            return invalid(format!("Unexpected node id. Expected {node_id}, but received {id}"));
        }
        Ok(_) => {}
    }
    let not_allowed = |operation: String| {
        invalid(format!("{operation} operation is not allowed for the BROKER_LOGGER resource"))
    };
    let mut changes = Vec::new();
    for config in &resource.configs {
        let logger = config.name.clone();
        let unknown =
            || Err(ApiError::new(ErrorCode::InvalidConfig, format!("Logger {logger} does not exist!")));
        let level = match config.config_operation {
            0 | 1 if !logger_exists(&logger) => return unknown(),
            0 => {
                let level = config.value.clone().unwrap_or_default();
                if !LEVELS.contains(&level.as_str()) {
                    return Err(ApiError::new(
                        ErrorCode::InvalidConfig,
                        format!(
                            "Cannot set the log level of {logger} to {level} as it is not a supported log level. \
                             Valid log levels are {}",
                            LEVELS.join(", ")
                        ),
                    ));
                }
                Some(level)
            }
            1 if logger == ROOT => {
                return invalid("Removing the log level of the root logger is not allowed".to_owned());
            }
            1 => None,
            2 => return not_allowed("APPEND".to_owned()),
            3 => return not_allowed("SUBTRACT".to_owned()),
            other => {
                let message =
                    format!("Unknown operation type {other} is not allowed for the BROKER_LOGGER resource");
                return invalid(message);
            }
        };
        changes.push(LoggerChange { logger, level });
    }
    Ok(changes)
}
