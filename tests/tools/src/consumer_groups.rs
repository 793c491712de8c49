//! `kafka-consumer-groups` and `kafka-groups`.

use anyhow::{Result, ensure};

use crate::tool::{CONSUMER_GROUPS, Tools};

#[test]
fn groups_are_listed_described_reset_and_deleted() -> Result<()> {
    let Some((_server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    tools.create_topic("numbers", &["--partitions", "1"])?;
    let text: String = (0..100).map(|number| format!("{number}\n")).collect();
    tools.produce("numbers", &text, &[])?;
    tools.consume("numbers", 60, &["--group", "readers", "--consumer-property", "max.poll.records=60"])?;
    let run = |options: &[&str]| tools.lines(CONSUMER_GROUPS, options);

    ensure!(run(&["--list"])? == ["readers"]);
    ensure!(run(&["--list", "--state"])? == ["GROUP STATE", "readers Empty"]);
    ensure!(run(&["--list", "--type"])? == ["GROUP TYPE", "readers Classic"]);
    let listed = tools.lines("GroupsCommand", &["--list"])?;
    ensure!(listed == ["GROUP TYPE PROTOCOL", "readers Classic consumer"], "{listed:?}");

    let nobody = "Consumer group 'readers' has no active members.";
    let described = run(&["--describe", "--group", "readers"])?;
    let offsets = "readers numbers 0 60 100 40 - - -";
    let heading = "GROUP TOPIC PARTITION CURRENT-OFFSET LOG-END-OFFSET LAG CONSUMER-ID HOST CLIENT-ID";
    ensure!(
        described.contains(&offsets.to_owned()) && described.contains(&heading.to_owned()),
        "{described:?}"
    );
    let described = run(&["--describe", "--all-groups", "--offsets", "--verbose"])?;
    ensure!(described.contains(&"readers numbers 0 0 60 100 40 - - -".to_owned()), "{described:?}");
    let described = run(&["--describe", "--group", "readers", "--state"])?;
    ensure!(described.last().is_some_and(|line| line.ends_with("(1) - Empty 0")), "{described:?}");
    let described = run(&["--describe", "--group", "readers", "--members", "--verbose"])?;
    ensure!(described.iter().all(|line| line == nobody || line.starts_with("GROUP ")), "{described:?}");

    let reset = |form: &[&str]| {
        run(&[&["--reset-offsets", "--group", "readers", "--topic", "numbers"], form].concat())
    };
    for (form, offset) in [
        (&["--to-latest", "--dry-run"][..], "100"),
        (&["--shift-by", "-5", "--dry-run"], "55"),
        (&["--to-datetime", "2020-01-01T00:00:00.000", "--dry-run"], "0"),
        (&["--to-current", "--dry-run"], "60"),
        (&["--to-offset", "7", "--execute"], "7"),
        (&["--to-earliest", "--execute"], "0"),
    ] {
        let lines = reset(form)?;
        let wanted = ["GROUP TOPIC PARTITION NEW-OFFSET".to_owned(), format!("readers numbers 0 {offset}")];
        ensure!(lines == wanted, "{form:?}: {lines:?}");
    }
    ensure!(
        run(&["--describe", "--group", "readers"])?.contains(&"readers numbers 0 0 100 100 - - -".to_owned())
    );

    let deleted = run(&["--delete-offsets", "--group", "readers", "--topic", "numbers"])?;
    ensure!(deleted.contains(&"numbers 0 Successful".to_owned()), "{deleted:?}");
    let deleted = run(&["--delete", "--group", "readers"])?;
    ensure!(deleted == ["Deletion of requested consumer groups ('readers') was successful."], "{deleted:?}");
    ensure!(run(&["--list"])?.is_empty());
    let unknown = run(&["--describe", "--group", "readers"])?;
    ensure!(unknown.len() == 1 && unknown[0].ends_with("Group readers not found."), "{unknown:?}");
    Ok(())
}

#[test]
fn groups_of_the_new_protocol_are_shown_reset_and_deleted() -> Result<()> {
    let Some((_server, tools)) = Tools::with_server(&[])? else { return Ok(()) };
    tools.create_topic("numbers", &["--partitions", "1"])?;
    let text: String = (0..100).map(|number| format!("{number}\n")).collect();
    tools.produce("numbers", &text, &[])?;
    let new_protocol = ["--consumer-property", "group.protocol=consumer"];
    let options = ["--group", "readers", "--consumer-property", "max.poll.records=60"];
    tools.consume("numbers", 60, &[&options[..], &new_protocol].concat())?;
    let run = |options: &[&str]| tools.lines(CONSUMER_GROUPS, options);

    ensure!(run(&["--list", "--state"])? == ["GROUP STATE", "readers Empty"]);
    ensure!(run(&["--list", "--type"])? == ["GROUP TYPE", "readers Consumer"]);
    ensure!(run(&["--list", "--type", "classic"])? == ["GROUP TYPE"]);
    let listed = tools.lines("GroupsCommand", &["--list", "--group-type", "consumer"])?;
    ensure!(listed == ["GROUP TYPE PROTOCOL", "readers Consumer consumer"], "{listed:?}");
    let described = run(&["--describe", "--group", "readers"])?;
    ensure!(described.contains(&"readers numbers 0 60 100 40 - - -".to_owned()), "{described:?}");
    let described = run(&["--describe", "--group", "readers", "--state", "--verbose"])?;
    ensure!(described.last().is_some_and(|line| line.contains("uniform Empty")), "{described:?}");

    let reset = ["--reset-offsets", "--group", "readers", "--topic", "numbers", "--to-earliest", "--execute"];
    ensure!(run(&reset)? == ["GROUP TOPIC PARTITION NEW-OFFSET", "readers numbers 0 0"]);
    let deleted = run(&["--delete", "--group", "readers"])?;
    ensure!(deleted == ["Deletion of requested consumer groups ('readers') was successful."], "{deleted:?}");
    ensure!(run(&["--list"])?.is_empty());
    Ok(())
}
