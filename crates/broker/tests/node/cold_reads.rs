//! What lies on disk only is read beside the core's loop: nobody else waits for it.

use anyhow::{Result, ensure};
use protocol::ErrorCode;
use testkit::calls::{create_topic, fetch, produce, receive_fetch, send_fetch, values};

use crate::harness::{Fixture, PATIENCE};

#[test]
fn a_cold_read_delays_nobody_else_on_its_core() -> Result<()> {
    let fixture = Fixture::start(&[("klamm.cores", "1")])?;
    let (mut reader, mut other) = (fixture.client()?, fixture.client()?);
    create_topic(&mut other, "cold", 1, &[])?;
    create_topic(&mut other, "other", 1, &[])?;
    produce(&mut other, "cold", &["from the disk"])?;
    fixture.gate.make_cold("cold-0");
    send_fetch(&mut reader, "cold", 0, 1_000)?;
    ensure!(fixture.gate.wait_for_cold_read(PATIENCE), "the fetch does not read");
    for round in 0..10 {
        assert_eq!(produce(&mut other, "other", &["goes on"])?, round);
        assert_eq!(fetch(&mut other, "other", round)?.1, ["goes on"]);
    }
    fixture.gate.warm_up();
    let row = receive_fetch(&mut reader)?;
    assert_eq!(ErrorCode::from_i16(row.error_code), Some(ErrorCode::None));
    assert_eq!(values(&row)?, ["from the disk"]);
    Ok(())
}
