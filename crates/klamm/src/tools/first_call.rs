//! What each tool asks the cluster first: Java names that call where nobody answers.

use std::cell::{Cell, RefCell};

use crate::command_line::{Arguments, Failure};

thread_local! {
    static CALL: Cell<&'static str> = const { Cell::new("") };
    static TOOL: Cell<&'static str> = const { Cell::new("") };
    static LINE: RefCell<String> = const { RefCell::new(String::new()) };
    static HINT: RefCell<String> = const { RefCell::new(String::new()) };
}

/// Java looks for any broker at all before it lists groups, and says so in words of its own.
pub const LIST_GROUPS: &str = "listGroups";

/// A tool, the option or verb that makes it ask so (none: whatever it does), and the name of Java's call.
const CALLS: &[(&str, &str, &str)] = &[
    ("topics", "create", "createTopics"),
    ("topics", "", "listTopics"),
    ("configs", "", "listTopics"),
    ("get-offsets", "", "listTopics"),
    ("consumer-groups", "list", LIST_GROUPS),
    ("consumer-groups", "describe", "describeConsumerGroups(api=FIND_COORDINATOR)"),
    ("consumer-groups", "reset-offsets", "describeConsumerGroups(api=FIND_COORDINATOR)"),
    ("consumer-groups", "delete", "deleteConsumerGroups(api=FIND_COORDINATOR)"),
    ("share-groups", "list", LIST_GROUPS),
    ("share-groups", "describe", "describeShareGroups(api=FIND_COORDINATOR)"),
    ("streams-groups", "list", LIST_GROUPS),
    ("streams-groups", "describe", "describeStreamsGroups(api=FIND_COORDINATOR)"),
    ("groups", "", LIST_GROUPS),
    ("delete-records", "", "deleteRecords(api=METADATA)"),
    ("log-dirs", "", "listNodes"),
    ("cluster", "", "listNodes"),
    ("features", "describe", "describeFeatures"),
    ("features", "", "updateFeatures"),
    ("metadata-quorum", "", "describeMetadataQuorum"),
    ("transactions", "list", "listTransactions(api=METADATA)"),
    ("transactions", "describe", "describeTransactions(api=FIND_COORDINATOR)"),
    ("reassign-partitions", "list", "listPartitionReassignments"),
    ("client-metrics", "list", "listConfigResources"),
    ("acls", "", "describeAcls"),
];

/// Remembers what this command line makes its tool ask first.
pub fn remember(arguments: &Arguments) {
    let asks = |option: &str| option.is_empty() || arguments.has(option) || arguments.verb_name() == option;
    let found = CALLS.iter().find(|(tool, option, _)| *tool == arguments.tool.name && asks(option));
    CALL.set(found.map_or("", |(_, _, call)| call));
    TOOL.set(arguments.tool.name);
    LINE.set(arguments.line.join(" "));
}

/// What the tool's Java counterpart says of a properties file that is not there.
pub fn missing_file(path: &str) -> Failure {
    match TOOL.get() {
        "consumer-groups" | "share-groups" | "streams-groups" => {
            Failure::refused(format!("java.nio.file.NoSuchFileException: {path}"))
        }
        "get-offsets" | "reassign-partitions" | "acls" => Failure::refused(path),
        "configs" => {
            Failure::bare(format!("Error while executing config command with args '{}'", LINE.take()))
        }
        "transactions" => Failure::bare(format!(
            "Failed to load admin client properties: {path}. Enable debug logging for additional detail."
        )),
        "metadata-quorum" => Failure::bare(format!("Properties file {path} does not exists!")),
        "console-share-consumer" => {
            Failure::bare(format!("Exception in thread \"main\" java.nio.file.NoSuchFileException: {path}"))
        }
        _ => Failure::bare(path),
    }
}

/// What it says where no client can be made of the settings.
pub fn no_client(message: String, bootstrap: &str) -> Failure {
    match TOOL.get() {
        "topics" | "delete-records" | "log-dirs" | "leader-election" => Failure::bare(message),
        "broker-api-versions" => Failure::bare(format!("Invalid url in bootstrap.servers: {bootstrap}")),
        "transactions" => Failure::bare(format!(
            "Exception in thread \"main\" org.apache.kafka.common.KafkaException: {message}"
        )),
        _ => Failure::refused(message),
    }
}

/// Whether the tool's Java counterpart shows what failed as a thread of its own has thrown it.
pub fn shows_what_was_thrown() -> bool {
    ["cluster", "features", "metadata-quorum"].contains(&TOOL.get())
}

/// What is known of the reason, for the people who read standard error.
pub fn hint(text: String) {
    HINT.set(text);
}

/// The hint, if there is one.
pub fn take_hint() -> Option<String> {
    Some(HINT.take()).filter(|hint| !hint.is_empty())
}

/// The name of the call, empty where none is known.
pub fn name() -> &'static str {
    CALL.get()
}
