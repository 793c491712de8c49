//! Listeners, one runtime per core, framing, ordered replies and back-pressure.
