//! Cluster decisions: a request and the metadata image in, records and a response out.
