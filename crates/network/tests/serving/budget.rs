//! Large frames share one budget: they wait in line for their whole length, and nobody waits for ever.

use std::{io::Write, time::Duration};

use crate::fixture::{Client, Fixture, framed, pattern};

const FRAME: usize = 400 * 1024;

fn large(kind: &[u8]) -> Vec<u8> {
    let mut frame = pattern(FRAME);
    frame[..kind.len()].copy_from_slice(kind);
    frame
}

#[test]
fn a_frame_waits_until_earlier_ones_are_answered() {
    let fixture = Fixture::start(|settings| settings.in_flight_bytes = 1024 * 1024);
    let mut holders = [fixture.connect(), fixture.connect()];
    for (id, holder) in (1..).zip(&mut holders) {
        holder.send(&large(&[b'a', id]));
        assert_eq!(fixture.next_handled(), id);
    }
    let mut third = fixture.connect();
    let mut writer = third.0.try_clone().unwrap();
    let sender = std::thread::spawn(move || writer.write_all(&framed(&large(&[b'a', 3]))).unwrap());
    // Small requests pass by the line.
    assert_eq!(fixture.connect().call(b"esmall"), b"small");
    assert!(fixture.handled.try_recv().is_err());
    fixture.shared.answer(1);
    assert_eq!(fixture.next_handled(), 3);
    fixture.shared.answer(3);
    fixture.shared.answer(2);
    assert_eq!(third.receive(), [3]);
    sender.join().unwrap();
}

#[test]
fn a_request_that_waits_without_its_frame_is_in_nobodys_way() {
    let fixture = Fixture::start(|settings| settings.in_flight_bytes = 600 * 1024);
    let mut waiting = fixture.connect();
    waiting.send(&large(&[b'd', 1]));
    assert_eq!(fixture.next_handled(), 1);
    assert_eq!(fixture.connect().call(&large(b"l")), (FRAME as u64).to_be_bytes());
    fixture.shared.answer(1);
    assert_eq!(waiting.receive(), [1]);
}

#[test]
fn many_large_frames_at_once_do_not_deadlock() {
    // Each frame larger than half the budget, the last larger than all of it; sent in pieces, side by side.
    let fixture = Fixture::start(|settings| settings.in_flight_bytes = 600 * 1024);
    let address = fixture.address;
    let senders: Vec<_> = (0..12)
        .map(|number: usize| {
            std::thread::spawn(move || {
                let mut client = Client::connect(address);
                for round in 0..5 {
                    let mut frame = pattern(FRAME + number * 50_000);
                    frame[0] = b'l';
                    for piece in framed(&frame).chunks(30_000 + round) {
                        client.0.write_all(piece).unwrap();
                    }
                    assert_eq!(client.receive(), (frame.len() as u64).to_be_bytes());
                }
            })
        })
        .collect();
    senders.into_iter().for_each(|sender| sender.join().unwrap());
}

#[test]
fn one_that_stalls_with_a_reservation_gives_it_back() {
    let fixture = Fixture::start(|settings| {
        settings.in_flight_bytes = FRAME + FRAME / 2;
        settings.frame_progress = Duration::from_millis(300);
    });
    let mut stalled = fixture.connect();
    stalled.0.write_all(&framed(&large(b"l"))[..100_000]).unwrap();
    let mut waiting = fixture.connect();
    assert_eq!(waiting.call(&large(b"l")), (FRAME as u64).to_be_bytes());
    stalled.expect_close();
}

#[test]
fn a_claim_alone_reserves_nothing() {
    let fixture = Fixture::start(|settings| {
        settings.in_flight_bytes = 1024 * 1024;
        settings.request_max_bytes = 1 << 30;
    });
    let liars: Vec<_> = (0..20)
        .map(|_| {
            let mut liar = fixture.connect();
            liar.0.write_all(&(1u32 << 30).to_be_bytes()).unwrap();
            liar.0.write_all(&[0; 20_000]).unwrap();
            liar
        })
        .collect();
    assert_eq!(fixture.connect().call(&large(b"l")), (FRAME as u64).to_be_bytes());
    drop(liars);
}
