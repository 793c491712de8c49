//! The rules of Kafka's `FetchManager`, `FetchContext` and `FetchSessionCacheShard`.

use super::*;

const EVICTION_MS: i64 = 120_000;

fn partition(index: i32) -> FetchPartition {
    FetchPartition { topic: FetchTopic::Id(Uuid::from_u128(7)), partition: index }
}

fn asked(index: i32, fetch_offset: i64) -> (FetchPartition, FetchParameters) {
    let parameters = FetchParameters {
        fetch_offset,
        log_start_offset: -1,
        max_bytes: 1_000,
        current_leader_epoch: None,
        last_fetched_epoch: None,
    };
    (partition(index), parameters)
}

fn quiet(high_watermark: i64) -> FetchAnswer {
    FetchAnswer {
        records_bytes: 0,
        high_watermark,
        log_start_offset: 0,
        has_preferred_read_replica: false,
        has_diverging_epoch: false,
        is_error: false,
    }
}

fn request(session_id: i32, session_epoch: i32) -> FetchMetadata {
    FetchMetadata { session_id, session_epoch, uses_topic_ids: true, is_from_follower: false }
}

/// A session over partitions 0 to `count` - 1, each with high watermark 10.
fn open(sessions: &mut FetchSessions, count: i32, is_from_follower: bool, now_ms: i64, random: u32) -> i32 {
    let request = FetchMetadata { is_from_follower, ..request(0, INITIAL_EPOCH) };
    let wanted = (0..count).map(|index| asked(index, 0)).collect();
    let context = sessions.begin(request, wanted, &[], now_ms).expect("a full fetch");
    let answers: Vec<_> = (0..count).map(|index| (partition(index), quiet(10))).collect();
    let completion = sessions.complete(&context, &answers, now_ms, random);
    assert_eq!(
        (completion.error_code, completion.is_mentioned),
        (ErrorCode::None, vec![true; count as usize])
    );
    completion.session_id
}

fn order(context: &FetchContext) -> Vec<i32> {
    context.partitions.iter().map(|(partition, _)| partition.partition).collect()
}

#[test]
fn unknown_sessions_and_wrong_epochs_are_refused() {
    let mut sessions = FetchSessions::new(10, EVICTION_MS);
    assert_eq!(sessions.begin(request(5, 1), vec![], &[], 0), Err(ErrorCode::FetchSessionIdNotFound));
    let id = open(&mut sessions, 2, false, 0, 77);
    assert_eq!(id, 77);
    assert_eq!(sessions.begin(request(id, 2), vec![], &[], 0), Err(ErrorCode::InvalidFetchSessionEpoch));
    let by_name = FetchMetadata { uses_topic_ids: false, ..request(id, 1) };
    assert_eq!(sessions.begin(by_name, vec![], &[], 0), Err(ErrorCode::FetchSessionTopicIdError));
    sessions.begin(request(id, 1), vec![], &[], 0).expect("the right epoch");
    assert_eq!(sessions.begin(request(id, 1), vec![], &[], 0), Err(ErrorCode::InvalidFetchSessionEpoch));
}

#[test]
fn only_what_changed_is_mentioned() {
    let mut sessions = FetchSessions::new(10, EVICTION_MS);
    let id = open(&mut sessions, 6, false, 0, 1);
    let context = sessions.begin(request(id, 1), vec![], &[], 0).expect("incremental");
    assert_eq!(order(&context), [0, 1, 2, 3, 4, 5]);
    let answers = [
        (partition(0), quiet(10)),
        (partition(1), quiet(11)),
        (partition(2), FetchAnswer { log_start_offset: 3, ..quiet(10) }),
        (partition(3), FetchAnswer { is_error: true, ..quiet(10) }),
        (partition(4), FetchAnswer { has_diverging_epoch: true, ..quiet(10) }),
        (partition(5), FetchAnswer { has_preferred_read_replica: true, ..quiet(10) }),
    ];
    let completion = sessions.complete(&context, &answers, 0, 9);
    assert_eq!((completion.error_code, completion.session_id), (ErrorCode::None, id));
    assert_eq!(completion.is_mentioned, [false, true, true, true, true, true]);
    let context = sessions.begin(request(id, 2), vec![], &[], 0).expect("incremental");
    let answers: Vec<_> = answers
        .map(|(partition, answer)| {
            (
                partition,
                FetchAnswer {
                    is_error: false,
                    has_diverging_epoch: false,
                    has_preferred_read_replica: false,
                    ..answer
                },
            )
        })
        .into();
    let completion = sessions.complete(&context, &answers, 0, 9);
    assert_eq!(completion.is_mentioned, [false, false, false, true, false, false], "the error has ended");
}

#[test]
fn partitions_with_records_go_to_the_end() {
    let mut sessions = FetchSessions::new(10, EVICTION_MS);
    let id = open(&mut sessions, 3, false, 0, 1);
    let context = sessions.begin(request(id, 1), vec![], &[], 0).expect("incremental");
    let answers = [(partition(0), FetchAnswer { records_bytes: 5, ..quiet(10) })];
    assert_eq!(sessions.complete(&context, &answers, 0, 9).is_mentioned, [true]);
    let context = sessions.begin(request(id, 2), vec![asked(1, 8)], &[], 0).expect("incremental");
    assert_eq!(order(&context), [1, 2, 0]);
    assert_eq!(context.partitions[0].1.fetch_offset, 8, "a changed request keeps its place");
}

#[test]
fn partitions_are_added_and_forgotten() {
    let mut sessions = FetchSessions::new(10, EVICTION_MS);
    let id = open(&mut sessions, 2, false, 0, 1);
    let context = sessions.begin(request(id, 1), vec![asked(9, 0)], &[partition(0)], 0).expect("incremental");
    assert_eq!((order(&context), sessions.partition_count()), (vec![1, 9], 2));
    let gone = [partition(1), partition(9)];
    let context = sessions.begin(request(id, 2), vec![], &gone, 0).expect("the session ends");
    assert_eq!((context.partitions.len(), sessions.len()), (0, 0));
    assert_eq!(sessions.complete(&context, &[], 0, 9).session_id, NO_SESSION);
}

#[test]
fn a_full_fetch_replaces_and_a_final_one_closes_its_session() {
    let mut sessions = FetchSessions::new(10, EVICTION_MS);
    let id = open(&mut sessions, 2, false, 0, 1);
    let context = sessions.begin(request(id, INITIAL_EPOCH), vec![asked(0, 0)], &[], 0).expect("full");
    assert_eq!(sessions.len(), 0);
    let completion = sessions.complete(&context, &[(partition(0), quiet(1))], 0, 0);
    assert_eq!((completion.session_id, sessions.len()), (1, 1), "id 0 is never given");
    let context = sessions.begin(request(1, FINAL_EPOCH), vec![asked(0, 0)], &[], 0).expect("sessionless");
    assert_eq!((sessions.len(), sessions.complete(&context, &[], 0, 5).session_id), (0, NO_SESSION));
}

#[test]
fn an_overtaken_fetch_is_refused_when_it_ends() {
    let mut sessions = FetchSessions::new(10, EVICTION_MS);
    let id = open(&mut sessions, 1, false, 0, 1);
    let first = sessions.begin(request(id, 1), vec![], &[], 0).expect("incremental");
    sessions.begin(request(id, 2), vec![], &[], 0).expect("a second one before the first has ended");
    let completion = sessions.complete(&first, &[(partition(0), quiet(11))], 0, 9);
    assert_eq!(completion.error_code, ErrorCode::InvalidFetchSessionEpoch);
    assert_eq!((completion.session_id, completion.is_mentioned), (id, vec![false]));
}

#[test]
fn young_sessions_keep_their_slots_and_ids_are_unique() {
    let mut sessions = FetchSessions::new(2, EVICTION_MS);
    assert_eq!(open(&mut sessions, 1, false, 0, i32::MAX as u32), i32::MAX);
    assert_eq!(open(&mut sessions, 1, false, 0, i32::MAX as u32), 1);
    assert_eq!(open(&mut sessions, 1, false, EVICTION_MS, 50), NO_SESSION);
    assert_eq!(
        open(&mut sessions, 1, false, EVICTION_MS + 1, 50),
        50,
        "the oldest has not been used for long"
    );
    assert_eq!((sessions.len(), sessions.evictions()), (2, 1));
}

#[test]
fn old_sessions_go_for_larger_ones() {
    let mut sessions = FetchSessions::new(1, EVICTION_MS);
    let id = open(&mut sessions, 3, false, 0, 5);
    sessions.begin(request(id, 1), vec![], &[], EVICTION_MS + 1).expect("used, and old now");
    assert_eq!(
        open(&mut sessions, 2, false, EVICTION_MS + 2, 6),
        NO_SESSION,
        "a smaller one does not displace it"
    );
    assert_eq!(open(&mut sessions, 4, false, EVICTION_MS + 2, 6), 6);
}

#[test]
fn followers_displace_consumers_but_not_the_other_way_round() {
    let mut sessions = FetchSessions::new(1, EVICTION_MS);
    open(&mut sessions, 9, false, 0, 5);
    assert_eq!(open(&mut sessions, 1, true, 0, 6), 6, "however young and large the consumer's is");
    assert_eq!(open(&mut sessions, 99, false, 1, 7), NO_SESSION);
    assert_eq!(open(&mut sessions, 99, true, 1, 7), NO_SESSION, "a young follower's is safe from others");
}

#[test]
fn epochs_wrap_to_one() {
    assert_eq!((next_epoch(0), next_epoch(i32::MAX), next_epoch(-1)), (1, 1, -1));
}
