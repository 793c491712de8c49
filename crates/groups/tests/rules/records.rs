//! Records as Apache Kafka 4.4.0 wrote them in `__consumer_offsets`: given the same requests, we write the same bytes.

use bytes::Bytes;
use groups::{CoordinatorRecord, GroupCoordinatorConfig, Request};
use protocol::messages::leave_group_request::MemberIdentity;
use protocol::messages::{JoinGroupRequest, LeaveGroupRequest, OffsetCommitRequest, SyncGroupRequest};
use protocol::{ErrorCode, Uuid};

use crate::bench::*;

fn bytes(hex: &str) -> Bytes {
    let digits: Vec<u8> = hex.bytes().filter(u8::is_ascii_hexdigit).collect();
    let byte = |pair: &[u8]| {
        u8::from_str_radix(std::str::from_utf8(pair).expect("hex digits"), 16).expect("hex digits")
    };
    digits.chunks(2).map(byte).collect()
}

fn record(key: &str, value: &str) -> CoordinatorRecord {
    CoordinatorRecord { key: bytes(key), value: Some(bytes(value)) }
}

fn commit_to(group_id: &str) -> OffsetCommitRequest {
    let mut request = commit("", -1, "t");
    request.group_id = group_id.to_owned();
    request.topics[0].topic_id = Uuid::from_u128(0xbaa5_1d57_2c8f_47a8_bc57_99da_ff18_f311);
    request
}

#[test]
fn committed_offsets() {
    let mut bench = Bench::new();
    bench.now_ms = 0x1a1_fe43_3dcb;
    assert_eq!(bench.commit_as(9, commit_to("simple")), ErrorCode::None);
    let written = record(
        "0001 0006 73696d706c65 0001 74 00000000",
        "0004 0000000000000007 00000002 05 6e6f7465 000001a1fe433dcb 01 00 10 baa51d572c8f47a8bc5799daff18f311",
    );
    assert_eq!(bench.last.records, [written]);
    bench.now_ms = 0x1a1_fe43_3e79;
    let request = OffsetCommitRequest { retention_time_ms: 100_000, ..commit_to("simple2") };
    assert_eq!(bench.commit_as(3, request), ErrorCode::None);
    let written = record(
        "0001 0007 73696d706c6532 0001 74 00000000",
        "0001 0000000000000007 0004 6e6f7465 000001a1fe433e79 000001a1fe44c519",
    );
    assert_eq!(bench.last.records, [written]);
}

#[test]
fn a_group_from_its_first_join_to_its_end() {
    let mut bench =
        Bench::with(GroupCoordinatorConfig { group_initial_rebalance_delay_ms: 0, ..Default::default() });
    bench.now_ms = 0x1a1_fe43_4780;
    bench.entropy = Some(0x5571_f373_3c7c_47d4_9a3e_b76e_5291_6fed);
    let group_id = "st".to_owned();
    let request = JoinGroupRequest {
        group_id: group_id.clone(),
        rebalance_timeout_ms: 3_000,
        protocols: protocols(&[("range", &subscription(&["t"]))]),
        ..join_request("", Some("a"))
    };
    let id = bench.send(9, Request::JoinGroup(request));
    let made = record("0002 0002 7374", "0003 0000 00000000 ffff ffff 000001a1fe434780 00000000");
    assert_eq!(bench.last.records, [made]);
    bench.advance(0);
    let member_id = bench.joined(id).member_id;
    assert_eq!(member_id, "a-5571f373-3c7c-47d4-9a3e-b76e52916fed");
    let mut request =
        SyncGroupRequest { group_id: group_id.clone(), ..sync_request(&member_id, 1, &[&member_id]) };
    request.assignments[0].assignment = Bytes::from_static(b"a-5");
    let id = bench.send(5, Request::SyncGroup(request));
    assert_eq!(error(bench.synced(id).error_code), ErrorCode::None);
    let member_id_bytes = "0026 612d35353731663337332d336337632d343764342d396133652d623736653532393136666564";
    let value = [
        "0003 0008 636f6e73756d6572 00000001 0005 72616e6765",
        member_id_bytes,
        "000001a1fe434780 00000001",
        member_id_bytes,
        "0001 61 0006 636c69656e74 000a 2f3132372e302e302e31 00000bb8 00002710",
        "0000000d 000000000001000174ffffffff 00000003 612d35",
    ];
    assert_eq!(bench.last.records, [record("0002 0002 7374", &value.concat())]);
    bench.now_ms = 0x1a1_fe43_4bfc;
    let by_instance = MemberIdentity { group_instance_id: Some("a".to_owned()), ..MemberIdentity::default() };
    let request = LeaveGroupRequest {
        group_id: group_id.clone(),
        members: vec![by_instance],
        ..LeaveGroupRequest::default()
    };
    bench.send(5, Request::LeaveGroup(request));
    let emptied = "0003 0008 636f6e73756d6572 00000002 ffff ffff 000001a1fe434bfc 00000000";
    assert_eq!(bench.last.records, [record("0002 0002 7374", emptied)]);
    bench.send(2, Request::DeleteGroups(vec![group_id]));
    assert_eq!(bench.last.records, [CoordinatorRecord { key: bytes("0002 0002 7374"), value: None }]);
}
