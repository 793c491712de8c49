//! One partition's decisions: leader epochs, producer state, high watermark, fetch sessions.
