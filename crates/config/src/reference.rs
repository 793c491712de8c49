//! The reference of all keys, as Markdown.

use std::fmt::Write;

use crate::key::{ConfigKey, DefaultValue, Effect};
use crate::{broker, client_metrics, group, topic};

/// The pages of `docs/reference/`: file name and text.
pub fn pages() -> Vec<(&'static str, String)> {
    let broker: Vec<&ConfigKey> = broker::keys().to_vec();
    vec![
        (
            "config-broker.md",
            page(
                "Broker configuration",
                "Set in the properties file, by `--override key=value` or by environment variables \
                 (`KAFKA_LOG_DIRS` is `log.dirs`), each of them going before the one named earlier. Keys that \
                 change per broker or cluster-wide can be altered while the broker runs.",
                &broker,
                true,
            ),
        ),
        (
            "config-topic.md",
            page(
                "Topic configuration",
                "Set when a topic is created or at any time after. What a topic does not set comes from the \
                 broker's keys named with it.",
                &topic::keys().iter().collect::<Vec<_>>(),
                false,
            ),
        ),
        (
            "config-group.md",
            page(
                "Group configuration",
                "Set at any time for a group. What a group does not set comes from the broker's keys named with \
                 it.",
                &group::keys().iter().collect::<Vec<_>>(),
                false,
            ),
        ),
        (
            "config-client-metrics.md",
            page(
                "Configuration of subscriptions to metrics of clients",
                "Set at any time for a subscription.",
                &client_metrics::keys().iter().collect::<Vec<_>>(),
                false,
            ),
        ),
    ]
}

fn page(title: &str, introduction: &str, keys: &[&ConfigKey], update_modes: bool) -> String {
    let mut text =
        format!("<!-- Generated from the tables in crates/config. -->\n# {title}\n\n{introduction}\n");
    for key in keys.iter().filter(|key| !key.internal) {
        section(&mut text, key, update_modes);
    }
    text
}

fn section(text: &mut String, key: &ConfigKey, update_modes: bool) {
    let default = match key.default {
        DefaultValue::Text("") => "empty".to_owned(),
        DefaultValue::Text(default) => format!("`{default}`"),
        DefaultValue::Null => "none".to_owned(),
        DefaultValue::Required => "must be set".to_owned(),
    };
    let mut facts = vec![
        format!("Type: {}", key.kind.name().to_lowercase()),
        format!("Default: {default}"),
        format!("Importance: {}", format!("{:?}", key.importance).to_lowercase()),
    ];
    let valid = key.valid.to_string();
    if !valid.is_empty() {
        facts.insert(2, format!("Valid values: `{valid}`"));
    }
    if update_modes {
        facts.push(format!("Update mode: {}", key.update_mode.word()));
    }
    if !key.synonyms.is_empty() {
        let names: Vec<String> = key.synonyms.iter().map(|synonym| format!("`{}`", synonym.name)).collect();
        facts.push(format!("From the broker: {}", names.join(", ")));
    }
    let effect = match key.effect {
        Effect::Full => String::new(),
        Effect::Inert => "\n**Has no effect here.**\n".to_owned(),
        Effect::Refused { reason, except: [] } => {
            format!("\n**Only the default is accepted: {reason}.**\n")
        }
        Effect::Refused { reason, except } => {
            let except: Vec<String> = except.iter().map(|value| format!("`{value}`")).collect();
            format!("\n**Only the default and {} are accepted: {reason}.**\n", except.join(", "))
        }
    };
    let deprecated =
        key.deprecated.map_or(String::new(), |instead| format!("\n**Deprecated: {instead}.**\n"));
    write!(
        text,
        "\n## `{}`\n\n{}\n{effect}{deprecated}\n{}\n",
        key.name,
        key.documentation,
        facts.join(" · ")
    )
    .expect("a String takes everything");
}
