//! `klamm server`: reads the configuration, starts the node, and stops it when asked to.

use std::fs;
use std::path::PathBuf;

use anyhow::{Context, Result, bail};
use config::{BrokerConfig, LaunchSources, Properties, VariableSource};
use tokio::runtime::Handle;
use tokio::signal::unix::{SignalKind, signal};
use tracing::{error, info, warn};
use tracing_subscriber::EnvFilter;

use crate::command_line::{Arguments, Failure, Grammar, Refusals, Tool, text};

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "server",
    classes: &[],
    about: "Runs a node: `klamm server [server.properties]`. Without a file it keeps data in ./klamm-data and listens on 9092.",
    grammar: Grammar::Argparse,
    options: &[&[text("override", "KEY=VALUE", "Sets a key, over the file and the environment.")]],
    verbs: &[],
    refusals: Refusals::prefixed("klamm: "),
    run,
};

fn run(arguments: &Arguments) -> Result<(), Failure> {
    let overrides = arguments.values("override").into_iter().map(str::to_owned).collect();
    match &arguments.words[..] {
        [] => serve(None, overrides),
        [path] => serve(Some(PathBuf::from(path)), overrides),
        _ => Err(Failure::usage("one properties file is enough")),
    }
}

/// Serves until SIGTERM or SIGINT.
pub fn serve(properties: Option<PathBuf>, overrides: Vec<String>) -> Result<(), Failure> {
    Ok(serve_with(&Options { properties, overrides })?)
}

struct Options {
    properties: Option<PathBuf>,
    overrides: Vec<String>,
}

fn serve_with(options: &Options) -> Result<()> {
    let filter =
        EnvFilter::try_from_env("KLAMM_LOG").unwrap_or_else(|_| EnvFilter::new("info,openraft=warn"));
    tracing_subscriber::fmt().with_env_filter(filter).with_target(false).init();
    let configuration = read_configuration(options)?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let outcome = runtime.block_on(run_node(configuration));
    // A start that was cut off may still read logs; there is nothing in it that a kill could spoil.
    runtime.shutdown_background();
    outcome
}

async fn run_node(configuration: BrokerConfig) -> Result<()> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // The recovery of logs blocks its thread, and must not keep signals waiting.
    let here = Handle::current();
    let starting = tokio::task::spawn_blocking(move || here.block_on(broker::Node::start(configuration)));
    let node = tokio::select! {
        started = starting => started??,
        _ = terminate.recv() => { warn!("stopping on SIGTERM, before the node was up"); return Ok(()) }
        _ = interrupt.recv() => { warn!("stopping on SIGINT, before the node was up"); return Ok(()) }
    };
    for listener in node.listeners() {
        info!(listener = %listener.name, address = %listener.address, "listening");
    }
    let failure = tokio::select! {
        _ = terminate.recv() => { info!("stopping on SIGTERM"); None }
        _ = interrupt.recv() => { info!("stopping on SIGINT"); None }
        reason = node.failed() => { error!(%reason, "stopping"); Some(reason) }
    };
    let stopped = node.stop().await.context("the node did not stop cleanly");
    match failure {
        Some(reason) => bail!("the node cannot go on: {reason}"),
        None => stopped,
    }
}

/// File, environment and command line, the later over the earlier.
fn read_configuration(options: &Options) -> Result<BrokerConfig> {
    let file = match &options.properties {
        Some(path) => {
            let bytes = fs::read(path).with_context(|| format!("cannot read {}", path.display()))?;
            let properties = config::properties::parse(&bytes);
            Some(properties.with_context(|| format!("{} is no properties file", path.display()))?)
        }
        None => None,
    };
    let overrides = options.overrides.iter().map(|text| config::properties::parse_override(text));
    let sources = LaunchSources {
        file,
        environment: std::env::vars().collect(),
        overrides: overrides.collect::<Result<_, _>>()?,
    };
    let settings = config::launch::merge(&sources, &ProcessVariables)?;
    for warning in config::warnings(&given(&settings, &sources)) {
        warn!("{warning}");
    }
    Ok(BrokerConfig::from_properties(&settings)?)
}

/// The settings that somebody gave: not those that a start without a file adds by itself.
fn given(settings: &Properties, sources: &LaunchSources) -> Properties {
    let is_given = |key: &str| {
        sources.file.as_ref().is_some_and(|file| file.contains_key(key))
            || sources.overrides.iter().any(|(name, _)| name == key)
            || sources
                .environment
                .iter()
                .any(|(name, _)| config::launch::key_of_variable(name).as_deref() == Some(key))
    };
    settings.iter().filter(|(key, _)| is_given(key)).map(|(key, text)| (key.clone(), text.clone())).collect()
}

/// What `${env:X}` and `${file:PATH:KEY}` stand for.
struct ProcessVariables;

impl VariableSource for ProcessVariables {
    fn environment(&self, name: &str) -> Option<String> {
        std::env::var(name).ok()
    }

    fn file(&self, path: &str) -> Result<Vec<u8>, String> {
        fs::read(path).map_err(|error| error.to_string())
    }
}
