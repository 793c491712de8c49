//! A bar for long work, on a person's terminal only.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const WIDTH: usize = 30;
const INTERVAL: Duration = Duration::from_millis(100);

/// How far some work is.
pub struct Progress {
    label: &'static str,
    total: u64,
    drawn: Option<Instant>,
    is_wanted: bool,
}

impl Progress {
    /// A bar that is full at `total`. Nothing is drawn where standard error is no terminal.
    pub fn new(label: &'static str, total: u64) -> Self {
        Self { label, total: total.max(1), drawn: None, is_wanted: stderr().is_terminal() }
    }

    /// Draws how far it is, not more often than eyes can follow.
    pub fn advance(&mut self, done: u64) {
        if !self.is_wanted || self.drawn.is_some_and(|drawn| drawn.elapsed() < INTERVAL) {
            return;
        }
        self.drawn = Some(Instant::now());
        let mut err = stderr().lock();
        // A bar that cannot be drawn is no reason to stop.
        let _ = write!(err, "\r{}", bar(self.label, done, self.total)).and_then(|()| err.flush());
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if self.drawn.is_some() {
            eprint!("\r\x1b[K");
        }
    }
}

fn bar(label: &str, done: u64, total: u64) -> String {
    let part = done.min(total) as f64 / total as f64;
    let filled = (part * WIDTH as f64) as usize;
    format!("{label} [{}{}] {:3.0}%", "#".repeat(filled), ".".repeat(WIDTH - filled), part * 100.0)
}

#[cfg(test)]
mod tests {
    use super::bar;

    #[test]
    fn a_bar_fills_up() {
        assert_eq!(bar("x", 0, 10), format!("x [{}]   0%", ".".repeat(30)));
        assert_eq!(bar("x", 5, 10), format!("x [{}{}]  50%", "#".repeat(15), ".".repeat(15)));
        assert_eq!(bar("x", 20, 10), format!("x [{}] 100%", "#".repeat(30)));
    }
}
