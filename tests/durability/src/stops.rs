//! A server that is asked to stop while it still starts.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::os::unix::fs::OpenOptionsExt;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};
use testkit::server_process::{Product, ServerProcess};

const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn a_start_that_takes_long_is_cut_off_by_sigterm() -> Result<()> {
    let mut server = ServerProcess::stopped(Product::Klamm, &[])?;
    fs::create_dir_all(server.data())?;
    // A file that cannot be read to its end: whoever reads a pipe waits until the other side closes it.
    let endless = server.data().join("meta.properties");
    mknodat(CWD, &endless, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0)?;
    server.begin_launch()?;
    let deadline = Instant::now() + PATIENCE;
    let not_yet = OFlags::NONBLOCK.bits().cast_signed();
    let _other_side = loop {
        match File::options().write(true).custom_flags(not_yet).open(&endless) {
            Ok(file) => break file,
            // ENXIO: nobody reads yet.
            Err(error) if error.raw_os_error() == Some(6) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error.into()),
        }
        ensure!(Instant::now() < deadline, "the server does not get to its files: {}", server.log());
        thread::yield_now();
    };
    let asked = Instant::now();
    server.stop()?;
    ensure!(asked.elapsed() < PATIENCE, "it took {:?}: {}", asked.elapsed(), server.log());
    ensure!(server.log().contains("before the node was up"), "{}", server.log());
    Ok(())
}
