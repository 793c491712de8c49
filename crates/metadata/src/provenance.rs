//! Where in the metadata log an image stands.

/// The last record an image contains.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Provenance {
    /// Offset of the last record, -1 for an empty image.
    pub last_contained_offset: i64,
    /// Epoch of the last record's batch, -1 for an empty image.
    pub last_contained_epoch: i32,
    /// When the leader appended that batch, milliseconds since 1970, -1 for an empty image.
    pub last_contained_log_time_ms: i64,
}

impl Provenance {
    /// Nothing replayed yet.
    pub const EMPTY: Self =
        Self { last_contained_offset: -1, last_contained_epoch: -1, last_contained_log_time_ms: -1 };
}
