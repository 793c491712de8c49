//! What is acknowledged and what is visible while the disk has not caught up.

use anyhow::{Result, ensure};
use protocol::ErrorCode;
use testkit::calls::{
    TOPIC, alter_config, batch, create_topic, fetch, produce, receive_fetch, receive_produce, send_fetch,
    send_produce, values,
};

use crate::harness::{Fixture, TWO_DIRECTORIES};

#[test]
fn acks_all_and_consumers_wait_for_the_disk_and_acks_1_does_not() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let (mut all, mut one, mut consumer) = (fixture.client()?, fixture.client()?, fixture.client()?);
    create_topic(&mut all, "t", 1, &[])?;
    produce(&mut all, "t", &["durable"])?;
    fixture.gate.close_for("t-0");
    send_produce(&mut all, "t", batch(&["awaited"]), -1, 30_000)?;
    // The same connection may append on while its first produce waits.
    send_produce(&mut all, "t", batch(&["behind"]), -1, 30_000)?;
    send_produce(&mut one, "t", batch(&["not awaited"]), 1, 30_000)?;
    assert_eq!(receive_produce(&mut one)?.error_code, 0);
    let (error, visible) = fetch(&mut consumer, "t", 0)?;
    assert_eq!((error, visible), (ErrorCode::None, vec!["durable".to_owned()]));
    send_fetch(&mut consumer, "t", 1, 30_000)?;
    fixture.gate.open();
    let (first, second) = (receive_produce(&mut all)?, receive_produce(&mut all)?);
    assert_eq!((first.error_code, second.error_code), (0, 0));
    assert!(second.base_offset > first.base_offset, "{first:?} {second:?}");
    ensure!(!values(&receive_fetch(&mut consumer)?)?.is_empty(), "the parked fetch was not woken");
    Ok(())
}

#[test]
fn acks_all_times_out_and_the_record_stays() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    fixture.gate.close_for("t-0");
    send_produce(&mut client, "t", batch(&["late"]), -1, 50)?;
    let row = receive_produce(&mut client)?;
    assert_eq!(ErrorCode::from_i16(row.error_code), Some(ErrorCode::RequestTimedOut));
    assert_eq!(row.base_offset, 0, "Kafka answers where the record lies");
    fixture.gate.open();
    send_fetch(&mut client, "t", 0, 30_000)?;
    assert_eq!(values(&receive_fetch(&mut client)?)?, ["late"]);
    Ok(())
}

#[test]
fn a_page_cache_topic_waits_for_nothing() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 1, &[("klamm.durability", "page-cache")])?;
    fixture.gate.close_for("t-0");
    assert_eq!(produce(&mut client, "t", &["fast"])?, 0);
    assert_eq!(fetch(&mut client, "t", 0)?.1, ["fast"]);
    fixture.gate.open();
    Ok(())
}

#[test]
fn durability_changes_while_producers_wait() -> Result<()> {
    let fixture = Fixture::start(&[TWO_DIRECTORIES])?;
    let (mut client, mut admin) = (fixture.client()?, fixture.client()?);
    create_topic(&mut client, "t", 1, &[])?;
    fixture.gate.close_for("t-0");
    send_produce(&mut client, "t", batch(&["waiting"]), -1, 30_000)?;
    alter_config(&mut admin, TOPIC, "t", "klamm.durability", "page-cache")?;
    assert_eq!(receive_produce(&mut client)?.error_code, 0);
    assert_eq!(fetch(&mut client, "t", 0)?.1, ["waiting"]);
    alter_config(&mut admin, TOPIC, "t", "klamm.durability", "synced")?;
    send_produce(&mut client, "t", batch(&["synced again"]), -1, 50)?;
    let row = receive_produce(&mut client)?;
    assert_eq!(ErrorCode::from_i16(row.error_code), Some(ErrorCode::RequestTimedOut));
    assert_eq!(
        fetch(&mut client, "t", 0)?.1,
        ["waiting"],
        "what was visible stays, what is not durable is not"
    );
    fixture.gate.open();
    send_fetch(&mut client, "t", 1, 30_000)?;
    assert_eq!(values(&receive_fetch(&mut client)?)?, ["synced again"]);
    Ok(())
}
