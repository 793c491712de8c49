//! `kafka-dump-log`: what is in the files of a log directory.

mod batches;
mod decoders;
mod indexes;
mod lines;

pub use batches::absolute;

use std::path::Path;

use serde_json::json;

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, flag, integer, optional, text};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "dump-log",
    classes: &["org.apache.kafka.tools.DumpLogSegments", "kafka.tools.DumpLogSegments"],
    about: "This tool shows what is in log segments, indexes and snapshots: batches, records, entries.",
    grammar: Grammar::Joptsimple,
    options: &[&[
        text("files", "file1, file2, ...", "The files, parted by commas.").required(),
        flag("print-data-log", "Prints the records' keys and values; every decoder implies it."),
        flag("verify-index-only", "Compares an index with its segment without printing it."),
        flag(
            "index-sanity-check",
            "Makes the check of an index that a broker makes when it starts, and nothing else.",
        ),
        integer(
            "max-message-size",
            "size",
            "How much of a segment is read for an index entry (default: 5242880).",
        ),
        integer("max-bytes", "size", "Reads no more than this from the beginning of a segment."),
        flag("deep-iteration", "Goes through each record of a batch, not only through the batches."),
        optional(
            "value-decoder-class",
            "class",
            "How values are shown: a decoder of org.apache.kafka.tools.api.",
        ),
        optional(
            "key-decoder-class",
            "class",
            "How keys are shown: a decoder of org.apache.kafka.tools.api.",
        ),
        flag("offsets-decoder", "Reads records as those of __consumer_offsets."),
        flag("transaction-log-decoder", "Reads records as those of __transaction_state."),
        flag("cluster-metadata-decoder", "Reads records as those of __cluster_metadata."),
        flag("remote-log-metadata-decoder", "Reads records as those of __remote_log_metadata."),
        flag("share-group-state-decoder", "Reads records as those of __share_group_state."),
        flag(
            "skip-record-metadata",
            "Leaves offset, timestamp and sizes of records out, and control records.",
        ),
    ]],
    verbs: &[],
    refusals: Refusals {
        prefix: "",
        on_stdout: false,
        option_prefix: Some("Exception in thread \"main\" joptsimple.OptionException: "),
    },
    run,
};

/// What is wrong with files; told when all of them are through.
#[derive(Default)]
struct Findings {
    lines: Vec<String>,
}

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let files = arguments.required("files")?;
    let decoder = decoders::choose(arguments)?;
    let limits = batches::Limits {
        max_bytes: arguments.number::<i32>("max-bytes")?,
        prints_contents: decoders::prints_contents(arguments),
        is_deep: arguments.has("deep-iteration") || decoders::prints_contents(arguments),
        skips_metadata: arguments.has("skip-record-metadata"),
        is_json: arguments.json(),
    };
    let check = if arguments.has("index-sanity-check") {
        indexes::Check::Sanity
    } else if arguments.has("verify-index-only") {
        indexes::Check::Entries
    } else {
        indexes::Check::Print
    };
    // It only bounds how much of a batch is read; a batch is read whole here.
    let _ = arguments.number::<i32>("max-message-size")?;
    let mut findings = Findings::default();
    for file in files.split(',') {
        match limits.is_json {
            true => println!("{}", json!({ "file": file })),
            false => println!("Dumping {file}"),
        }
        let path = Path::new(file);
        let suffix = path.extension().and_then(|suffix| suffix.to_str()).unwrap_or_default();
        match suffix {
            "log" | "checkpoint" => batches::dump(path, file, &limits, &decoder, &mut findings)?,
            "index" => indexes::offsets(arguments, path, file, check, &mut findings)?,
            "timeindex" => indexes::times(arguments, path, file, check, &mut findings)?,
            "txnindex" => indexes::transactions(path, limits.is_json)?,
            "snapshot" => indexes::producers(path, limits.is_json)?,
            _ => eprintln!("Ignoring unknown file {file}"),
        }
    }
    for line in findings.lines {
        eprintln!("{line}");
    }
    Ok(())
}

/// The offset that a segment's files are named after.
fn base_offset(path: &Path) -> Result<i64, Failure> {
    let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let stem = name.split('.').next().unwrap_or_default();
    stem.parse().map_err(|_| {
        let what = format!("java.lang.NumberFormatException: For input string: \"{stem}\"");
        Failure::bare(format!("Exception in thread \"main\" {what}"))
    })
}

fn unreadable(file: &Path, error: &std::io::Error) -> Failure {
    let class = match error.kind() {
        std::io::ErrorKind::NotFound => "java.nio.file.NoSuchFileException",
        _ => "java.io.IOException",
    };
    Failure::bare(format!("Exception in thread \"main\" {class}: {}", file.display()))
}
