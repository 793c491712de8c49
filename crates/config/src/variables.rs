//! `${provider:path:key}` in values, resolved by the providers that `config.providers` names.

use crate::error::ConfigError;
use crate::properties::{self, Properties};

/// Where variables are read from; the process gives its environment and its files.
pub trait VariableSource {
    /// An environment variable.
    fn environment(&self, name: &str) -> Option<String>;
    /// A file's bytes.
    ///
    /// # Errors
    /// Why it cannot be read, for a person.
    fn file(&self, path: &str) -> Result<Vec<u8>, String>;
}

const PACKAGE: &str = "org.apache.kafka.common.config.provider.";

/// The providers that need no Java.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Provider {
    Environment,
    File,
    Directory,
}

/// Replaces every variable of a named provider; text that names no such provider stays as it is.
pub(crate) fn resolve(
    mut settings: Properties,
    source: &dyn VariableSource,
) -> Result<Properties, ConfigError> {
    let providers = providers(&settings)?;
    if providers.is_empty() {
        return Ok(settings);
    }
    for (key, text) in &mut settings {
        if !key.starts_with("config.providers") {
            *text = replace(key, text, &providers, source)?;
        }
    }
    Ok(settings)
}

fn providers(settings: &Properties) -> Result<Vec<(String, Provider)>, ConfigError> {
    let names = settings.get("config.providers").map_or("", String::as_str);
    let mut providers = Vec::new();
    for name in names.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let class_key = format!("config.providers.{name}.class");
        let class = settings.get(&class_key).map_or("", |class| class.trim());
        let provider = match class.strip_prefix(PACKAGE) {
            Some("EnvVarConfigProvider") => Provider::Environment,
            Some("FileConfigProvider") => Provider::File,
            Some("DirectoryConfigProvider") => Provider::Directory,
            _ if class.is_empty() => {
                return Err(ConfigError::refused("config.providers", format!("{class_key} is not set")));
            }
            _ => {
                let reason = format!(
                    "Java classes cannot be loaded; the providers at hand are {PACKAGE}EnvVarConfigProvider, \
                     FileConfigProvider and DirectoryConfigProvider"
                );
                return Err(ConfigError::refused(&class_key, reason));
            }
        };
        let limits = format!("config.providers.{name}.param.");
        if let Some(limit) = settings.keys().find(|key| key.starts_with(&limits)) {
            return Err(ConfigError::refused(limit, "limits of configuration providers are not supported"));
        }
        providers.push((name.to_owned(), provider));
    }
    Ok(providers)
}

fn replace(
    key: &str,
    text: &str,
    providers: &[(String, Provider)],
    source: &dyn VariableSource,
) -> Result<String, ConfigError> {
    let mut result = String::new();
    let mut rest = text;
    while let Some(start) = rest.find("${") {
        let (before, from) = rest.split_at(start);
        result.push_str(before);
        let Some(end) = from.find('}') else {
            rest = from;
            break;
        };
        let (variable, after) = from.split_at(end + 1);
        let parts: Vec<&str> = variable[2..end].splitn(3, ':').collect();
        let (name, path, entry) = match parts.as_slice() {
            [name, entry] => (*name, "", *entry),
            [name, path, entry] => (*name, *path, *entry),
            _ => ("", "", ""),
        };
        match providers.iter().find(|(known, _)| known == name) {
            Some((_, provider)) => {
                let value = look_up(*provider, path, entry, source)
                    .map_err(|reason| ConfigError::refused(key, format!("{variable}: {reason}")))?;
                result.push_str(&value);
            }
            None => result.push_str(variable),
        }
        rest = after;
    }
    result.push_str(rest);
    Ok(result)
}

fn look_up(
    provider: Provider,
    path: &str,
    entry: &str,
    source: &dyn VariableSource,
) -> Result<String, String> {
    match provider {
        Provider::Environment => {
            source.environment(entry).ok_or_else(|| format!("no environment variable is called {entry}"))
        }
        Provider::File => {
            let mut file = properties::parse(&source.file(path)?).map_err(|error| error.to_string())?;
            file.remove(entry).ok_or_else(|| format!("{path} has no key {entry}"))
        }
        Provider::Directory if entry.contains('/') => Err("a key here is the name of a file".to_owned()),
        Provider::Directory => {
            let bytes = source.file(&format!("{path}/{entry}"))?;
            String::from_utf8(bytes).map_err(|_| format!("{path}/{entry} is not UTF-8"))
        }
    }
}
