//! The reader of Java properties files, fed with any bytes.

/// A properties file.
pub fn properties(data: &[u8]) {
    if let Ok(properties) = config::properties::parse(data) {
        let length: usize = properties.iter().map(|(key, value)| key.len() + value.len()).sum();
        // A byte becomes at most two: a Latin-1 letter in UTF-8, or an escape that shrinks.
        assert!(length <= 2 * data.len());
    }
}
