//! The outbox under seeded schedules.
