//! What `kafka-configs` is asked about: types and names, in either spelling.

use std::fmt;
use std::net::ToSocketAddrs;

use klamm_client::admin::ConfigResourceType;

use crate::command_line::{Arguments, Failure};

/// A kind of thing with settings.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EntityType {
    Topics,
    Clients,
    Users,
    Brokers,
    Ips,
    ClientMetrics,
    Groups,
    BrokerLoggers,
}

use EntityType::{BrokerLoggers, Brokers, ClientMetrics, Clients, Groups, Ips, Topics, Users};

const ALL: &[(EntityType, &str)] = &[
    (Topics, "topics"),
    (Clients, "clients"),
    (Users, "users"),
    (Brokers, "brokers"),
    (Ips, "ips"),
    (ClientMetrics, "client-metrics"),
    (Groups, "groups"),
    (BrokerLoggers, "broker-loggers"),
];

/// Options that name an entity and its type at once.
const NAMED: &[(&str, EntityType)] = &[
    ("topic", Topics),
    ("client", Clients),
    ("user", Users),
    ("broker", Brokers),
    ("broker-logger", BrokerLoggers),
    ("ip", Ips),
    ("client-metrics", ClientMetrics),
    ("group", Groups),
];

/// Options that mean the default of a type.
const DEFAULTS: &[(&str, EntityType)] = &[
    ("client-defaults", Clients),
    ("user-defaults", Users),
    ("broker-defaults", Brokers),
    ("ip-defaults", Ips),
];

impl fmt::Display for EntityType {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = ALL.iter().find(|(kind, _)| kind == self).map_or("", |(_, name)| name);
        formatter.write_str(name)
    }
}

impl EntityType {
    /// What the cluster calls it, unless its settings are quotas.
    pub fn resource(self) -> Option<ConfigResourceType> {
        match self {
            Topics => Some(ConfigResourceType::Topic),
            Brokers => Some(ConfigResourceType::Broker),
            ClientMetrics => Some(ConfigResourceType::ClientMetrics),
            Groups => Some(ConfigResourceType::Group),
            BrokerLoggers => Some(ConfigResourceType::BrokerLogger),
            Clients | Users | Ips => None,
        }
    }
}

/// Types and names in the order given; an empty name is the default.
pub struct Entities {
    pub types: Vec<EntityType>,
    pub names: Vec<String>,
}

impl Entities {
    /// Reads and checks what the command line says.
    pub fn read(arguments: &Arguments) -> Result<Self, Failure> {
        if arguments.has("alter") == arguments.has("describe") {
            return Err(Failure::usage("Command must include exactly one action: --describe, --alter"));
        }
        arguments.forbid("describe", &["add-config", "delete-config"])?;
        let mut names_of_types: Vec<String> =
            arguments.values("entity-type").into_iter().map(str::to_owned).collect();
        let flags = NAMED.iter().chain(DEFAULTS).filter(|(option, _)| arguments.has(option));
        names_of_types.extend(flags.map(|(_, kind)| kind.to_string()));
        let twice = super::super::json_files::duplicates(&names_of_types);
        if !twice.is_empty() {
            return Err(Failure::refused(format!("Duplicate entity type(s) specified: {}", twice.join(","))));
        }
        if !arguments.has("bootstrap-server") && !arguments.has("bootstrap-controller") {
            return Err(Failure::refused(
                "Either --bootstrap-server or --bootstrap-controller must be specified.",
            ));
        }
        let entities = Self { types: types(&names_of_types)?, names: names(arguments)? };
        entities.check(arguments)?;
        Ok(entities)
    }

    fn has(&self, kind: EntityType) -> bool {
        self.types.contains(&kind)
    }

    fn listed(&self) -> String {
        self.types.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
    }

    fn check(&self, arguments: &Arguments) -> Result<(), Failure> {
        match self.types[..] {
            [] => return Err(Failure::refused("At least one entity type must be specified")),
            [_] | [Users, Clients] | [Clients, Users] => {}
            _ => {
                return Err(Failure::refused(
                    "Only 'users' and 'clients' entity types may be specified together",
                ));
            }
        }
        let uses_old =
            ["entity-name", "entity-type", "entity-default"].iter().any(|name| arguments.has(name));
        let uses_new = NAMED.iter().chain(DEFAULTS).any(|(option, _)| arguments.has(option));
        if uses_old && uses_new {
            return Err(Failure::refused(
                "--entity-{type,name,default} should not be used in conjunction with specific entity flags",
            ));
        }
        if arguments.has("bootstrap-server") && arguments.has("bootstrap-controller") {
            return Err(Failure::refused(
                "Only one of --bootstrap-server or --bootstrap-controller can be specified",
            ));
        }
        self.check_names()?;
        if arguments.has("describe") { self.check_describe(arguments) } else { self.check_alter(arguments) }
    }

    fn check_names(&self) -> Result<(), Failure> {
        let first = self.types[0];
        for name in self.names.iter().filter(|name| !name.is_empty()) {
            if matches!(first, Brokers | BrokerLoggers) && name.parse::<i32>().is_err() {
                return Err(Failure::refused(format!(
                    "The entity name for {first} must be a valid integer broker id, but it is: {name}"
                )));
            }
            if first == Ips && (name.as_str(), 0).to_socket_addrs().is_err() {
                return Err(Failure::refused(format!(
                    "The entity name for {first} must be a valid IP or resolvable host, but it is: {name}"
                )));
            }
        }
        Ok(())
    }

    fn check_describe(&self, arguments: &Arguments) -> Result<(), Failure> {
        let has_defaults = [Users, Clients, Brokers, Ips].into_iter().any(|kind| self.has(kind));
        if !has_defaults && arguments.has("entity-default") {
            return Err(Failure::refused(format!(
                "--entity-default must not be specified with --describe of {}",
                self.listed()
            )));
        }
        if self.has(BrokerLoggers) && self.names.iter().all(String::is_empty) {
            return Err(Failure::refused(format!(
                "An entity name must be specified with --describe of {}",
                self.listed()
            )));
        }
        Ok(())
    }

    fn check_alter(&self, arguments: &Arguments) -> Result<(), Failure> {
        if [Users, Clients, Brokers, Ips].into_iter().any(|kind| self.has(kind)) {
            if self.names.is_empty() {
                return Err(Failure::refused(
                    "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips",
                ));
            }
        } else if self.names.iter().all(String::is_empty) {
            return Err(Failure::refused(format!(
                "An entity name must be specified with --alter of {}",
                self.listed()
            )));
        }
        if arguments.has("add-config") && arguments.has("add-config-file") {
            return Err(Failure::refused("Only one of --add-config or --add-config-file must be specified"));
        }
        if !["add-config", "add-config-file", "delete-config"].iter().any(|name| arguments.has(name)) {
            return Err(Failure::refused(
                "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter",
            ));
        }
        Ok(())
    }
}

fn types(names: &[String]) -> Result<Vec<EntityType>, Failure> {
    let read = |name: &String| {
        let found = ALL.iter().find(|(_, known)| known == name).map(|(kind, _)| *kind);
        found.ok_or_else(|| {
            let known: Vec<_> = ALL.iter().map(|(_, name)| *name).collect();
            Failure::refused(format!(
                "Invalid entity type {name}, the entity type must be one of {} with a --bootstrap-server or \
                 --bootstrap-controller argument",
                known.join(", ")
            ))
        })
    };
    names.iter().map(read).collect()
}

/// Names in the order given; where `--entity-default` stands there is an empty one.
fn names(arguments: &Arguments) -> Result<Vec<String>, Failure> {
    let mut names = Vec::new();
    for (option, value) in arguments.in_order() {
        match option {
            "entity-name" => names.extend(value.map(str::to_owned)),
            "entity-default" => names.push(String::new()),
            _ => {}
        }
    }
    for (option, _) in NAMED.iter().filter(|(option, _)| arguments.has(option)) {
        names.extend(arguments.value(option)?.map(str::to_owned));
    }
    for _ in DEFAULTS.iter().filter(|(option, _)| arguments.has(option)) {
        names.push(String::new());
    }
    Ok(names)
}
