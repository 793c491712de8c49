//! Kafka's messages: generated requests, responses and records, error codes, the API table.
