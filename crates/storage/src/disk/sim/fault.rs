//! Errors on demand: which call of the simulated disk fails, when, and how.

use std::io;

/// A kind of call that a [`Fault`] can strike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultedCall {
    /// Reading a file.
    Read,
    /// Writing to a file or changing its length.
    Write,
    /// Syncing a file or a directory.
    Sync,
    /// Creating a file or a directory.
    Create,
    /// Renaming.
    Rename,
    /// Removing a file or a directory.
    Remove,
}

/// One failure to come.
#[derive(Clone, Debug)]
pub struct Fault {
    /// The kind of call it strikes.
    pub call: FaultedCall,
    /// Strikes only paths that contain this text.
    pub path_contains: String,
    /// How many matching calls pass first.
    pub after: u64,
    /// The errno the call fails with, such as `ENOSPC`; `None` makes a write short instead.
    pub errno: Option<i32>,
    /// For a short write: the bytes that are still written. The call after it is not affected.
    pub short_write_bytes: usize,
}

impl Fault {
    /// The next `call` on a path containing `path_contains` fails with `errno`.
    pub fn errno(call: FaultedCall, path_contains: &str, errno: i32) -> Fault {
        Fault {
            call,
            path_contains: path_contains.to_owned(),
            after: 0,
            errno: Some(errno),
            short_write_bytes: 0,
        }
    }

    /// The next write to a path containing `path_contains` writes only `bytes`.
    pub fn short_write(path_contains: &str, bytes: usize) -> Fault {
        Fault {
            call: FaultedCall::Write,
            path_contains: path_contains.to_owned(),
            after: 0,
            errno: None,
            short_write_bytes: bytes,
        }
    }
}

#[derive(Debug, Default)]
pub(super) struct Faults {
    pending: Vec<Fault>,
    operations: u64,
    power_off_at: Option<u64>,
}

impl Faults {
    pub(super) fn add(&mut self, fault: Fault) {
        self.pending.push(fault);
    }

    pub(super) fn operations(&self) -> u64 {
        self.operations
    }

    pub(super) fn power_off_at(&mut self, operation: u64) {
        self.power_off_at = Some(operation);
    }

    /// Counts a changing call and fails it if its time has come.
    pub(super) fn strike(&mut self, call: FaultedCall, path: &str) -> io::Result<()> {
        self.count()?;
        self.take(call, path).map(|_| ())
    }

    /// As [`Faults::strike`] for a write, which may also be cut short.
    pub(super) fn strike_write(&mut self, path: &str) -> io::Result<Option<usize>> {
        self.count()?;
        self.take(FaultedCall::Write, path)
    }

    /// Reads are not counted, because they change nothing.
    pub(super) fn strike_read(&mut self, path: &str) -> io::Result<()> {
        if self.power_off_at.is_some_and(|at| self.operations > at) {
            return Err(power_is_off());
        }
        self.take(FaultedCall::Read, path).map(|_| ())
    }

    fn count(&mut self) -> io::Result<()> {
        let operation = self.operations;
        self.operations += 1;
        match self.power_off_at {
            Some(at) if operation >= at => Err(power_is_off()),
            _ => Ok(()),
        }
    }

    fn take(&mut self, call: FaultedCall, path: &str) -> io::Result<Option<usize>> {
        let matching =
            self.pending.iter().position(|fault| fault.call == call && path.contains(&fault.path_contains));
        let Some(index) = matching else { return Ok(None) };
        if self.pending[index].after > 0 {
            self.pending[index].after -= 1;
            return Ok(None);
        }
        let fault = self.pending.remove(index);
        match fault.errno {
            Some(errno) => Err(io::Error::from_raw_os_error(errno)),
            None => Ok(Some(fault.short_write_bytes)),
        }
    }
}

fn power_is_off() -> io::Error {
    io::Error::other("the simulated machine has lost power")
}
