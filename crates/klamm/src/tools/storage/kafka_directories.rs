//! The log directories that `adopt` and `hand-back` work on: found, locked, and known to belong together.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use metadata::{MetadataBatch, MetadataImage, MetadataLoader, Provenance};
use protocol::Uuid;
use quorum::{FoundMetadata, read_metadata_log};
use storage::disk::{Disk, DiskLock, RealDisk};
use storage::file_names::{CLEAN_SHUTDOWN_FILE, LOCK_FILE};

use crate::command_line::{Arguments, Failure};

use super::{Node, meta_properties};

const METADATA_LOG: &str = "__cluster_metadata-0";

/// The directories of one node, locked as long as this lives.
pub struct NodeDirectories {
    pub disk: Arc<dyn Disk>,
    /// In the order of `log.dirs`; the first one holds the metadata log.
    pub paths: Vec<PathBuf>,
    pub cluster_id: String,
    pub node_id: i32,
    /// Their ids, in the same order.
    pub ids: Vec<Uuid>,
    _locks: Vec<Box<dyn DiskLock>>,
}

impl NodeDirectories {
    /// Those that the command line names.
    pub fn take(arguments: &Arguments) -> Result<Self, Failure> {
        let paths = named(arguments)?;
        let disk: Arc<dyn Disk> = Arc::new(RealDisk);
        let (mut locks, mut ids, mut owner) = (Vec::new(), BTreeSet::new(), None);
        let mut in_order = Vec::new();
        for path in &paths {
            let shown = path.display();
            let (cluster_id, node_id, id) = identity(path)?;
            match &owner {
                None => owner = Some((cluster_id, node_id)),
                Some(first) if *first != (cluster_id.clone(), node_id) => {
                    return Err(Failure::refused(format!(
                        "{shown} belongs to node {node_id} of cluster {cluster_id}, {} to node {} of cluster {}: name the \
                         directories of one node",
                        paths[0].display(),
                        first.1,
                        first.0
                    )));
                }
                Some(_) => {}
            }
            if !ids.insert(id) {
                return Err(Failure::refused(format!(
                    "{shown} has the directory.id of another one: it is a copy"
                )));
            }
            in_order.push(id);
            let lock = disk.lock(&path.join(LOCK_FILE)).map_err(|error| match error.kind() {
                std::io::ErrorKind::WouldBlock => Failure::refused(format!(
                    "{shown} is in use by a running server: stop it first (kafka-server-stop, or `klamm server-stop`)"
                )),
                _ => Failure::refused(format!("{shown} cannot be locked: {error}")),
            })?;
            locks.push(lock);
        }
        let (cluster_id, node_id) = owner.ok_or_else(|| Failure::usage("name at least one log directory"))?;
        let found = Self { disk, paths, cluster_id, node_id, ids: in_order, _locks: locks };
        found.check_metadata_directory()?;
        Ok(found)
    }

    fn check_metadata_directory(&self) -> Result<(), Failure> {
        let with_log: Vec<_> = self.paths.iter().filter(|path| path.join(METADATA_LOG).is_dir()).collect();
        let first = self.paths[0].display();
        match with_log[..] {
            [one] if *one == self.paths[0] => Ok(()),
            [one] => Err(Failure::refused(format!(
                "the metadata log lies in {}, not in {first}: name that directory first, in log.dirs as well",
                one.display()
            ))),
            [] => Err(Failure::refused(format!(
                "there is no metadata log ({METADATA_LOG}) in {first}: name the directory that holds it (metadata.log.dir, or \
                 the first of log.dirs) as well, first; a node that is a broker only, of a larger cluster, cannot be taken over"
            ))),
            _ => Err(Failure::refused(
                "several directories hold a metadata log: only one of them can belong to this node",
            )),
        }
    }

    /// The folder of the metadata log.
    pub fn metadata_log(&self) -> PathBuf {
        self.paths[0].join(METADATA_LOG)
    }

    /// The directories without the mark of a clean stop.
    pub fn not_cleanly_stopped(&self) -> Vec<&Path> {
        let unmarked = self.paths.iter().filter(|path| !path.join(CLEAN_SHUTDOWN_FILE).exists());
        unmarked.map(PathBuf::as_path).collect()
    }

    /// The metadata log as it was found, and the image it gives.
    pub fn read_metadata(&self) -> Result<(FoundMetadata, MetadataImage), Failure> {
        let directory = self.metadata_log();
        let found = read_metadata_log(&self.disk, &directory).map_err(|error| {
            Failure::refused(format!(
                "{error}\nNothing was changed. Start Kafka once more, which repairs what it can, or restore {} from a backup.",
                directory.display()
            ))
        })?;
        let found = found.ok_or_else(|| {
            Failure::refused(format!(
                "{} is formatted but no server has ever run on it: there is nothing to take over; `klamm server` starts on it",
                self.paths[0].display()
            ))
        })?;
        let image = replayed(&found).map_err(|error| {
            Failure::refused(format!("the metadata log holds what this build does not know: {error}"))
        })?;
        Ok((found, image))
    }
}

fn replayed(found: &FoundMetadata) -> Result<MetadataImage, metadata::MetadataError> {
    let mut loader = MetadataLoader::new(MetadataImage::empty());
    if let Some(snapshot) = &found.snapshot {
        let provenance = Provenance {
            last_contained_offset: snapshot.end_offset - 1,
            last_contained_epoch: snapshot.epoch,
            last_contained_log_time_ms: snapshot.last_contained_log_timestamp,
        };
        loader = MetadataLoader::new(MetadataLoader::load_snapshot(&snapshot.records, provenance)?);
    }
    for batch in &found.batches {
        loader.replay(MetadataBatch {
            base_offset: batch.base_offset,
            epoch: batch.epoch,
            append_timestamp_ms: batch.timestamp,
            records: &batch.records,
        })?;
    }
    Ok(loader.image().clone())
}

/// The directories by name or by configuration, the metadata log's first.
fn named(arguments: &Arguments) -> Result<Vec<PathBuf>, Failure> {
    let words = arguments.values("directory");
    match (words.is_empty(), arguments.has("config")) {
        (false, false) => Ok(words.into_iter().map(PathBuf::from).collect()),
        (true, true) => {
            let node = Node::read(arguments)?;
            if !node.roles().is_empty() && node.roles().len() < 2 {
                return Err(Failure::refused(
                    "process.roles names one role: a node is taken over that is broker and controller in one",
                ));
            }
            if node.listed.first() != Some(&node.metadata_directory) {
                return Err(Failure::refused(format!(
                    "metadata.log.dir is {}: Klamm keeps the metadata log in the first of log.dirs; put it there first",
                    node.metadata_directory
                )));
            }
            Ok(node.listed.into_iter().map(PathBuf::from).collect())
        }
        _ => Err(Failure::usage("name either log directories or --config with a server's properties file")),
    }
}

/// Cluster id, node id and directory id of a directory.
fn identity(path: &Path) -> Result<(String, i32, Uuid), Failure> {
    let shown = path.display();
    if !path.is_dir() {
        return Err(Failure::refused(format!("{shown} is not a directory")));
    }
    let text = path.to_str().ok_or_else(|| Failure::refused(format!("{shown} is no name in UTF-8")))?;
    let file = format!("{shown}/meta.properties");
    let properties = meta_properties(text)
        .map_err(|error| Failure::refused(format!("{file}: {error}")))?
        .ok_or_else(|| {
            Failure::refused(format!(
                "{shown} has no meta.properties: it is no log directory of a Kafka node"
            ))
        })?;
    let get = |key: &str| properties.get(key).map(String::as_str);
    if get("version") == Some("0") || has_zookeeper_id(&properties) {
        return Err(Failure::refused(format!(
            "{shown} was written by Kafka with ZooKeeper (version 0 of meta.properties): migrate the cluster to KRaft with \
             Kafka 3.9 and start it with Kafka 4.x once, then take it over"
        )));
    }
    if get("version") != Some("1") {
        return Err(Failure::refused(format!(
            "{file}: version {:?}, expected 1",
            get("version").unwrap_or("none")
        )));
    }
    let missing = |key: &str| Failure::refused(format!("{file}: {key} is missing or no valid value"));
    let cluster_id = get("cluster.id").ok_or_else(|| missing("cluster.id"))?;
    let node_id = get("node.id").and_then(|text| text.parse().ok()).ok_or_else(|| missing("node.id"))?;
    let id = get("directory.id").and_then(|text| text.parse().ok());
    let id = id.ok_or_else(|| {
        Failure::refused(format!("{file} has no directory.id: start the node with Kafka 3.7 or later once"))
    })?;
    Ok((cluster_id.to_owned(), node_id, id))
}

fn has_zookeeper_id(properties: &config::Properties) -> bool {
    properties.contains_key("broker.id") && !properties.contains_key("node.id")
}
