//! What happens to clients and server while they work.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use history_tests::random::Random;
use testkit::server_process::ServerProcess;

use super::processes::Processes;

/// Longer than sessions and transactions live in a run.
const PAUSE_MS_MAX: u64 = 4_500;
const CALM_MS_MAX: u64 = 1_800;
const START_MS_MAX: u64 = 80;

/// How often each has happened.
#[derive(Debug, Default)]
pub struct Faults {
    pub clients_killed: u32,
    pub clients_paused: u32,
    pub zombies: u32,
    pub servers_killed: u32,
    pub servers_stopped: u32,
}

impl Faults {
    /// Does harm until the time is over; the server runs when this returns.
    pub fn happen(
        &mut self,
        server: &mut ServerProcess,
        processes: &mut Processes,
        random: &mut Random,
        time: Duration,
    ) -> Result<()> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            pass(random.below(CALM_MS_MAX));
            let slot = random.below(processes.count() as u64) as usize;
            match random.below(100) {
                0..=24 => {
                    self.clients_killed += 1;
                    processes.replace(slot)?;
                }
                25..=49 => {
                    self.clients_paused += 1;
                    processes.pause(slot)?;
                    pass(random.below(PAUSE_MS_MAX));
                    processes.go_on(slot)?;
                }
                50..=64 => self.zombie(processes, random, slot)?,
                85.. => {
                    self.servers_stopped += 1;
                    server.stop()?;
                    server.launch()?;
                }
                _ => self.kill(server, random)?,
            }
        }
        Ok(())
    }

    /// One that was thought dead wakes up when another has taken its place.
    fn zombie(&mut self, processes: &mut Processes, random: &mut Random, slot: usize) -> Result<()> {
        self.zombies += 1;
        processes.pause(slot)?;
        let mut old = processes.successor(slot)?;
        pass(random.below(PAUSE_MS_MAX));
        rustix::process::kill_process(rustix::process::Pid::from_child(&old), rustix::process::Signal::CONT)?;
        pass(random.below(CALM_MS_MAX));
        old.kill()?;
        old.wait()?;
        Ok(())
    }

    fn kill(&mut self, server: &mut ServerProcess, random: &mut Random) -> Result<()> {
        self.servers_killed += 1;
        server.kill()?;
        if random.chance(20) {
            self.servers_killed += 1;
            server.begin_launch()?;
            pass(random.below(START_MS_MAX));
            server.kill()?;
        }
        server.launch()
    }
}

fn pass(time_ms: u64) {
    thread::sleep(Duration::from_millis(time_ms));
}
