//! Feature levels by release, for `kafka-storage` and `kafka-features`.

use metadata::MetadataVersion;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure};

/// The name of `metadata.version`.
pub const METADATA_VERSION: &str = "metadata.version";

/// What Kafka 4.4 knows of a feature.
pub struct Feature {
    /// Its name.
    pub name: &'static str,
    /// From which `metadata.version` on a new cluster has level 1, level 2, and so on.
    pub since: &'static [i16],
    /// What each level from 1 on needs of other features.
    pub needs: &'static [&'static [(&'static str, i16)]],
}

/// The features beside `metadata.version`, in Kafka's order.
pub const FEATURES: &[Feature] = &[
    Feature { name: "kraft.version", since: &[21], needs: &[&[(METADATA_VERSION, 21)]] },
    Feature { name: "transaction.version", since: &[24, 24], needs: &[&[], &[]] },
    Feature { name: "group.version", since: &[22], needs: &[&[]] },
    Feature { name: "eligible.leader.replicas.version", since: &[26], needs: &[&[(METADATA_VERSION, 23)]] },
    Feature { name: "share.version", since: &[28, 31], needs: &[&[], &[]] },
    Feature { name: "streams.version", since: &[29], needs: &[&[]] },
];

impl Feature {
    /// The level of a new cluster at this `metadata.version`.
    pub fn default_level(&self, version: MetadataVersion) -> i16 {
        let reached = self.since.iter().filter(|since| **since <= version.feature_level()).count();
        i16::try_from(reached).unwrap_or(0)
    }

    /// The feature of this name.
    pub fn named(name: &str) -> Option<&'static Self> {
        FEATURES.iter().find(|feature| feature.name == name)
    }
}

/// Every level of `metadata.version`, lowest first.
pub fn metadata_versions() -> Vec<MetadataVersion> {
    let levels = MetadataVersion::MINIMUM.feature_level()..=MetadataVersion::LATEST.feature_level();
    levels.filter_map(|level| MetadataVersion::from_feature_level(level).ok()).collect()
}

/// Reads a release (`4.0`, its last step) or one step of it (`4.0-IV2`).
pub fn metadata_version(text: &str) -> Result<MetadataVersion, Failure> {
    let versions = metadata_versions();
    // `4.0.1` means what `4.0` means.
    let release: Vec<_> = text.split('.').take(2).collect();
    let release = if text.contains("-IV") { text.to_owned() } else { release.join(".") };
    let matches = |version: &&MetadataVersion| {
        let name = version.to_string();
        name == release || name.split("-IV").next() == Some(&release)
    };
    versions.iter().rev().find(matches).copied().ok_or_else(|| {
        let names: Vec<_> = versions.iter().map(ToString::to_string).collect();
        Failure::refused(format!(
            "Unknown metadata.version '{text}'. Supported metadata.version are: {}",
            names.join(", ")
        ))
    })
}

/// Prints the levels that go with a release.
pub fn print_version_mapping(arguments: &Arguments) -> Result<(), Failure> {
    let release = arguments.value("release-version")?;
    let latest = MetadataVersion::LATEST.to_string();
    let release = release.unwrap_or(&latest);
    let version = metadata_version(release)?;
    if arguments.json() {
        let levels =
            FEATURES.iter().map(|feature| (feature.name.to_owned(), feature.default_level(version).into()));
        let first = (METADATA_VERSION.to_owned(), version.feature_level().into());
        println!("{}", Value::Object([first].into_iter().chain(levels).collect()));
        return Ok(());
    }
    println!("metadata.version={} ({release})", version.feature_level());
    for feature in FEATURES {
        println!("{}={}", feature.name, feature.default_level(version));
    }
    Ok(())
}

/// Prints what levels of features need.
pub fn print_dependencies(arguments: &Arguments) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for text in arguments.values("feature") {
        let Some((name, level)) = text.split_once('=') else {
            return Err(Failure::refused(format!(
                "Invalid feature format: {text}. Expected format: 'feature=version' (e.g. 'group.version=1')"
            )));
        };
        let (name, level_text) = (name.trim(), level.trim());
        let level: i16 = level_text.parse().map_err(|_| {
            Failure::refused(format!("Invalid version format: {level_text} for feature {name}"))
        })?;
        if name == METADATA_VERSION {
            let version = MetadataVersion::from_feature_level(level)
                .map_err(|_| Failure::refused(format!("Unknown metadata.version {level}")))?;
            if arguments.json() {
                rows.push(json!({ "feature": name, "level": level, "requires": {} }));
            } else {
                println!("{name}={level} ({version}) has no dependencies.");
            }
            continue;
        }
        let feature =
            Feature::named(name).ok_or_else(|| Failure::refused(format!("Unknown feature: {name}")))?;
        let needs = match level {
            0 => &[][..],
            level => usize::try_from(level - 1).ok().and_then(|index| feature.needs.get(index)).ok_or_else(
                || Failure::refused(format!("Feature level {level} is not supported for feature {name}")),
            )?,
        };
        if arguments.json() {
            let needs = needs.iter().map(|(name, level)| ((*name).to_owned(), (*level).into()));
            let requires = Value::Object(needs.collect());
            rows.push(json!({ "feature": name, "level": level, "requires": requires }));
            continue;
        }
        if needs.is_empty() {
            println!("{name}={level} has no dependencies.");
            continue;
        }
        println!("{name}={level} requires:");
        for (needed, level) in needs {
            match MetadataVersion::from_feature_level(*level) {
                Ok(version) if *needed == METADATA_VERSION => println!("    {needed}={level} ({version})"),
                _ => println!("    {needed}={level}"),
            }
        }
    }
    if arguments.json() {
        println!("{}", Value::Array(rows));
    }
    Ok(())
}
