//! `klamm cat` beside kcat on the same topics: output, what is said on standard error, and exit codes.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, ensure};
use testkit::prepared;
use testkit::server_process::{Product, ServerProcess};

use crate::recorded::player::{Answer, our_binary, our_tool};

fn run(mut command: Command, input: &str) -> Result<Answer> {
    command.env_remove("KCAT_CONFIG").stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("{command:?}"))?;
    let mut stdin = child.stdin.take().context("standard input is a pipe")?;
    // It may end without reading everything.
    let _ = stdin.write_all(input.as_bytes());
    drop(stdin);
    let output = child.wait_with_output()?;
    let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    Ok(Answer {
        exit: output.status.code().unwrap_or(-1),
        out: text(&output.stdout),
        err: text(&output.stderr),
    })
}

/// Blanks part words, single quotes keep them.
fn words(line: &str) -> Vec<String> {
    let quoted = line.split('\'').enumerate().flat_map(|(index, part)| match index % 2 {
        0 => part.split_whitespace().map(str::to_owned).collect::<Vec<_>>(),
        _ => vec![part.to_owned()],
    });
    quoted.collect()
}

fn kcat(bootstrap: &str, line: &str, input: &str) -> Result<Answer> {
    let mut command = Command::new("timeout");
    command.args(["30", "kcat", "-b", bootstrap]).args(words(line));
    run(command, input)
}

fn ours(bootstrap: &str, line: &str, input: &str) -> Result<Answer> {
    let mut command = Command::new("timeout");
    command.arg("30").arg(our_binary()?).args(["cat", "-b", bootstrap]).args(words(line));
    run(command, input)
}

/// Standard error without what differs from run to run, and without librdkafka's log.
fn said(text: &str) -> String {
    let shown = text.lines().filter(|line| !line.starts_with("%3|") && !line.starts_with("hint: "));
    let masked = shown.map(|line| match (line.find("(memberid "), line.find("): ")) {
        (Some(start), Some(end)) => format!("{}{}", &line[..start], &line[end..]),
        _ => line.to_owned(),
    });
    let mut lines: Vec<_> = masked.collect();
    // Which partition is read first is a matter of chance.
    lines.iter_mut().for_each(|line| *line = line.replace(": exiting", ""));
    lines.sort();
    lines.join("\n")
}

/// Compares one command line; `whole` tells whether standard error is compared too.
fn compare(bootstrap: &str, line: &str, whole: bool) -> Result<()> {
    let (wanted, got) = (kcat(bootstrap, line, "")?, ours(bootstrap, line, "")?);
    ensure!(
        wanted.exit == got.exit && wanted.out == got.out,
        "{line}\n--- kcat {}\n{}{}\n--- ours {}\n{}{}",
        wanted.exit,
        wanted.out,
        wanted.err,
        got.exit,
        got.out,
        got.err
    );
    ensure!(
        !whole || said(&wanted.err) == said(&got.err),
        "{line}\n--- kcat\n{}\n--- ours\n{}",
        said(&wanted.err),
        said(&got.err)
    );
    Ok(())
}

fn start() -> Result<Option<(ServerProcess, String)>> {
    if !prepared::is_ready(&["kcat"]) {
        return Ok(None);
    }
    let server = ServerProcess::start(Product::Klamm, &[])?;
    let bootstrap = server.bootstrap();
    for (topic, partitions) in [("one", "1"), ("two", "2"), ("pack", "1"), ("stamped", "1")] {
        let line = format!(
            "topics --bootstrap-server {bootstrap} --create --topic {topic} --partitions {partitions}"
        );
        let mut words = words(&line);
        if topic == "stamped" {
            words.extend(["--config".to_owned(), "message.timestamp.type=LogAppendTime".to_owned()]);
        }
        ensure!(our_tool(&words, "")?.exit == 0, "{line}");
    }
    Ok(Some((server, bootstrap)))
}

/// The same line goes to a topic by each of the two, and both are read again.
fn compare_producers(server: &str, folder: &str, options: &str, input: &str) -> Result<()> {
    let mut read = Vec::new();
    for (number, by) in [kcat, ours].into_iter().enumerate() {
        let topic = format!("made-{number}");
        let create = format!("topics --bootstrap-server {server} --create --topic {topic} --partitions 1");
        let delete = format!("topics --bootstrap-server {server} --delete --topic {topic}");
        ensure!(our_tool(&words(&create), "")?.exit == 0, "{create}");
        let line = format!("-P -t {topic} {}", options.replace("{folder}", folder));
        let answer = by(server, &line, input)?;
        let records = kcat(server, &format!("-C -t {topic} -e -q -f %o|%p|%k|%K|%s|%S|%h;"), "")?;
        ensure!(our_tool(&words(&delete), "")?.exit == 0, "{delete}");
        read.push((answer.exit, answer.out, records.out));
    }
    let [wanted, got] = &read[..] else { unreachable!("there are two") };
    ensure!(wanted == got, "-P {options}\n--- kcat\n{wanted:?}\n--- ours\n{got:?}");
    Ok(())
}

const CONSUMING: &[&str] = &[
    "-C -t one -e",
    "-C -t one -eq",
    "-t one -e -q -C -f '%t %p %o %k=%s %S %K %T %h|\\n'",
    "-Ct one -eq -f '%R\\x41\\t%%\\n'",
    "-t one -eq -C -K:",
    "-t one -eq -C -K: -Z",
    "-t one -eq -C -K: -O",
    "-t one -eqC -D '\\x01'",
    "-t one -eq -C -D '; '",
    "-t one -eqC -c2",
    "-t one -eqC -c0",
    "-t one -eC -o -3",
    "-t one -eC -o-100",
    "-t one -eC -o end",
    "-t one -eC -o 4",
    "-t one -eC -o beginning -p 0",
    "-t one -eC -o stored",
    "-t one -eCq -o s@0",
    "-t one -eCq -o e@1",
    "-t one -eCq -o s@99999999999999",
    "-t one -JeC",
    "-t one -JeC -Z -u",
    "-t two -JeCq -p 1",
    "-t stamped -JeC",
    "-t two -eC -p 0",
    "-C -t one -eq -X auto.offset.reset=earliest",
    "-C -t one -p 7 -e",
    "-C -t one -f '%q'",
    "-C -t one -X nonsense",
    "-C -t pack -eq -s 'value=H h i q'",
    "-C -t pack -eq -s 'value=HhiqBs'",
    "-C -t pack -eq -s 'value=Hhiqbbb$'",
    "-C -t pack -eq -s 'value=Hhiqc$'",
    "-C -t pack -eq -s 'value=HhiQbbbb'",
    "-C -t pack -eq -s 'value=>Hc'",
    "-C -t pack -eq -s 'zz'",
    "-C -t pack -eq -s value=",
    "-C -t pack -Jeq",
    "-C -t pack -eq -f '%h|%K|%k|%S\\n'",
    "-C -t pack -eq -f '%h|%K|%k|%S\\n' -Z",
    "-L",
    "-L -t two",
    "-L -J",
    "-L -J -t one",
    "-L -t missing",
    "-Q -t one:0:-1",
    "-Q -t one:0:-2 -t two:1:-1",
    "-Q -t one:0:99999999999999",
    "-Q -J -t one:0:-1",
    "-Q -t one",
    "-Q -t one:x:1",
    "-Q -t missing:0:-1",
    "-G readers one two -e -o beginning",
];

#[test]
fn what_kcat_reads() -> Result<()> {
    let Some((_server, bootstrap)) = start()? else { return Ok(()) };
    let send = |options: &str, input: &str| -> Result<()> {
        let answer = kcat(&bootstrap, &format!("-P {options}"), input)?;
        ensure!(answer.exit == 0, "{options}: {}", answer.err);
        Ok(())
    };
    send("-t one -K: -Z -H h1=v1 -H h2=", "a:1\nb:2\n:3\nnokey\nempty:\n")?;
    send("-t one -D; -k fixed -z gzip", "x;y;\"z\\")?;
    send("-t two -p 0", "p0\n")?;
    send("-t two -p 1", "p1\n")?;
    send("-t stamped -p 0", "now\n")?;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("binary");
    fs::write(&file, b"\x00\x01\xfe\xff\x00\x00\x00\x05\xff\xff\xff\xff\xff\xff\xff\xfeAbc")?;
    send(&format!("-t pack -k '' -H nv -H e= -H a=1 {}", file.display()), "")?;
    let mut report = String::new();
    for line in CONSUMING {
        // A group's members would have to share: each has one of its own.
        let outcome = match line.strip_prefix("-G readers ") {
            None => compare(&bootstrap, line, true),
            Some(rest) => {
                let answer = |run: fn(&str, &str, &str) -> Result<Answer>, group: &str| {
                    run(&bootstrap, &format!("-G {group} {rest}"), "")
                };
                let (wanted, got) = (answer(kcat, "kcats")?, answer(ours, "klamms")?);
                let sorted = |text: &str| {
                    let mut lines: Vec<_> =
                        text.lines().map(|line| line.replace("klamms", "kcats")).collect();
                    lines.sort();
                    lines
                };
                (wanted.exit == got.exit
                    && sorted(&wanted.out) == sorted(&got.out)
                    && sorted(&said(&wanted.err)) == sorted(&said(&got.err)))
                .then_some(())
                .with_context(|| {
                    format!(
                        "{line}\n{} {} {}\n{} {} {}",
                        wanted.exit, wanted.out, wanted.err, got.exit, got.out, got.err
                    )
                })
            }
        };
        if let Err(error) = outcome {
            report += &format!("{error:#}\n\n");
        }
    }
    println!("note: kcat: {} command lines compared", CONSUMING.len());
    ensure!(report.is_empty(), "{report}");
    Ok(())
}

/// Every letter that kcat's help names is one of ours.
#[test]
fn kcats_letters() -> Result<()> {
    if !prepared::is_ready(&["kcat"]) {
        return Ok(());
    }
    let mut kcat = Command::new("kcat");
    kcat.arg("-h");
    let help = run(kcat, "")?;
    let text = help.out + &help.err;
    let letters = text.lines().filter_map(|line| {
        let option = line.strip_prefix("  ")?.trim_start().strip_prefix('-')?;
        option.chars().next().filter(|letter| letter.is_ascii_alphabetic())
    });
    let letters: std::collections::BTreeSet<char> = letters.chain("CPLQ".chars()).collect();
    ensure!(letters.len() > 25, "{letters:?}");
    let ours = our_tool(&words("cat --help"), "")?.out;
    let missing: Vec<_> = letters.iter().filter(|letter| !ours.contains(&format!("-{letter}, "))).collect();
    ensure!(missing.is_empty(), "{missing:?}");
    Ok(())
}

#[test]
fn what_kcat_writes() -> Result<()> {
    let Some((_server, bootstrap)) = start()? else { return Ok(()) };
    let folder = tempfile::tempdir()?;
    fs::write(folder.path().join("lines"), "l1\nl2\n")?;
    fs::write(folder.path().join("whole"), "one\ntwo\n")?;
    let folder = folder.path().to_string_lossy().into_owned();
    let cases = [
        ("", "a\nb\n\nc"),
        ("-K:", "k:v\n:v\nk:\nnone\nk:v:w\n"),
        ("-K: -Z", "k:v\n:v\nk:\nnone\n\n"),
        ("-k fixed -K:", "k:v\nnone\n"),
        ("-H a=1 -H b= -H c -H a=2", "x\n"),
        ("-D;", "x;y\n;z"),
        ("-D '\\x7c'", "x|y"),
        ("-c 2", "1\n2\n3\n"),
        ("-T", "x\ny\n"),
        ("-T -K:", "k:v\n"),
        ("-l {folder}/lines", ""),
        ("-T -l {folder}/lines", ""),
        ("{folder}/whole {folder}/lines", ""),
        ("{folder}/missing {folder}/lines", ""),
        ("-l {folder}/missing", ""),
        ("-z zstd", "compressed\n"),
        ("-z nonsense", "x\n"),
        ("-p 0", "x\n"),
        ("-X transactional.id=t", "x\ny\n"),
        ("-X acks=1 -X linger.ms=1", "x\n"),
    ];
    let mut report = String::new();
    for (options, input) in cases {
        if let Err(error) = compare_producers(&bootstrap, &folder, options, input) {
            report += &format!("{error:#}\n\n");
        }
    }
    ensure!(report.is_empty(), "{report}");
    Ok(())
}

#[test]
fn what_kcat_has_not() -> Result<()> {
    let server = ServerProcess::start(Product::Klamm, &[])?;
    let bootstrap = server.bootstrap();
    let line = format!("topics --bootstrap-server {bootstrap} --create --topic one --partitions 1");
    ensure!(our_tool(&words(&line), "")?.exit == 0, "{line}");
    let sent = ours(&bootstrap, "-P -t one -K: -H kind=small", "a:1\nb:22\n")?;
    ensure!(sent.exit == 0, "{}", sent.err);
    let sent = ours(&bootstrap, "-P -t one -K: -H kind=large", "c:333\n")?;
    ensure!(sent.exit == 0, "{}", sent.err);
    for (line, wanted) in [
        ("-C -t one -eq -k b", "22\n"),
        ("-C -t one -eq --match-key '^[ab]$'", "1\n22\n"),
        ("-C -t one -eq --match-value '^.{2,}$'", "22\n333\n"),
        ("-C -t one -eq --match-header kind=large", "333\n"),
        ("-C -t one -eq --match-header kind", "1\n22\n333\n"),
        ("-C -t one -eq -o @-1h", "1\n22\n333\n"),
        ("-C -t one -eq -o @now", ""),
        ("-C -t one -eq -o @2001-01-31T12:00:00 -c 1", "1\n"),
        ("-C -t one -eq -o @2001-01-31 -o e@2001-02-01", ""),
    ] {
        let got = ours(&bootstrap, line, "")?;
        ensure!(got.exit == 0 && got.out == wanted, "{line}: {:?} {}", got.out, got.err);
    }
    // A record of two hours ago and one of now.
    let then = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH)?.as_millis() - 7_200_000;
    let old = format!(
        "verifiable-producer --bootstrap-server {bootstrap} --topic aged --max-messages 1 --message-create-time {then}"
    );
    let made = format!("topics --bootstrap-server {bootstrap} --create --topic aged --partitions 1");
    for line in [made, old] {
        ensure!(our_tool(&words(&line), "")?.exit == 0, "{line}");
    }
    ensure!(ours(&bootstrap, "-P -t aged", "new\n")?.exit == 0, "nothing is sent");
    for (offset, wanted) in [("@-1h", "new\n"), ("@-3h", "0\nnew\n"), ("-1", "new\n"), ("-100", "0\nnew\n")] {
        let got = ours(&bootstrap, &format!("-C -t aged -eq -o {offset}"), "")?;
        ensure!(got.exit == 0 && got.out == wanted, "{offset}: {:?} {}", got.out, got.err);
    }
    let near = ours(&bootstrap, "-C -t one --match-kye x", "")?;
    ensure!(near.exit == 1 && near.err.contains("did you mean --match-key?"), "{}", near.err);
    Ok(())
}
