//! The cluster's metadata as an immutable image, and the deltas that records make.
