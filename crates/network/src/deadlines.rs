//! When a connection has been quiet, slow or unauthenticated for too long.
//!
//! Connections only count their steps; the core's sweep compares the counts with what it saw before. So a request
//! costs no clock and no timer.

use std::{
    cell::Cell,
    net::SocketAddr,
    rc::Rc,
    time::{Duration, Instant},
};

use tokio::task::AbortHandle;

use crate::ServerSettings;

/// What a connection is waiting for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Phase {
    /// The first byte of a request.
    Idle,
    /// The rest of a frame.
    Receiving,
    /// Ourselves: a handler, a reply, or room in the budget.
    Busy,
    /// The peer to take a reply.
    Replying,
}

/// Written by the connection, read by the sweep.
#[derive(Debug)]
pub(crate) struct Progress {
    pub phase: Cell<Phase>,
    pub authenticated: Cell<bool>,
    pub owes_replies: Cell<bool>,
    steps: Cell<u32>,
}

impl Progress {
    pub fn new() -> Self {
        Self {
            phase: Cell::new(Phase::Idle),
            authenticated: Cell::new(true),
            owes_replies: Cell::new(false),
            steps: Cell::new(0),
        }
    }

    /// Something happened that restarts the clock.
    pub fn step(&self) {
        self.steps.set(self.steps.get().wrapping_add(1));
    }

    pub fn enter(&self, phase: Phase) {
        if self.phase.replace(phase) != phase {
            self.step();
        }
    }
}

/// A connection under watch.
pub(crate) struct Watched {
    pub progress: Rc<Progress>,
    pub abort: AbortHandle,
    peer: SocketAddr,
    opened: Instant,
    seen: Cell<u32>,
    since: Cell<Instant>,
}

impl Watched {
    pub fn new(progress: Rc<Progress>, abort: AbortHandle, peer: SocketAddr) -> Self {
        let now = Instant::now();
        Self { progress, abort, peer, opened: now, seen: Cell::new(0), since: Cell::new(now) }
    }

    /// Whether this connection must go; says so in the log.
    fn expired(&self, settings: &ServerSettings, now: Instant) -> bool {
        let progress = &self.progress;
        if !progress.authenticated.get() && now - self.opened >= settings.authentication {
            tracing::warn!(peer = %self.peer, "closing connection: not authenticated in time");
            return true;
        }
        if self.seen.replace(progress.steps.get()) != progress.steps.get() {
            self.since.set(now);
            return false;
        }
        let quiet = now - self.since.get();
        match progress.phase.get() {
            Phase::Receiving if quiet >= settings.frame_progress => {
                tracing::warn!(peer = %self.peer, "closing connection: a request arrives too slowly");
                true
            }
            Phase::Replying if quiet >= settings.idle => {
                tracing::warn!(peer = %self.peer, "closing connection: the peer does not take its reply");
                true
            }
            Phase::Idle if quiet >= settings.idle => {
                tracing::debug!(peer = %self.peer, "closing idle connection");
                true
            }
            _ => false,
        }
    }
}

/// Those past a deadline.
pub(crate) fn expired<'a>(
    watched: impl Iterator<Item = &'a Watched>,
    settings: &ServerSettings,
    now: Instant,
) -> Vec<AbortHandle> {
    watched.filter(|one| one.expired(settings, now)).map(|one| one.abort.clone()).collect()
}

/// How often to look: a deadline is met late by at most a quarter.
pub(crate) fn interval(settings: &ServerSettings) -> Duration {
    let shortest = settings.idle.min(settings.frame_progress).min(settings.authentication);
    (shortest / 4).clamp(Duration::from_millis(5), Duration::from_secs(5))
}
