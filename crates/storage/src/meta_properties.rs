//! `meta.properties`: which cluster, node and directory a log directory belongs to (KIP-631, KIP-858).

use std::collections::BTreeMap;
use std::fmt::Write;

use protocol::Uuid;

const VERSION: &str = "1";

/// The identity of one log directory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// Cluster the directory belongs to.
    pub cluster_id: String,
    /// Node the directory belongs to.
    pub node_id: i32,
    /// This directory; absent in directories formatted before KIP-858.
    pub directory_id: Option<Uuid>,
}

/// The text of the file, keys in order.
pub fn encode(properties: &MetaProperties) -> String {
    let mut text = format!("cluster.id={}\n", escape(&properties.cluster_id));
    if let Some(directory_id) = properties.directory_id {
        writeln!(text, "directory.id={directory_id}").expect("a string takes every write");
    }
    write!(text, "node.id={}\nversion={VERSION}\n", properties.node_id).expect("a string takes every write");
    text
}

/// Reads the parsed properties of the file.
pub fn decode(properties: &BTreeMap<String, String>) -> Result<MetaProperties, String> {
    let get = |key: &str| properties.get(key).map(String::as_str).ok_or_else(|| format!("no {key}"));
    let version = get("version")?;
    if version != VERSION {
        return Err(format!("version {version:?}, expected {VERSION}"));
    }
    let node_id = get("node.id")?;
    let node_id = node_id.parse().map_err(|_| format!("node.id {node_id:?} is not a number"))?;
    let directory_id = match properties.get("directory.id") {
        Some(text) => Some(text.parse().map_err(|_| format!("directory.id {text:?} is not an id"))?),
        None => None,
    };
    Ok(MetaProperties { cluster_id: get("cluster.id")?.to_owned(), node_id, directory_id })
}

/// Escapes a value as Java's writer of properties does for the characters that could end or split it.
fn escape(value: &str) -> String {
    let mut escaped = String::with_capacity(value.len());
    for (index, c) in value.chars().enumerate() {
        match c {
            ' ' if index > 0 => escaped.push(' '),
            ' ' | '\\' | '=' | ':' | '#' | '!' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str("\\n"),
            '\r' => escaped.push_str("\\r"),
            '\t' => escaped.push_str("\\t"),
            c => escaped.push(c),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip_and_damage() {
        let properties = MetaProperties {
            cluster_id: "x=1: y".to_owned(),
            node_id: 7,
            directory_id: Some(Uuid::from_u128(0x0123_4567_89ab_cdef_fedc_ba98_7654_3210)),
        };
        let text = encode(&properties);
        assert_eq!(
            text,
            "cluster.id=x\\=1\\: y\ndirectory.id=ASNFZ4mrze_-3LqYdlQyEA\nnode.id=7\nversion=1\n"
        );
        let parsed = config::properties::parse(text.as_bytes()).expect("well formed");
        assert_eq!(decode(&parsed), Ok(properties));
        for damaged in
            ["version=0\nnode.id=1\ncluster.id=x", "version=1\ncluster.id=x", "version=1\nnode.id=1"]
        {
            let parsed = config::properties::parse(damaged.as_bytes()).expect("well formed");
            assert!(decode(&parsed).is_err(), "{damaged:?}");
        }
    }
}
