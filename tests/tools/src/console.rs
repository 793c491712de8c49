//! `kafka-console-producer` and `kafka-console-consumer`: a text goes through and comes back byte for byte.

use anyhow::{Result, ensure};

use crate::tool::{Tools, ensure_equal, text};

#[test]
fn a_text_comes_back_byte_for_byte() -> Result<()> {
    let Some((mut server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    let text = text()?;
    let count = text.lines().count();
    tools.create_topic("text", &["--partitions", "1"])?;
    tools.produce("text", &text, &["--compression-codec", "zstd"])?;
    ensure_equal(&tools.consume("text", count, &["--group", "readers"])?, &text)?;
    // The topic of offsets exists now, the group goes on where it was, and a restart changes nothing.
    server.kill()?;
    server.launch()?;
    tools.produce("text", "one more\n", &["--request-required-acks", "1"])?;
    let rest = tools.run(
        "consumer.ConsoleConsumer",
        &["--topic", "text", "--group", "readers", "--max-messages", "1", "--timeout-ms", "60000"],
    )?;
    ensure!(rest == "one more\n", "{rest:?}");
    ensure_equal(&tools.consume("text", count, &["--isolation-level", "read_committed"])?, &text)
}

#[test]
fn keys_headers_and_a_topic_that_nobody_has_created() -> Result<()> {
    let Some((_server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    let line = "h1:v1,h2:v2\tthe key\tthe value\n";
    let parsing = ["--reader-property", "parse.key=true", "--reader-property", "parse.headers=true"];
    tools.produce("on-demand", line, &parsing)?;
    let printing = [
        "--formatter-property",
        "print.key=true",
        "--formatter-property",
        "print.headers=true",
        "--formatter-property",
        "print.partition=true",
        "--formatter-property",
        "print.offset=true",
    ];
    let consumed = tools.consume("on-demand", 1, &printing)?;
    ensure!(consumed == "Partition:0\tOffset:0\th1:v1,h2:v2\tthe key\tthe value\n", "{consumed:?}");
    Ok(())
}
