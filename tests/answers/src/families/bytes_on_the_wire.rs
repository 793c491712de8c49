//! Frames that no client library sends: wrong lengths, unknown keys and versions, bodies that lie.

use anyhow::Result;

use super::api_versions::show_frame;
use crate::session::Session;

const PRODUCE: i16 = 0;
const METADATA: i16 = 3;
const LEADER_AND_ISR: i16 = 4;
const HEARTBEAT: i16 = 12;
const API_VERSIONS: i16 = 18;
const SASL_HANDSHAKE: i16 = 17;
const CREATE_TOPICS: i16 = 19;
const VOTE: i16 = 52;
const ENVELOPE: i16 = 58;

pub fn ask(session: &mut Session) -> Result<()> {
    session.ask_bytes("a negative length", &(-1_i32).to_be_bytes())?;
    session.ask_bytes("a length of zero", &0_i32.to_be_bytes())?;
    session.ask_bytes("a length above the limit", &[0x7f, 0xff, 0xff, 0xff])?;
    session.ask_bytes("a frame of one byte", &[0, 0, 0, 1, 0])?;
    session.ask_bytes("text instead of frames", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")?;
    session.ask_bytes("the beginning of a TLS handshake", &[0x16, 3, 1, 0, 5, 1, 0, 0, 1, 3])?;
    session.ask_bytes("an unknown key", &frame(999, 0, &[]))?;
    session.ask_bytes("a negative key", &frame(-1, 0, &[]))?;
    session.ask_bytes("a key that is gone", &frame(LEADER_AND_ISR, 0, &[]))?;
    session.ask_bytes("a version above the last", &frame(METADATA, 99, &[]))?;
    session.ask_bytes("a version below the first", &frame(CREATE_TOPICS, 0, &[]))?;
    session.ask_bytes("Produce below its first version", &frame(PRODUCE, 2, &[]))?;
    session.ask_bytes("an API of controllers: Vote", &frame(VOTE, 0, &[]))?;
    session.ask_bytes("an API of controllers: Envelope", &frame(ENVELOPE, 0, &[]))?;
    session.ask_bytes("no body", &frame(METADATA, 1, &[]))?;
    session.ask_bytes("a body that is cut short", &frame(METADATA, 1, &[0, 0, 0, 1, 0, 5, b'a']))?;
    session.ask_bytes("a negative array", &frame(METADATA, 0, &(-2_i32).to_be_bytes()))?;
    session.ask_bytes("an array of two billion", &frame(METADATA, 1, &i32::MAX.to_be_bytes()))?;
    // A group id: the answer shows none of it.
    session.ask_bytes(
        "a string that is no UTF-8",
        &frame(HEARTBEAT, 0, &[0, 2, 0xff, 0xfe, 0, 0, 0, 1, 0, 1, b'm']),
    )?;
    session.ask_bytes("a null where none may be", &frame(METADATA, 1, &[0, 0, 0, 1, 0xff, 0xff]))?;
    session.ask_bytes_showing("bytes behind the body", &frame(API_VERSIONS, 0, &[1, 2, 3]), |frame| {
        show_frame(frame, 0)
    })?;
    session.ask_bytes("a client id beyond the frame", &[0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0, 9])?;
    let tagged = [0, 0, 0, 19, 0, 18, 0, 3, 0, 0, 0, 7, 0xff, 0xff, 0, 2, b'a', 2, b'b', 1, 99, 1, 0];
    session.ask_bytes_showing("an unknown tagged field", &tagged, |frame| show_frame(frame, 3))?;
    session.ask_bytes(
        "SaslHandshake on a plain listener",
        &frame(SASL_HANDSHAKE, 1, &[0, 5, b'P', b'L', b'A', b'I', b'N']),
    )?;
    Ok(())
}

/// Header version 1: correlation id 7, no client id.
fn frame(key: i16, version: i16, body: &[u8]) -> Vec<u8> {
    let header =
        [&key.to_be_bytes()[..], &version.to_be_bytes(), &7_i32.to_be_bytes(), &[0xff, 0xff]].concat();
    let length = i32::try_from(header.len() + body.len()).expect("test frames are short");
    [&length.to_be_bytes()[..], &header, body].concat()
}
