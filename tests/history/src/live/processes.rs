//! Client processes: started, killed, stopped and continued.

use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use rustix::process::{Pid, Signal, kill_process, set_parent_process_death_signal};

/// How long a process may take to end what it has begun.
const END_LIMIT: Duration = Duration::from_secs(40);

/// All client processes of a run.
pub struct Processes {
    address: String,
    folder: PathBuf,
    seed: u64,
    next_incarnation: u32,
    slots: Vec<Child>,
}

impl Processes {
    /// Starts one for each slot; their histories go into the folder.
    pub fn start(address: &str, folder: &Path, seed: u64, slots: u32) -> Result<Self> {
        let mut processes = Processes {
            address: address.to_owned(),
            folder: folder.to_owned(),
            seed,
            next_incarnation: 1,
            slots: Vec::new(),
        };
        for slot in 0..slots {
            let child = processes.spawn(slot)?;
            processes.slots.push(child);
        }
        Ok(processes)
    }

    pub fn count(&self) -> usize {
        self.slots.len()
    }

    fn spawn(&mut self, slot: u32) -> Result<Child> {
        let incarnation = self.next_incarnation;
        self.next_incarnation += 1;
        let mut command = Command::new(env!("CARGO_BIN_EXE_history-client"));
        command.args([&self.address, &slot.to_string(), &incarnation.to_string(), &self.seed.to_string()]);
        command.arg(self.folder.join(format!("history-{incarnation}")));
        command.stdin(Stdio::piped());
        // SAFETY: prctl is async-signal-safe and touches no memory of the parent.
        unsafe {
            command.pre_exec(|| {
                set_parent_process_death_signal(Some(Signal::KILL)).map_err(std::io::Error::from)
            });
        }
        command.spawn().with_context(|| format!("cannot start {command:?}"))
    }

    /// Kills the process of a slot; another takes over at once.
    pub fn replace(&mut self, slot: usize) -> Result<()> {
        let mut old = self.successor(slot)?;
        old.kill()?;
        old.wait()?;
        Ok(())
    }

    /// Starts another in the slot; the one before is still alive.
    pub fn successor(&mut self, slot: usize) -> Result<Child> {
        let new = self.spawn(u32::try_from(slot)?)?;
        Ok(std::mem::replace(self.slots.get_mut(slot).context("a slot")?, new))
    }

    /// Nothing of it runs until [`Self::go_on`].
    pub fn pause(&self, slot: usize) -> Result<()> {
        self.signal(slot, Signal::STOP)
    }

    pub fn go_on(&self, slot: usize) -> Result<()> {
        self.signal(slot, Signal::CONT)
    }

    fn signal(&self, slot: usize, signal: Signal) -> Result<()> {
        Ok(kill_process(Pid::from_child(self.slots.get(slot).context("a slot")?), signal)?)
    }

    /// Lets all finish what they have begun; who does not is killed. How many finished by themselves.
    pub fn end(mut self) -> Result<usize> {
        for child in &mut self.slots {
            drop(child.stdin.take());
        }
        let deadline = Instant::now() + END_LIMIT;
        let mut finished = 0;
        for child in &mut self.slots {
            while child.try_wait()?.is_none() && Instant::now() < deadline {
                std::thread::sleep(Duration::from_millis(20));
            }
            match child.try_wait()? {
                Some(status) => {
                    anyhow::ensure!(status.success(), "a client has failed: {status}");
                    finished += 1;
                }
                None => {
                    child.kill()?;
                    child.wait()?;
                }
            }
        }
        Ok(finished)
    }
}

impl Drop for Processes {
    fn drop(&mut self) {
        for child in &mut self.slots {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}
