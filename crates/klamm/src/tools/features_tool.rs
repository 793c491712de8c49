//! `kafka-features`: which feature levels the cluster has, and how to change them.

use std::collections::BTreeMap;

use klamm_client::Admin;
use klamm_client::admin::FeatureUpgrade;
use metadata::MetadataVersion;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, Verb, flag, integer, text};

use super::features::{self, FEATURES, METADATA_VERSION};
use super::java_errors;
use super::session::with_admin_of;

const LEVELS: &[Opt] = &[
    text("metadata", "VERSION", "").replaced_by("release-version"),
    text("feature", "NAME=LEVEL", "The feature and the level to bring it to; may be repeated."),
    text("release-version", "RELEASE", "Brings all features to the levels of this release."),
    flag("dry-run", "Only says what would happen."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "features",
    classes: &["org.apache.kafka.tools.FeatureCommand", "kafka.admin.FeatureCommand"],
    about: "Shows and changes the feature levels of a cluster.",
    grammar: Grammar::Argparse,
    options: &[&[
        text("bootstrap-server", "host:port,...", "Some brokers of the cluster to connect to."),
        text("bootstrap-controller", "host:port,...", "Some controllers of the cluster to connect to."),
        text("command-config", "file", "A properties file with settings of the client."),
    ]],
    verbs: &[
        Verb {
            name: "describe",
            about: "Shows the levels that are supported and those in force.",
            options: &[&[integer("node-id", "ID", "The node to ask.")]],
        },
        Verb { name: "upgrade", about: "Raises levels.", options: &[LEVELS] },
        Verb {
            name: "downgrade",
            about: "Lowers levels.",
            options: &[LEVELS, &[flag("unsafe", "Lowers them even if metadata is lost.")]],
        },
        Verb {
            name: "disable",
            about: "Takes features out of force.",
            options: &[&[
                text("feature", "NAME", "The feature; may be repeated."),
                flag("unsafe", "Does it even if metadata is lost."),
                flag("dry-run", "Only says what would happen."),
            ]],
        },
        Verb {
            name: "version-mapping",
            about: "Shows the feature levels of a release.",
            options: &[&[text("release-version", "RELEASE", "The release; the newest if not given.")]],
        },
        Verb {
            name: "feature-dependencies",
            about: "Shows which features a level of a feature needs.",
            options: &[&[text("feature", "NAME=LEVEL", "The feature and its level.").required()]],
        },
    ],
    refusals: Refusals::PLAIN,
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let mut properties = super::session::properties(arguments)?;
    match (arguments.value("bootstrap-server")?, arguments.value("bootstrap-controller")?) {
        (None, None) => {
            return Err(Failure::bare(
                "Command line error: You must specify either --bootstrap-controller or --bootstrap-server.. Type --help \
                 for help.",
            ));
        }
        (Some(_), Some(_)) => {
            return Err(Failure::bare(
                "Command line error: You cannot specify both --bootstrap-controller and --bootstrap-server.. Type --help \
                 for help.",
            ));
        }
        (None, Some(controllers)) => {
            properties.insert("bootstrap.servers".to_owned(), controllers.to_owned());
        }
        _ => {}
    }
    match arguments.verb_name() {
        "version-mapping" => return features::print_version_mapping(arguments),
        "feature-dependencies" => return features::print_dependencies(arguments),
        _ => {}
    }
    let updates = match arguments.verb_name() {
        "describe" => BTreeMap::new(),
        "disable" => disabled(arguments)?,
        verb => levels(arguments, verb)?,
    };
    let node: Option<i32> = arguments.number("node-id")?;
    with_admin_of(properties, "adminclient-1", async |admin| match arguments.verb_name() {
        "describe" => describe(&admin, arguments, node).await,
        verb => update(&admin, arguments, verb, updates).await,
    })
}

/// A level as people know it: releases for `metadata.version`.
fn shown(name: &str, level: i16) -> String {
    if name != METADATA_VERSION {
        return level.to_string();
    }
    MetadataVersion::from_feature_level(level)
        .map_or_else(|_| format!("UNKNOWN {level}"), |version| version.to_string())
}

async fn describe(admin: &Admin, arguments: &Arguments, node: Option<i32>) -> Result<(), Failure> {
    let described = admin.describe_features(node).await?;
    let mut rows = Vec::new();
    for (name, (min, max)) in &described.supported {
        let finalized = described.finalized.get(name).copied().unwrap_or(0);
        if arguments.json() {
            rows.push(json!({
                "feature": name, "supportedMinVersion": min, "supportedMaxVersion": max,
                "finalizedVersionLevel": finalized, "epoch": described.epoch,
            }));
            continue;
        }
        let epoch = described.epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
        println!(
            "Feature: {name:<40}  SupportedMinVersion: {:<15}  SupportedMaxVersion: {:<15}  FinalizedVersionLevel: \
             {:<15}  Epoch: {epoch}",
            shown(name, *min),
            shown(name, *max),
            shown(name, finalized)
        );
    }
    if arguments.json() {
        println!("{}", Value::Array(rows));
    }
    Ok(())
}

type Updates = BTreeMap<String, (i16, FeatureUpgrade)>;

fn levels(arguments: &Arguments, verb: &str) -> Result<Updates, Failure> {
    let upgrade = match verb {
        "upgrade" => FeatureUpgrade::Upgrade,
        _ if arguments.has("unsafe") => FeatureUpgrade::UnsafeDowngrade,
        _ => FeatureUpgrade::SafeDowngrade,
    };
    let mut updates = Updates::new();
    if let Some(release) = arguments.value("release-version")? {
        if arguments.has("feature") || arguments.has("metadata") {
            return Err(Failure::refused("Can not specify --release-version with other feature flags."));
        }
        let version = features::metadata_version(release)?;
        updates.insert(METADATA_VERSION.to_owned(), (version.feature_level(), upgrade));
        for feature in FEATURES {
            let level = feature.default_level(version);
            // A level of 0 is no upgrade from anything.
            if level > 0 || upgrade != FeatureUpgrade::Upgrade {
                updates.insert(feature.name.to_owned(), (level, upgrade));
            }
        }
    } else {
        if let Some(text) = arguments.value("metadata")? {
            let version = features::metadata_version(text).map_err(|_| {
                Failure::refused(format!(
                    "Unsupported metadata.version {text}. See --help for supported versions."
                ))
            })?;
            updates.insert(METADATA_VERSION.to_owned(), (version.feature_level(), upgrade));
        }
        for text in arguments.values("feature") {
            let (name, level) = name_and_level(text)?;
            if updates.insert(name.clone(), (level, upgrade)).is_some() {
                return Err(Failure::refused(format!("Feature {name} was specified more than once.")));
            }
        }
    }
    if updates.is_empty() {
        return Err(Failure::refused(format!("You must specify at least one feature to {verb}")));
    }
    Ok(updates)
}

fn name_and_level(text: &str) -> Result<(String, i16), Failure> {
    let unreadable = |why: &str| Failure::refused(format!("Can't parse feature=level string {text}: {why}"));
    let (name, level) = text.split_once('=').ok_or_else(|| unreadable("equals sign not found."))?;
    let (name, level) = (name.trim(), level.trim());
    let number = level.parse().map_err(|_| unreadable(&format!("unable to parse {level} as a short.")))?;
    Ok((name.to_owned(), number))
}

fn disabled(arguments: &Arguments) -> Result<Updates, Failure> {
    let upgrade = match arguments.has("unsafe") {
        true => FeatureUpgrade::UnsafeDowngrade,
        false => FeatureUpgrade::SafeDowngrade,
    };
    let mut updates = Updates::new();
    for name in arguments.values("feature") {
        if updates.insert(name.to_owned(), (0, upgrade)).is_some() {
            return Err(Failure::refused(format!("Feature {name} was specified more than once.")));
        }
    }
    if updates.is_empty() {
        return Err(Failure::refused("You must specify at least one feature to disable"));
    }
    Ok(updates)
}

async fn update(admin: &Admin, arguments: &Arguments, verb: &str, updates: Updates) -> Result<(), Failure> {
    let is_dry = arguments.has("dry-run");
    let done = match (verb, is_dry) {
        ("upgrade", false) => "upgraded",
        ("downgrade", false) => "downgraded",
        ("upgrade", true) => "be upgraded",
        ("downgrade", true) => "be downgraded",
        (_, true) => "be disabled",
        _ => "disabled",
    };
    let mut failures = 0;
    let results = admin.update_features(&updates, is_dry).await?;
    let count = results.len();
    for (name, result) in results {
        let level = updates.get(&name).map_or(0, |(level, _)| *level);
        let to = if verb == "disable" { String::new() } else { format!(" to {level}") };
        match result {
            Ok(()) => {
                arguments.say(format_args!("{name} {} {done}{to}.", if is_dry { "can" } else { "was" }));
            }
            Err(error) => {
                failures += 1;
                let helper = if is_dry { "Can" } else { "Could" };
                arguments
                    .say(format_args!("{helper} not {verb} {name}{to}. {}", java_errors::message(&error)));
            }
        }
    }
    if failures > 0 {
        return Err(Failure::refused(format!("{failures} out of {count} operation(s) failed.")));
    }
    Ok(())
}
