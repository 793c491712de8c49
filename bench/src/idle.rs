//! What a server costs that nobody asks for anything: CPU, and memory of the connections that are open.

use std::time::{Duration, Instant};

use anyhow::Result;

use crate::connection::{Connection, metadata_frame};
use crate::server::Server;

/// The generator's own descriptors bound them.
const CONNECTIONS: usize = 1_000;
/// How long the server is watched.
const WATCHED: Duration = Duration::from_secs(4);

/// Opens connections, asks one thing on each, and watches what the server does then.
pub fn measure(server: &Server, record: &mut dyn FnMut(&str, &'static str, f64)) -> Result<()> {
    let mut frame = metadata_frame(&["start"])?;
    let before = server.resident_mib()?;
    let mut connections = Vec::with_capacity(CONNECTIONS);
    for _ in 0..CONNECTIONS {
        let mut connection = Connection::open(&server.address)?;
        connection.send(&mut frame, 1)?;
        connection.receive()?;
        connections.push(connection);
    }
    let each = (server.resident_mib()? - before) * 1024.0 / CONNECTIONS as f64;
    record("resident memory per idle connection", "KiB", each.max(0.0));
    let (started, used) = (Instant::now(), server.threads_cpu_seconds()?);
    std::thread::sleep(WATCHED);
    let share = (server.threads_cpu_seconds()? - used) / started.elapsed().as_secs_f64();
    record("1,000 idle connections", "% CPU", share * 100.0);
    Ok(())
}
