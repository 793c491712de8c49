//! What the threads of a run share: whether the server is up, how much it has acknowledged, and whether it is time to end.

use std::collections::BTreeMap;
use std::sync::{Condvar, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

/// A run that makes no progress for so long has failed.
const PATIENCE: Duration = Duration::from_secs(120);

#[derive(Default)]
struct State {
    is_up: bool,
    is_over: bool,
    acknowledged: u64,
    reads: u64,
    /// How often which error came back.
    refusals: BTreeMap<i16, u64>,
    failure: Option<String>,
}

/// One for all threads.
#[derive(Default)]
pub struct Gate {
    state: Mutex<State>,
    changed: Condvar,
}

impl Gate {
    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.state.lock().expect("nobody panics with it"));
        self.changed.notify_all();
    }

    fn wait(&self, what: &str, until: impl Fn(&State) -> bool) -> Result<()> {
        let state = self.state.lock().expect("nobody panics with it");
        let waited = self
            .changed
            .wait_timeout_while(state, PATIENCE, |state| state.failure.is_none() && !until(state))
            .expect("nobody panics with it");
        ensure!(waited.0.failure.is_none(), "{}", waited.0.failure.as_deref().unwrap_or_default());
        ensure!(!waited.1.timed_out(), "no {what} after {PATIENCE:?}");
        Ok(())
    }

    /// The server answers, or it is about to be killed.
    pub fn set_up(&self, is_up: bool) {
        self.change(|state| state.is_up = is_up);
    }

    /// Waits for a server to connect to.
    pub fn wait_until_up(&self) -> Result<()> {
        self.wait("server", |state| state.is_up)
    }

    /// Whether nothing new should be sent.
    pub fn is_over(&self) -> bool {
        self.state.lock().expect("nobody panics with it").is_over
    }

    /// Ends the run: what is under way is still waited for.
    pub fn end(&self) {
        self.change(|state| state.is_over = true);
    }

    /// One more request was acknowledged.
    pub fn acknowledged(&self) {
        self.change(|state| state.acknowledged += 1);
    }

    /// One more batch of records was read.
    pub fn read(&self) {
        self.change(|state| state.reads += 1);
    }

    /// A request was answered with an error that the run provokes.
    pub fn refused(&self, error_code: i16) {
        self.change(|state| *state.refusals.entry(error_code).or_default() += 1);
    }

    /// How often which error came back.
    pub fn refusals(&self) -> BTreeMap<i16, u64> {
        self.state.lock().expect("nobody panics with it").refusals.clone()
    }

    /// Waits until more requests have been refused.
    pub fn wait_for_a_refusal(&self) -> Result<()> {
        let before: u64 = self.refusals().values().sum();
        self.wait("refusal", |state| state.refusals.values().sum::<u64>() > before)
    }

    /// Requests acknowledged so far.
    pub fn count(&self) -> u64 {
        self.state.lock().expect("nobody panics with it").acknowledged
    }

    /// Waits until so many requests have been acknowledged in all.
    pub fn wait_for_acknowledgements(&self, count: u64) -> Result<()> {
        self.wait("acknowledgement", |state| state.acknowledged >= count)
    }

    /// Waits until a reader has got something since the call.
    pub fn wait_for_a_read(&self) -> Result<()> {
        let before = self.state.lock().expect("nobody panics with it").reads;
        self.wait("read", |state| state.reads > before)
    }

    /// Waits that long, whatever happens meanwhile, unless somebody fails.
    pub fn pass(&self, time: Duration) {
        let until = Instant::now() + time;
        let mut state = self.state.lock().expect("nobody panics with it");
        while let Some(left) = until.checked_duration_since(Instant::now())
            && state.failure.is_none()
        {
            state = self.changed.wait_timeout(state, left).expect("nobody panics with it").0;
        }
    }

    /// Ends the run for everybody.
    pub fn fail(&self, reason: String) {
        self.change(|state| {
            state.failure.get_or_insert(reason);
            state.is_over = true;
        });
    }
}
