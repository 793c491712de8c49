//! A broker in the test's own process, and a raw protocol client to talk to it.
