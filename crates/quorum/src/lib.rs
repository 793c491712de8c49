//! The metadata log, replicated by openraft on our storage.
