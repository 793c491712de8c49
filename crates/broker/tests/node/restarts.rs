//! What a node finds after a clean stop, after a power cut, and what it tells of it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::thread;
use std::time::Instant;

use anyhow::{Context, Result, ensure};
use broker::{Clock, SystemClock};
use protocol::ErrorCode;
use protocol::messages::join_group_request::JoinGroupRequestProtocol;
use protocol::messages::{FindCoordinatorRequest, HeartbeatRequest, JoinGroupRequest, SyncGroupRequest};
use storage::disk::{CrashStyle, SimDisk};
use testkit::calls::{
    BROKER, alter_config, batch, create_topic, fetch, produce, receive_fetch, receive_produce, send_fetch,
    send_produce, values,
};

use testkit::in_process_node::InProcessNode;
use testkit::raw_client::RawClient;

use crate::harness::{Fixture, MOMENT, PATIENCE, leader_epoch};

#[test]
fn everything_acknowledged_survives_a_power_cut_under_a_new_leader_epoch() -> Result<()> {
    for style in [CrashStyle::DropAll, CrashStyle::KeepAll, CrashStyle::Seeded(7)] {
        let before = Fixture::start(&[])?;
        let mut client = before.client()?;
        create_topic(&mut client, "t", 1, &[])?;
        for round in 0..20 {
            produce(&mut client, "t", &[&format!("record {round}")])?;
        }
        let epoch_before = leader_epoch(&mut client, "t")?;
        let after = Fixture::start_on(before.sim.crash_image(style), &[])?;
        let mut client = after.client()?;
        send_fetch(&mut client, "t", 0, 30_000)?;
        let row = receive_fetch(&mut client)?;
        assert_eq!(row.error_code, 0);
        assert_eq!(
            values(&row)?,
            (0..20).map(|round| format!("record {round}")).collect::<Vec<_>>(),
            "{style:?}"
        );
        let epoch = leader_epoch(&mut client, "t")?;
        ensure!(epoch > epoch_before, "{style:?}: epoch {epoch} after {epoch_before}");
        let offset = produce(&mut client, "t", &["after"])?;
        assert_eq!(offset, 20);
        send_fetch(&mut client, "t", offset, 0)?;
        let records = receive_fetch(&mut client)?.records.unwrap_or_default();
        let bytes = records.to_bytes().context("received into memory")?;
        let batch = records::batches(&bytes).next().context("the batch just produced")??;
        assert_eq!(batch.header.partition_leader_epoch, epoch);
    }
    Ok(())
}

#[test]
fn what_only_the_page_cache_had_is_gone_and_nothing_else() -> Result<()> {
    let before = Fixture::start(&[])?;
    let mut client = before.client()?;
    create_topic(&mut client, "fast", 1, &[("klamm.durability", "page-cache")])?;
    create_topic(&mut client, "safe", 1, &[])?;
    produce(&mut client, "fast", &["lost"])?;
    produce(&mut client, "safe", &["kept"])?;
    let after = Fixture::start_on(before.sim.crash_image(CrashStyle::DropAll), &[])?;
    let mut client = after.client()?;
    send_fetch(&mut client, "safe", 0, 30_000)?;
    assert_eq!(values(&receive_fetch(&mut client)?)?, ["kept"]);
    assert_eq!(fetch(&mut client, "fast", 0)?.1, Vec::<String>::new());
    assert_eq!(produce(&mut client, "fast", &["next"])?, 0);
    Ok(())
}

#[test]
fn a_clean_stop_keeps_what_was_never_synced() -> Result<()> {
    let before = Fixture::start(&[])?;
    let mut client = before.client()?;
    create_topic(&mut client, "fast", 1, &[("klamm.durability", "page-cache")])?;
    produce(&mut client, "fast", &["kept"])?;
    let sim = before.sim.clone();
    before.node.stop()?;
    let after = Fixture::start_on(sim.crash_image(CrashStyle::DropAll), &[])?;
    assert_eq!(fetch(&mut after.client()?, "fast", 0)?.1, ["kept"]);
    Ok(())
}

#[test]
fn altered_broker_settings_hold_for_topics_after_a_restart() -> Result<()> {
    let before = Fixture::start(&[])?;
    let mut client = before.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    alter_config(&mut client, BROKER, "", "message.max.bytes", "200")?;
    let large = "x".repeat(1000);
    let refused = |client: &mut _| -> Result<Option<ErrorCode>> {
        send_produce(client, "t", batch(&[&large]), -1, 30_000)?;
        Ok(ErrorCode::from_i16(receive_produce(client)?.error_code))
    };
    assert_eq!(refused(&mut client)?, Some(ErrorCode::MessageTooLarge));
    let sim = before.sim.clone();
    before.node.stop()?;
    let after = Fixture::start_on(sim, &[])?;
    let mut client = after.client()?;
    assert_eq!(refused(&mut client)?, Some(ErrorCode::MessageTooLarge));
    assert_eq!(produce(&mut client, "t", &["small"])?, 0);
    Ok(())
}

#[test]
fn an_idle_node_writes_nothing() -> Result<()> {
    let fixture = Fixture::start(&[
        ("metadata.max.idle.interval.ms", "10"),
        ("broker.heartbeat.interval.ms", "10"),
        ("broker.session.timeout.ms", "100"),
    ])?;
    let mut client = fixture.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    produce(&mut client, "t", &["last"])?;
    let epoch = leader_epoch(&mut client, "t")?;
    let before = fixture.sim.operations();
    assert!(fixture.node.failed(2 * MOMENT).is_err());
    assert_eq!(fixture.sim.operations(), before);
    assert_eq!(leader_epoch(&mut client, "t")?, epoch);
    Ok(())
}

/// The machine's clock, and how far it has been set wrong, ms.
#[derive(Default)]
struct WrongClock(AtomicI64);

impl Clock for WrongClock {
    fn now_ms(&self) -> i64 {
        SystemClock.now_ms() + self.0.load(Ordering::Relaxed)
    }

    fn elapsed_ms(&self) -> i64 {
        SystemClock.elapsed_ms()
    }
}

#[test]
fn a_clock_that_jumps_costs_no_leadership() -> Result<()> {
    let clock = Arc::new(WrongClock::default());
    let settings = [("broker.heartbeat.interval.ms", "1000000"), ("broker.session.timeout.ms", "100")];
    let node = InProcessNode::start_at(Arc::new(SimDisk::new()), clock.clone(), &settings)?;
    let mut client = node.client()?;
    create_topic(&mut client, "t", 1, &[])?;
    produce(&mut client, "t", &["before"])?;
    let epoch = leader_epoch(&mut client, "t")?;
    for hours in [1, -1, 24 * 365] {
        clock.0.store(hours * 3_600_000, Ordering::Relaxed);
        assert!(node.failed(MOMENT).is_err());
        produce(&mut client, "t", &["after"])?;
        assert_eq!(leader_epoch(&mut client, "t")?, epoch, "after a jump of {hours} h");
    }
    node.stop()
}

#[test]
fn a_clock_that_jumps_expires_no_member() -> Result<()> {
    let clock = Arc::new(WrongClock::default());
    let settings = [("offsets.topic.num.partitions", "1"), ("group.min.session.timeout.ms", "1")];
    let node = InProcessNode::start_at(Arc::new(SimDisk::new()), clock.clone(), &settings)?;
    let mut client = node.client()?;
    let (generation_id, member_id) = join_alone(&mut client, "stays", 20_000)?;
    sync(&mut client, "stays", generation_id, &member_id)?;
    let beat =
        HeartbeatRequest { group_id: "stays".to_owned(), generation_id, member_id, ..Default::default() };
    for hours in [1, -1, 24 * 365] {
        // It is given up soon, and then everything that is over by the coordinator's clock is ended.
        join_alone(&mut client, "goes", 50)?;
        clock.0.store(hours * 3_600_000, Ordering::Relaxed);
        assert!(node.failed(MOMENT).is_err());
        let answer = client.call(2, &beat)?;
        assert_eq!(
            ErrorCode::from_i16(answer.error_code),
            Some(ErrorCode::None),
            "after a jump of {hours} h"
        );
    }
    node.stop()
}

/// Joins a group as its only member; the generation and the member's id.
fn join_alone(client: &mut RawClient, group_id: &str, session_timeout_ms: i32) -> Result<(i32, String)> {
    let group_id = group_id.to_owned();
    let find = FindCoordinatorRequest { key: group_id.clone(), ..Default::default() };
    let protocol = JoinGroupRequestProtocol { name: "range".to_owned(), ..Default::default() };
    let join = JoinGroupRequest {
        group_id,
        session_timeout_ms,
        rebalance_timeout_ms: session_timeout_ms,
        protocol_type: "consumer".to_owned(),
        protocols: vec![protocol],
        ..Default::default()
    };
    let deadline = Instant::now() + PATIENCE;
    let joined = loop {
        // The first creates the topic of offsets, whose partitions are then replayed.
        client.call(2, &find)?;
        let joined = client.call(3, &join)?;
        if joined.error_code == 0 {
            break joined;
        }
        ensure!(Instant::now() < deadline, "{joined:?}");
        thread::yield_now();
    };
    Ok((joined.generation_id, joined.member_id))
}

fn sync(client: &mut RawClient, group_id: &str, generation_id: i32, member_id: &str) -> Result<()> {
    let (group_id, member_id) = (group_id.to_owned(), member_id.to_owned());
    let sync = SyncGroupRequest { group_id, generation_id, member_id, ..Default::default() };
    let synced = client.call(2, &sync)?;
    ensure!(synced.error_code == 0, "{synced:?}");
    Ok(())
}
