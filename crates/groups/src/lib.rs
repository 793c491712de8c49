//! Group coordinator shards: classic groups and committed offsets as pure state machines.
