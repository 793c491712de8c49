//! Completions as shells use them, manual pages as `man` reads them, and the links under Kafka's names.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Command;

use anyhow::{Context, Result, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use crate::recorded::player::{our_binary, our_tool};

fn output(command: &mut Command) -> Result<String> {
    let output = command.output().with_context(|| format!("{command:?}"))?;
    ensure!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(said.trim().is_empty(), "{command:?}: {said}");
    Ok(String::from_utf8(output.stdout)?)
}

fn script(shell: &str) -> Result<String> {
    let answer = our_tool(&["completions".to_owned(), shell.to_owned()], "")?;
    ensure!(answer.exit == 0, "{}", answer.err);
    Ok(answer.out)
}

#[test]
fn bash_completes_tools_verbs_and_options() -> Result<()> {
    let script = script("bash")?;
    let ask = |line: &[&str]| -> Result<Vec<String>> {
        let words: Vec<_> = line.iter().map(|word| format!("'{word}'")).collect();
        let ask = format!(
            "{script}\nCOMP_WORDS=({}); COMP_CWORD={}; _klamm; printf '%s\\n' \"${{COMPREPLY[@]}}\"",
            words.join(" "),
            line.len() - 1
        );
        Ok(output(Command::new("bash").args(["--norc", "-c", &ask]))?.lines().map(str::to_owned).collect())
    };
    for (line, wanted) in [
        (&["klamm", "top"][..], &["topics"][..]),
        (&["klamm", "console-"], &["console-producer", "console-consumer", "console-share-consumer"]),
        (&["klamm", "topics", "--at-"], &["--at-min-isr-partitions"]),
        (&["/usr/bin/kafka-topics.sh", "--topic-"], &["--topic-id"]),
        (&["kafka-transactions", "find"], &["find-hanging"]),
        (&["kafka-transactions.sh", "abort", "--start"], &["--start-offset"]),
    ] {
        let got = ask(line)?;
        ensure!(got == wanted, "{line:?}: {got:?}");
    }
    let registered = output(Command::new("bash").args([
        "--norc",
        "-c",
        &format!("{script}\ncomplete -p kafka-topics.sh kafka-console-share-consumer klamm"),
    ]))?;
    ensure!(registered.lines().all(|line| line.contains("-F _klamm")), "{registered}");
    Ok(())
}

#[test]
fn zsh_takes_the_completions() -> Result<()> {
    if !prepared::is_ready(&["zsh"]) {
        return Ok(());
    }
    let ask = format!(
        "autoload -U compinit && compinit -u -D\n{}\nprint -r -- $_comps[klamm]\nprint -r -- $_comps[kafka-topics.sh]",
        script("zsh")?
    );
    let answer = output(Command::new("zsh").args(["-f", "-c", &ask]))?;
    ensure!(answer.lines().filter(|line| line.contains("_klamm")).count() == 2, "{answer:?}");
    Ok(())
}

#[test]
fn fish_completes_tools_and_options() -> Result<()> {
    if !prepared::is_ready(&["fish"]) {
        return Ok(());
    }
    let script = script("fish")?;
    let ask = |line: &str| -> Result<Vec<String>> {
        let ask = format!("{script}\ncomplete -C '{line}'");
        let mut fish = Command::new("fish");
        fish.args(["--no-config", "-c", &ask]);
        let words = output(&mut fish)?;
        Ok(words.lines().filter_map(|line| line.split('\t').next()).map(str::to_owned).collect())
    };
    for (line, wanted) in [
        ("klamm console-s", "console-share-consumer"),
        ("klamm topics --at-", "--at-min-isr-partitions"),
        ("kafka-topics --topic-", "--topic-id"),
    ] {
        let got = ask(line)?;
        ensure!(got.iter().any(|word| word == wanted), "{line}: {got:?}");
    }
    Ok(())
}

#[test]
fn manual_pages_are_pages() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_string_lossy().into_owned();
    let answer = our_tool(&["man".to_owned(), path], "")?;
    ensure!(answer.exit == 0, "{}", answer.err);
    let mut pages = 0;
    let has_groff = Command::new("groff").arg("--version").output().is_ok();
    for entry in fs::read_dir(folder.path())? {
        let path = entry?.path();
        let page = fs::read_to_string(&path)?;
        for section in [".TH ", ".SH NAME", ".SH SYNOPSIS", ".SH OPTIONS"] {
            ensure!(page.contains(section), "{}: {section}", path.display());
        }
        if has_groff && page.contains("KAFKA-TOPICS") {
            let shown = output(Command::new("groff").args(["-man", "-Tascii", "-ww"]).arg(&path))?;
            // groff strikes bold letters twice.
            let (mut letters, mut plain) = (shown.chars().peekable(), String::new());
            while let Some(letter) = letters.next() {
                match letters.next_if_eq(&'\u{8}') {
                    Some(_) => {}
                    None if letter != '\u{8}' => plain.push(letter),
                    None => {}
                }
            }
            ensure!(plain.contains("--bootstrap-server host:port"), "{plain}");
        }
        pages += 1;
    }
    ensure!(pages > 30, "{pages} pages");
    Ok(())
}

#[test]
fn links_are_kafkas_tools() -> Result<()> {
    let server = ServerProcess::start(Product::Klamm, &[])?;
    let folder = tempfile::tempdir()?;
    let path = folder.path().to_string_lossy().into_owned();
    let install = || our_tool(&["install-links".to_owned(), path.clone()], "");
    let answer = install()?;
    ensure!(answer.exit == 0, "{}", answer.err);
    // Links are made anew, but a file that somebody else has put there stays.
    ensure!(install()?.exit == 0, "links cannot be made twice");
    let bootstrap = server.bootstrap();
    let run = |name: &str, options: &[&str]| {
        output(Command::new(folder.path().join(name)).args(["--bootstrap-server", &bootstrap]).args(options))
    };
    let created = run("kafka-topics.sh", &["--create", "--topic", "linked"])?;
    ensure!(created == "Created topic linked.\n", "{created}");
    ensure!(run("kafka-topics", &["--list"])? == "linked\n", "kafka-topics --list");
    let offsets = run("kafka-get-offsets.sh", &["--topic", "linked"])?;
    ensure!(offsets == "linked:0:0\n", "{offsets}");
    for name in ["kafka-server-start.sh", "kafka-console-share-consumer.sh", "kafka-acls", "kafka-storage.sh"]
    {
        let link = folder.path().join(name);
        let target = fs::read_link(&link).with_context(|| link.display().to_string())?;
        ensure!(target == our_binary()?.canonicalize()?, "{}", target.display());
    }
    let foreign = folder.path().join("kafka-acls");
    fs::remove_file(&foreign)?;
    fs::write(&foreign, "#!/bin/sh\n")?;
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o755))?;
    let refused = install()?;
    ensure!(refused.exit == 1 && refused.err.contains("kafka-acls"), "{}", refused.err);
    ensure!(fs::read_to_string(&foreign)? == "#!/bin/sh\n", "the file was replaced");
    Ok(())
}
