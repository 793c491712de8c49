//! A server on 127.0.0.1 and plain sockets against it.

#![expect(clippy::unwrap_used, reason = "a step that fails is a test that fails")]

mod budget;
mod fixture;
mod frames;
mod joined;
mod limits;
mod order;
mod regions;
mod shutdown;
