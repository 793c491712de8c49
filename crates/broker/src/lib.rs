//! Request handlers and the partitions they work on: routes and translates, decides nothing.
