//! Member epochs: what is believed, what is fenced, what may be said twice.

use protocol::ErrorCode;

use super::*;

#[test]
fn epochs_that_are_not_the_members_are_fenced() {
    let (mut bench, _) = bench();
    let a = Follower::join(&mut bench, "a", &["foo"]);
    let fenced = refused(&mut bench, beat("a", a.epoch + 1));
    assert_eq!(
        fenced,
        (
            ErrorCode::FencedMemberEpoch,
            "The consumer group member has a greater member epoch (3) than the one known by the group coordinator (2). \
             The member must abandon all its partitions and rejoin."
                .to_owned()
        )
    );
    let fenced = refused(&mut bench, beat("a", 1));
    assert_eq!(
        fenced,
        (
            ErrorCode::FencedMemberEpoch,
            "The consumer group member has a smaller member epoch (1) than the one known by the group coordinator (2). \
             The member must abandon all its partitions and rejoin."
                .to_owned()
        )
    );
    let unknown = refused(&mut bench, beat("z", 2));
    let message = format!("Member z is not a member of group {GROUP}.");
    assert_eq!(unknown, (ErrorCode::UnknownMemberId, message));
}

#[test]
fn groups_that_are_not_there_are_named() {
    let (mut bench, _) = bench();
    let missing = refused(&mut bench, beat("a", 1));
    assert_eq!(missing, (ErrorCode::GroupIdNotFound, format!("Consumer group {GROUP} not found.")));
    let missing = refused(&mut bench, beat("a", -1));
    assert_eq!(missing, (ErrorCode::GroupIdNotFound, format!("Group {GROUP} not found.")));
    assert_eq!(described(&mut bench).error_message, Some(format!("Group {GROUP} not found.")));
}

#[test]
fn a_lost_answer_is_given_again() {
    let (mut bench, _) = bench();
    let mut a = Follower::join(&mut bench, "a", &["foo"]);
    let mut b = Follower::join(&mut bench, "b", &["foo"]);
    bench.advance(1_000);
    b.beat(&mut bench);
    a.beat(&mut bench);
    a.beat(&mut bench);
    let (epoch, owned) = (b.epoch, b.owned.clone());
    let first = b.beat(&mut bench);
    assert_eq!(first.member_epoch, epoch + usize::from(epoch == 2) as i32);
    let again = accepted(&mut bench, owning("b", epoch, &owned));
    assert_eq!(again.member_epoch, first.member_epoch);
}

#[test]
fn a_member_that_joins_again_is_told_what_it_has() {
    let (mut bench, _) = bench();
    let a = Follower::join(&mut bench, "a", &["foo"]);
    let again = accepted(&mut bench, join("a", &["foo"]));
    assert_eq!((again.member_epoch, assigned(&again)), (a.epoch, Some(a.owned)));
}

#[test]
fn whoever_says_all_about_itself_is_told_all() {
    let (mut bench, _) = bench();
    let a = Follower::join(&mut bench, "a", &["foo"]);
    assert_eq!(assigned(&accepted(&mut bench, beat("a", a.epoch))), None);
    let full = ConsumerGroupHeartbeatRequest { member_epoch: a.epoch, ..join("a", &["foo"]) };
    assert_eq!(assigned(&accepted(&mut bench, full)), Some(a.owned));
}
