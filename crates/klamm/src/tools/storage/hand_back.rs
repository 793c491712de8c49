//! `klamm storage hand-back`: gives the log directories of a cleanly stopped node back to Apache Kafka.
//!
//! The files are Kafka's formats already. What Kafka would trip over are settings of ours, which it refuses to see in a
//! topic when somebody alters another one: they are taken out of the metadata.

use metadata::{ConfigResourceType, MetadataImage};
use protocol::metadata_records::{ConfigRecord, MetadataRecord};

use crate::command_line::{Arguments, Failure};
use crate::text::calendar::now_ms;

use super::kafka_directories::NodeDirectories;

const OWN_PREFIX: &str = "klamm.";

/// Checks, takes our own settings out, and removes the mark that makes the directories ours.
pub fn run(arguments: &Arguments) -> Result<(), Failure> {
    let node = NodeDirectories::take(arguments)?;
    let unclean = node.not_cleanly_stopped();
    if !unclean.is_empty() {
        let list: Vec<_> = unclean.iter().map(|path| path.display().to_string()).collect();
        return Err(Failure::refused(format!(
            "{} was not stopped cleanly: start `klamm server` on it and stop it (SIGTERM), then give it back. Nothing was changed.",
            list.join(", ")
        )));
    }
    let (found, image) = node.read_metadata()?;
    if !found.is_ours {
        println!("{} is Kafka's already: nothing to do.", node.paths[0].display());
        return Ok(());
    }
    if found.torn_bytes > 0 {
        return Err(Failure::refused(format!(
            "the metadata log ends with {} bytes that are no record batch although the server was stopped cleanly: start \
             `klamm server` on it and stop it again. Nothing was changed.",
            found.torn_bytes
        )));
    }
    let own = own_settings(&image);
    for record in &own {
        let kind = ConfigResourceType::from_code(record.resource_type)
            .map_or("resource".to_owned(), |kind| format!("{kind:?}").to_lowercase());
        println!("Removed {} of {kind} {}: Kafka does not know it.", record.name, record.resource_name);
    }
    let last_words: Vec<_> = own.into_iter().map(MetadataRecord::Config).collect();
    found.give_back(&node.disk, &node.metadata_log(), now_ms(), &last_words).map_err(Failure::refused)?;
    println!("Given back: Apache Kafka starts on it. `klamm storage adopt` takes it over again.");
    Ok(())
}

/// Records that remove every setting of ours.
fn own_settings(image: &MetadataImage) -> Vec<ConfigRecord> {
    let mut records = Vec::new();
    for (resource, values) in image.configs.iter() {
        for name in values.keys().filter(|name| name.starts_with(OWN_PREFIX)) {
            records.push(ConfigRecord {
                resource_type: resource.resource_type.code(),
                resource_name: resource.name.clone(),
                name: name.clone(),
                value: None,
                ..Default::default()
            });
        }
    }
    records
}
