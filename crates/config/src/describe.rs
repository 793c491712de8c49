//! What DescribeConfigs tells: values in effect, where they come from, what else would give them.

use crate::broker::{self, BrokerConfig};
use crate::client_metrics;
use crate::group;
use crate::key::ConfigKey;
use crate::properties::Properties;
use crate::topic;
use crate::value::{Kind, Value};

/// Where a value comes from; the discriminant is DescribeConfigs' source code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[repr(i8)]
pub enum ConfigSource {
    /// The topic's own.
    DynamicTopic = 1,
    /// Altered for this broker.
    DynamicBroker = 2,
    /// Altered for all brokers.
    DynamicDefaultBroker = 3,
    /// File, environment or command line.
    StaticBroker = 4,
    /// Nobody set it.
    Default = 5,
    /// The subscription's own.
    ClientMetrics = 7,
    /// The group's own.
    Group = 8,
}

impl ConfigSource {
    /// The code that DescribeConfigs answers.
    pub const fn code(self) -> i8 {
        self as i8
    }
}

/// One way a value is, or would be, come by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DescribedSynonym {
    /// The key that is set.
    pub name: String,
    /// Its text; `None` for a secret.
    pub value: Option<String>,
    /// Where it is set.
    pub source: ConfigSource,
}

/// A key as DescribeConfigs shows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Description {
    /// The key.
    pub name: String,
    /// The value in effect; `None` for a secret, or for null.
    pub value: Option<String>,
    /// Whether only a restart changes it.
    pub read_only: bool,
    /// Where the value comes from.
    pub source: ConfigSource,
    /// Whether the value is a secret; so is that of a key nobody knows.
    pub sensitive: bool,
    /// Every way the value is or would be come by, strongest first.
    pub synonyms: Vec<DescribedSynonym>,
    /// The type's code; 0 for a key nobody knows.
    pub type_code: i8,
    /// What the key does, if it is known.
    pub documentation: Option<&'static str>,
}

/// A topic's keys, given its own values.
pub fn topic(broker: &BrokerConfig, own: &Properties) -> Vec<Description> {
    let describe = |key: &'static ConfigKey| {
        let chain = key.synonyms.first().map_or_else(Vec::new, |synonym| synonyms_of(broker, synonym.name));
        layered(key, own, topic::inherited(broker, key).as_deref(), chain, ConfigSource::DynamicTopic)
    };
    resource(topic::keys(), own, describe)
}

/// A group's keys, given its own values.
pub fn group(broker: &BrokerConfig, own: &Properties) -> Vec<Description> {
    let describe = |key: &'static ConfigKey| {
        let mut chain =
            key.synonyms.first().map_or_else(Vec::new, |synonym| synonyms_of(broker, synonym.name));
        if key.synonyms.is_empty() {
            chain.extend(
                key.default_text().map(|text| described(key.name, text, ConfigSource::Default, false)),
            );
        }
        layered(key, own, group::inherited(broker, key).as_deref(), chain, ConfigSource::Group)
    };
    resource(group::keys(), own, describe)
}

/// A subscription's keys, given its own values.
pub fn client_metrics(own: &Properties) -> Vec<Description> {
    let describe = |key: &'static ConfigKey| layered(key, own, None, Vec::new(), ConfigSource::ClientMetrics);
    resource(client_metrics::keys(), own, describe)
}

/// A broker's keys.
pub fn broker(config: &BrokerConfig) -> Vec<Description> {
    let known = broker::keys().iter().filter(|key| !key.internal).map(|key| {
        let value = effective(key, config.layers.get(key.name));
        broker_description(config, key.name, value, true)
    });
    let layers = &config.layers;
    let mut others: Vec<&String> = [&layers.fixed, &layers.cluster, &layers.broker]
        .into_iter()
        .flat_map(Properties::keys)
        .filter(|name| broker::key(name).is_none_or(|key| key.internal))
        .collect();
    others.sort();
    others.dedup();
    let others = others.into_iter().map(|name| {
        let value = layers.get(name).map(str::to_owned);
        broker_description(config, name, value, true)
    });
    known.chain(others).collect()
}

/// What is altered for all brokers.
pub fn cluster(config: &BrokerConfig) -> Vec<Description> {
    let altered = config.layers.cluster.iter();
    altered.map(|(name, text)| broker_description(config, name, Some(text.clone()), false)).collect()
}

fn broker_description(
    config: &BrokerConfig,
    name: &str,
    value: Option<String>,
    one_broker: bool,
) -> Description {
    let key = broker::key_of_any_form(name);
    let sensitive = key.is_none_or(|key| key.sensitive());
    let mut synonyms = synonyms_of(config, name);
    synonyms.retain(|synonym| one_broker || synonym.source == ConfigSource::DynamicDefaultBroker);
    Description {
        name: name.to_owned(),
        value: value.filter(|_| !sensitive),
        read_only: broker::key(name).is_none_or(|key| key.update_mode == crate::UpdateMode::ReadOnly),
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        sensitive,
        synonyms,
        type_code: key.map_or(0, |key| key.kind.code()),
        documentation: broker::key(name).filter(|key| !key.internal).map(|key| key.documentation),
    }
}

fn resource(
    keys: &'static [ConfigKey],
    own: &Properties,
    describe: impl Fn(&'static ConfigKey) -> Description,
) -> Vec<Description> {
    let shown = keys.iter().filter(|key| !key.internal || own.contains_key(key.name));
    shown.map(describe).collect()
}

fn layered(
    key: &'static ConfigKey,
    own: &Properties,
    inherited: Option<&str>,
    mut synonyms: Vec<DescribedSynonym>,
    own_source: ConfigSource,
) -> Description {
    let own = own.get(key.name).map(String::as_str);
    let value = effective(key, own.or(inherited));
    if own.is_some() {
        let value = value.clone().filter(|_| !key.sensitive());
        synonyms.insert(0, DescribedSynonym { name: key.name.to_owned(), value, source: own_source });
    }
    Description {
        name: key.name.to_owned(),
        value: value.filter(|_| !key.sensitive()),
        read_only: false,
        source: synonyms.first().map_or(ConfigSource::Default, |synonym| synonym.source),
        sensitive: key.sensitive(),
        synonyms,
        type_code: key.kind.code(),
        documentation: Some(key.documentation),
    }
}

/// The value as it is printed: what is set if it is valid, else the default.
fn effective(key: &ConfigKey, text: Option<&str>) -> Option<String> {
    let value = key.resolve(text).or_else(|_| key.resolve(None)).ok().flatten();
    value.filter(|value| !matches!(value, Value::Password(_))).map(|value| value.to_string())
}

/// Every place where a broker key or one that stands in for it is set, strongest layer first; what comes
/// before the first mention of the key itself is left out, as Kafka does it.
fn synonyms_of(config: &BrokerConfig, name: &str) -> Vec<DescribedSynonym> {
    let names = broker::synonyms(name);
    let sensitive = broker::key_of_any_form(name).is_none_or(|key| key.kind == Kind::Password);
    let layers = &config.layers;
    let mut found = Vec::new();
    for (layer, source) in [
        (&layers.broker, ConfigSource::DynamicBroker),
        (&layers.cluster, ConfigSource::DynamicDefaultBroker),
        (&layers.fixed, ConfigSource::StaticBroker),
    ] {
        let set = names.iter().filter_map(|name| Some((name, layer.get(*name)?)));
        found.extend(set.map(|(name, text)| described(name, text, source, sensitive)));
    }
    let default = |name| broker::key(name).filter(|key| !key.dynamic_only).and_then(ConfigKey::default_text);
    let defaults = names.iter().filter_map(|name| Some((name, default(name)?)));
    found.extend(defaults.map(|(name, text)| described(name, text, ConfigSource::Default, sensitive)));
    found.into_iter().skip_while(|synonym| synonym.name != name).collect()
}

fn described(name: &str, text: &str, source: ConfigSource, sensitive: bool) -> DescribedSynonym {
    let value = (!sensitive).then(|| text.to_owned());
    DescribedSynonym { name: name.to_owned(), value, source }
}
