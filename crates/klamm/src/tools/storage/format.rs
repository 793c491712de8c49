//! `kafka-storage format`: `meta.properties` and the bootstrap metadata.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use bytes::Bytes;
use hmac::{Hmac, KeyInit, Mac};
use metadata::MetadataVersion;
use protocol::Uuid;
use protocol::metadata_records::{FeatureLevelRecord, MetadataRecord, UserScramCredentialRecord};
use sha2::{Digest, Sha256, Sha512};

use crate::command_line::{Arguments, Failure};
use crate::record_json::from_base64;

use super::super::features::{FEATURES, Feature, METADATA_VERSION, metadata_version};
use super::first_snapshot::{self, FIRST_SNAPSHOT, InitialVoter};
use super::{Node, random_uuid};

const METADATA_LOG: &str = "__cluster_metadata-0";

const SCRAM_ITERATIONS: i32 = 4096;
const SCRAM_ITERATIONS_MAX: i32 = 16_384;

/// What a directory is for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Purpose {
    Data,
    StaticMetadata,
    DynamicMetadata,
    DynamicVoter,
}

impl Purpose {
    fn words(self) -> &'static str {
        match self {
            Self::Data => "data directory",
            Self::StaticMetadata => "metadata directory",
            Self::DynamicMetadata => "dynamic metadata directory",
            Self::DynamicVoter => "dynamic metadata voter directory",
        }
    }
}

/// Formats the directories that are not formatted yet.
pub fn run(arguments: &Arguments, node: &Node) -> Result<(), Failure> {
    if node.roles().is_empty() {
        return Err(Failure::refused(
            "The kafka configuration file appears to be for a legacy cluster. Formatting is only supported for clusters \
             in KRaft mode.",
        ));
    }
    let node_id: i32 = node
        .get("node.id")
        .or(node.get("broker.id"))
        .and_then(|text| text.parse().ok())
        .filter(|id| *id >= 0)
        .ok_or_else(|| Failure::refused("You must specify a valid non-negative node ID."))?;
    let cluster_id = arguments.required("cluster-id")?;
    let voters = voters(arguments, node, node_id)?;
    let version = release(arguments)?;
    let (levels, kraft_version) = levels(arguments, version, node.get("controller.quorum.voters").is_none())?;
    let scram = arguments.values("add-scram").into_iter().map(scram_record).collect::<Result<Vec<_>, _>>()?;
    let mut empty = Vec::new();
    for directory in &node.directories {
        let Some(found) = super::meta_properties(directory).map_err(Failure::refused)? else {
            empty.push(directory.as_str());
            continue;
        };
        check_same(directory, &found, cluster_id, node_id)?;
        if !arguments.has("ignore-formatted") {
            return Err(Failure::refused(format!(
                "Log directory {directory} is already formatted. Use --ignore-formatted to ignore this directory and \
                 format the others."
            )));
        }
    }
    if empty.is_empty() {
        println!("All of the log directories are already formatted.");
        return Ok(());
    }
    println!("Bootstrap metadata: {}", describe(version, &levels, &scram));
    // Kafka writes the first metadata where the metadata log will be, of controllers only.
    let is_controller = node.roles().contains(&"controller");
    // Kafka formats in this order too: the metadata directory last.
    empty.sort_by_key(|directory| (*directory == node.metadata_directory, *directory));
    for directory in empty {
        let purpose = match &voters {
            _ if directory != node.metadata_directory => Purpose::Data,
            None => Purpose::StaticMetadata,
            Some(voters) if voters.contains_key(&node_id) => Purpose::DynamicVoter,
            Some(_) => Purpose::DynamicMetadata,
        };
        println!("Formatting {} {directory} with metadata.version {version}.", purpose.words());
        let directory_id = match voters.as_ref().and_then(|voters| voters.get(&node_id)) {
            Some(voter) if purpose == Purpose::DynamicVoter => voter.directory_id,
            _ => random_uuid(),
        };
        let properties = format!(
            "cluster.id={}\ndirectory.id={directory_id}\nnode.id={node_id}\nversion=1\n",
            escaped(cluster_id)
        );
        let directory = Path::new(directory);
        fs::create_dir_all(directory)?;
        if is_controller && purpose != Purpose::Data {
            let records = bootstrap_records(version, &levels, &scram);
            write_first_snapshot(directory, node, &records, kraft_version, voters.as_ref())?;
        }
        replace(&directory.join("meta.properties"), properties.as_bytes())?;
    }
    Ok(())
}

fn check_same(
    directory: &str,
    found: &config::Properties,
    cluster_id: &str,
    node_id: i32,
) -> Result<(), Failure> {
    let node_id = node_id.to_string();
    for (key, wanted) in [("cluster.id", cluster_id), ("node.id", &node_id)] {
        if let Some(read) = found.get(key)
            && read != wanted
        {
            return Err(Failure::bare(format!(
                "Exception in thread \"main\" java.lang.RuntimeException: Invalid {key} in: {directory}/meta.properties. \
                 Expected {wanted}, but read {read}"
            )));
        }
    }
    Ok(())
}

/// Voters with their directory ids, where the quorum is a dynamic one.
fn voters(
    arguments: &Arguments,
    node: &Node,
    node_id: i32,
) -> Result<Option<BTreeMap<i32, InitialVoter>>, Failure> {
    let is_static = node.get("controller.quorum.voters").is_some();
    let is_controller = node.roles().contains(&"controller");
    let given = ["standalone", "initial-controllers", "no-initial-controllers"];
    let given: Vec<_> = given.into_iter().filter(|name| arguments.has(name)).collect();
    if let [first, second, ..] = given[..] {
        return Err(Failure::Usage(format!(
            "argument {}: not allowed with argument {}",
            arguments.dashed(second),
            arguments.dashed(first)
        )));
    }
    if is_static && (arguments.has("standalone") || arguments.has("initial-controllers")) {
        return Err(Failure::refused(
            "You cannot specify controller.quorum.voters and format the node with --initial-controllers or --standalone. \
             If you want to use dynamic quorum, please remove controller.quorum.voters and specify \
             controller.quorum.bootstrap.servers instead.",
        ));
    }
    if arguments.has("standalone") {
        if !is_controller {
            return Err(Failure::refused("You can only use --standalone on a controller."));
        }
        let (host, port) = first_snapshot::controller_address(node);
        let voter = InitialVoter { directory_id: random_uuid(), host, port };
        return Ok(Some(BTreeMap::from([(node_id, voter)])));
    }
    if let Some(text) = arguments.value("initial-controllers")? {
        let voters = text.split(',').map(voter).collect::<Option<BTreeMap<_, _>>>();
        return voters.map(Some).ok_or_else(|| {
            Failure::refused(format!("{text} is no list of id@host:port:directory, parted by commas"))
        });
    }
    if is_controller && !is_static && !arguments.has("no-initial-controllers") {
        return Err(Failure::refused(
            "Because controller.quorum.voters is not set on this controller, you must specify one of the following: \
             --standalone, --initial-controllers, or --no-initial-controllers.",
        ));
    }
    Ok(None)
}

fn voter(text: &str) -> Option<(i32, InitialVoter)> {
    let (id, rest) = text.split_once('@')?;
    let (address, directory) = rest.rsplit_once(':')?;
    let (host, port) = address.rsplit_once(':')?;
    let directory_id: Uuid = directory.trim().parse().ok()?;
    let host = host.trim().trim_start_matches('[').trim_end_matches(']').to_owned();
    Some((id.trim().parse().ok()?, InitialVoter { directory_id, host, port: port.trim().parse().ok()? }))
}

fn release(arguments: &Arguments) -> Result<MetadataVersion, Failure> {
    let by_feature = arguments
        .values("feature")
        .into_iter()
        .find_map(|text| text.split_once('=').filter(|(name, _)| name.trim() == METADATA_VERSION));
    match (by_feature, arguments.value("release-version")?) {
        (Some(_), Some(_)) => Err(Failure::refused(
            "Use --release-version instead of --feature metadata.version=X to avoid ambiguity.",
        )),
        (Some((_, level)), None) => {
            let level = level.trim().parse().map_err(Failure::refused)?;
            MetadataVersion::from_feature_level(level)
                .map_err(|_| Failure::refused(format!("No MetadataVersion with feature level {level}")))
        }
        (None, Some(release)) => metadata_version(release),
        (None, None) => Ok(MetadataVersion::LATEST),
    }
}

/// The level of every feature but `metadata.version`; that of `kraft.version` apart, as it lives elsewhere.
fn levels(
    arguments: &Arguments,
    version: MetadataVersion,
    is_dynamic: bool,
) -> Result<(BTreeMap<&'static str, i16>, i16), Failure> {
    let defaults = FEATURES.iter().map(|feature| (feature.name, feature.default_level(version)));
    let mut levels: BTreeMap<_, _> = defaults.collect();
    levels.insert("kraft.version", i16::from(is_dynamic));
    for text in arguments.values("feature") {
        let unreadable = |why: &str| {
            Failure::bare(format!(
                "Exception in thread \"main\" java.lang.RuntimeException: Can't parse feature=level string {text}: {why}"
            ))
        };
        let (name, level) = text.split_once('=').ok_or_else(|| unreadable("equals sign not found."))?;
        let (name, level) = (name.trim(), level.trim());
        let level: i16 =
            level.parse().map_err(|_| unreadable(&format!("unable to parse {level} as a short.")))?;
        if name == METADATA_VERSION {
            continue;
        }
        let Some(feature) = Feature::named(name) else {
            let mut names: Vec<_> = FEATURES.iter().map(|feature| feature.name).collect();
            names.sort_unstable();
            return Err(Failure::refused(format!(
                "Unsupported feature: {name}. Supported features are: {}",
                names.join(", ")
            )));
        };
        if !usize::try_from(level).is_ok_and(|level| level <= feature.needs.len()) {
            return Err(Failure::refused(format!("No feature:{name} with feature level {level}")));
        }
        levels.insert(feature.name, level);
    }
    let kraft_version = levels.remove("kraft.version").unwrap_or_default();
    Ok((levels, kraft_version))
}

fn bootstrap_records(
    version: MetadataVersion,
    levels: &BTreeMap<&'static str, i16>,
    scram: &[UserScramCredentialRecord],
) -> Vec<MetadataRecord> {
    let level = |name: &str, feature_level: i16| {
        let record = FeatureLevelRecord { name: name.to_owned(), feature_level, ..Default::default() };
        MetadataRecord::FeatureLevel(record)
    };
    let mut records = vec![level(METADATA_VERSION, version.feature_level())];
    records.extend(levels.iter().filter(|(_, value)| **value > 0).map(|(name, value)| level(name, *value)));
    records.extend(scram.iter().cloned().map(MetadataRecord::UserScramCredential));
    records
}

/// The bootstrap metadata as Kafka's `toString` gives it; what is secret is left out there too.
fn describe(
    version: MetadataVersion,
    levels: &BTreeMap<&'static str, i16>,
    scram: &[UserScramCredentialRecord],
) -> String {
    let mut records = vec![format!(
        "ApiMessageAndVersion(FeatureLevelRecord(name='metadata.version', featureLevel={}) at version 0)",
        version.feature_level()
    )];
    for (name, level) in levels.iter().filter(|(_, level)| **level > 0) {
        records.push(format!(
            "ApiMessageAndVersion(FeatureLevelRecord(name='{name}', featureLevel={level}) at version 0)"
        ));
    }
    for record in scram {
        records.push(format!(
            "ApiMessageAndVersion(UserScramCredentialRecord(name='{}', mechanism={}, iterations={}) at version 0)",
            record.name, record.mechanism, record.iterations
        ));
    }
    format!(
        "BootstrapMetadata(records=[{}], metadataVersionLevel={}, source=format command)",
        records.join(", "),
        version.feature_level()
    )
}

fn write_first_snapshot(
    directory: &Path,
    node: &Node,
    records: &[MetadataRecord],
    kraft_version: i16,
    voters: Option<&BTreeMap<i32, InitialVoter>>,
) -> Result<(), Failure> {
    let listener = first_snapshot::controller_listener(node);
    let snapshot = first_snapshot::encode(records, kraft_version, voters, &listener)?;
    let folder = directory.join(METADATA_LOG);
    fs::create_dir_all(&folder)?;
    replace(&folder.join(FIRST_SNAPSHOT), &snapshot)
}

/// A value as Java's writer of properties escapes it.
fn escaped(value: &str) -> String {
    value
        .chars()
        .flat_map(|letter| ['\\', letter].into_iter().skip(usize::from(!"\\=:#!".contains(letter))))
        .collect()
}

/// The file is there whole or not at all, also after a power cut.
fn replace(path: &Path, bytes: &[u8]) -> Result<(), Failure> {
    let temporary = path.with_extension("tmp");
    fs::write(&temporary, bytes)?;
    fs::File::open(&temporary)?.sync_all()?;
    fs::rename(&temporary, path)?;
    if let Some(folder) = path.parent() {
        fs::File::open(folder)?.sync_all()?;
    }
    Ok(())
}

/// `SCRAM-SHA-256=[name=alice,password=alice-secret]`, or a salted password with its salt.
fn scram_record(text: &str) -> Result<UserScramCredentialRecord, Failure> {
    let malformed = || Failure::refused(format!("Failed to parse add-scram: {text}"));
    let (mechanism, rest) = text.split_once('=').ok_or_else(malformed)?;
    let inner =
        rest.trim().strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).ok_or_else(malformed)?;
    let unquoted = |value: &str| value.trim().trim_matches('"').to_owned();
    let pairs = inner.split(',').map(|pair| pair.split_once('='));
    let parts = pairs.collect::<Option<Vec<_>>>().ok_or_else(malformed)?;
    let get = |key: &str| parts.iter().find(|(name, _)| name.trim() == key).map(|(_, value)| unquoted(value));
    let iterations =
        get("iterations").map_or(Ok(SCRAM_ITERATIONS), |text| text.parse()).map_err(|_| malformed())?;
    if !(SCRAM_ITERATIONS..=SCRAM_ITERATIONS_MAX).contains(&iterations) {
        return Err(Failure::refused(format!(
            "The 'iterations' value must be >= {SCRAM_ITERATIONS} and <= {SCRAM_ITERATIONS_MAX} for add-scram"
        )));
    }
    let name = get("name").ok_or_else(|| Failure::refused("You must supply 'name' to add-scram"))?;
    let salt = match get("salt") {
        Some(text) => from_base64(&text).ok_or_else(malformed)?,
        None => Bytes::copy_from_slice(&rand::random::<[u8; 32]>()),
    };
    let salted = match (get("password"), get("saltedpassword")) {
        (Some(_), Some(_)) | (None, None) => {
            return Err(Failure::refused(
                "You must supply one of 'password' or 'saltedpassword' to add-scram",
            ));
        }
        (None, Some(text)) => from_base64(&text).ok_or_else(malformed)?.to_vec(),
        (Some(password), None) => match mechanism {
            "SCRAM-SHA-256" => salted::<Hmac<Sha256>>(password.as_bytes(), &salt, iterations),
            _ => salted::<Hmac<Sha512>>(password.as_bytes(), &salt, iterations),
        },
    };
    let (code, client, server) = match mechanism {
        "SCRAM-SHA-256" => {
            let client = mac::<Hmac<Sha256>>(&salted, b"Client Key");
            (1, Sha256::digest(client).to_vec(), mac::<Hmac<Sha256>>(&salted, b"Server Key"))
        }
        "SCRAM-SHA-512" => {
            let client = mac::<Hmac<Sha512>>(&salted, b"Client Key");
            (2, Sha512::digest(client).to_vec(), mac::<Hmac<Sha512>>(&salted, b"Server Key"))
        }
        other => return Err(Failure::refused(format!("The add-scram mechanism {other} is not supported"))),
    };
    Ok(UserScramCredentialRecord {
        name,
        mechanism: code,
        salt,
        stored_key: Bytes::from(client),
        server_key: Bytes::from(server),
        iterations,
        ..Default::default()
    })
}

fn mac<M: Mac + KeyInit>(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut mac = <M as KeyInit>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(text);
    mac.finalize().into_bytes().to_vec()
}

/// RFC 5802's `Hi`.
pub fn salted<M: Mac + KeyInit>(password: &[u8], salt: &[u8], iterations: i32) -> Vec<u8> {
    let mut block = mac::<M>(password, &[salt, &1u32.to_be_bytes()].concat());
    let mut result = block.clone();
    for _ in 1..iterations {
        block = mac::<M>(password, &block);
        result.iter_mut().zip(&block).for_each(|(sum, byte)| *sum ^= byte);
    }
    result
}
