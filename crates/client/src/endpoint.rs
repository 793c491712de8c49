//! Where a broker is reached.

use std::fmt;
use std::sync::Arc;

use crate::error::ClientError;

/// A broker's id with the address that it advertises, or a bootstrap address whose broker is not known yet.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Endpoint {
    /// The broker's id; negative for bootstrap addresses.
    pub id: i32,
    /// Name or address of the host.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// The broker's rack, if it says one.
    pub rack: Option<String>,
}

impl Endpoint {
    /// Whether this is an address from the configuration, not from metadata.
    pub fn is_bootstrap(&self) -> bool {
        self.id < 0
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(formatter, "{open}{}{close}:{}", self.host, self.port)?;
        if self.is_bootstrap() { Ok(()) } else { write!(formatter, " (id {})", self.id) }
    }
}

/// Reads `host:port` pairs, parted by commas; IPv6 addresses stand in brackets.
pub(crate) fn parse_bootstrap(text: &str) -> Result<Vec<Arc<Endpoint>>, ClientError> {
    let mut endpoints = Vec::new();
    for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
        let refused = |reason: &str| ClientError::config("bootstrap.servers", part, reason);
        let bare = part.rsplit_once("://").map_or(part, |(_, address)| address);
        let (host, port) = bare.rsplit_once(':').ok_or_else(|| refused("host:port is due"))?;
        let port: u16 = port.parse().map_err(|_| refused("the port is no number from 1 to 65535"))?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        if host.is_empty() || port == 0 {
            return Err(refused("host:port is due"));
        }
        let id = -1 - i32::try_from(endpoints.len()).unwrap_or(i32::MAX - 1);
        endpoints.push(Arc::new(Endpoint { id, host: host.to_owned(), port, rack: None }));
    }
    if endpoints.is_empty() {
        return Err(ClientError::config("bootstrap.servers", text, "at least one host:port is due"));
    }
    Ok(endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read_as_kafka_reads_them() {
        let endpoints = parse_bootstrap("a:1, [::1]:2 ,PLAINTEXT://c:3,").unwrap();
        let shown: Vec<String> = endpoints.iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["a:1", "[::1]:2", "c:3"]);
        for wrong in ["", "a", "a:", "a:70000", ":1", "a:0"] {
            let error = parse_bootstrap(wrong).unwrap_err();
            assert_eq!(error.setting(), Some("bootstrap.servers"), "{wrong}: {error}");
        }
    }
}
