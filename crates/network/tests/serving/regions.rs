//! Replies out of files.

use std::{fs::File, io::Write, sync::Arc};

use protocol::FileRegion;

use crate::fixture::{Fixture, log_lines, pattern};

fn file(bytes: &[u8]) -> Arc<File> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    Arc::new(file)
}

#[test]
fn a_region_survives_short_writes() {
    // The smallest buffers the system allows: a sendfile of half a megabyte is cut many times.
    let fixture = Fixture::start(|settings| settings.send_buffer_bytes = Some(1));
    let bytes = pattern(3_000_000);
    let file = file(&bytes);
    let region = FileRegion { file: file.clone(), position: 1_001, length: 2_500_000 };
    *fixture.shared.region.lock().unwrap() = Some(region);
    let mut client = fixture.connect();
    // Two at once: the second must wait for the whole of the first.
    client.send(b"rtail");
    client.send(b"rend");
    for tail in [b"tail".as_slice(), b"end"] {
        let reply = client.receive();
        assert_eq!(reply.len(), 4 + 2_500_000 + tail.len());
        assert!(reply == [b"head", &bytes[1_001..2_501_001], tail].concat());
    }
    assert_eq!(client.call(b"eon"), b"on");
}

#[test]
fn a_file_that_ends_inside_a_promised_region_closes_the_connection() {
    let fixture = Fixture::start(|_| {});
    let region = FileRegion { file: file(&pattern(1_000)), position: 500, length: 501 };
    *fixture.shared.region.lock().unwrap() = Some(region);
    let mut client = fixture.connect();
    client.send(b"rtail");
    assert!(client.try_receive().is_err());
    fixture.wait_for_connections(0);
    let lines = log_lines(client.local());
    assert_eq!(lines.len(), 1);
    assert!(lines[0].contains("file ends 1 bytes before"), "{lines:?}");
}

#[test]
fn an_empty_region_is_no_part_of_the_reply() {
    let fixture = Fixture::start(|_| {});
    *fixture.shared.region.lock().unwrap() = Some(FileRegion { file: file(&[]), position: 0, length: 0 });
    assert_eq!(fixture.connect().call(b"rtail"), b"headtail");
}

#[test]
fn a_client_that_takes_no_reply_is_closed_in_the_end_and_disturbs_nobody() {
    let fixture = Fixture::start(|settings| {
        settings.cores = 1;
        settings.idle = std::time::Duration::from_millis(200);
    });
    let region = FileRegion { file: file(&pattern(20_000_000)), position: 0, length: 20_000_000 };
    *fixture.shared.region.lock().unwrap() = Some(region);
    let mut deaf = fixture.connect();
    deaf.send(b"rtail");
    assert_eq!(fixture.connect().call(b"ehello"), b"hello");
    fixture.wait_for_connections(0);
    assert_eq!(log_lines(deaf.local()).len(), 1);
}
