//! `kafka-acls`: who may do what.

pub mod words;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{Write, stdin, stdout};

use klamm_client::Admin;
use klamm_client::admin::AclBinding;
use serde_json::{Value, json};

use crate::command_line::{Arguments, Failure, Grammar, Opt, Refusals, Tool, flag, optional, text};

use super::java_errors;
use super::session::{BOOTSTRAP, COMMAND_CONFIG, properties, with_admin_of};
use words::{ANY, Pattern, operation, operation_name, pattern_type, permission_name, supported};

const OPTIONS: &[Opt] = &[
    BOOTSTRAP,
    COMMAND_CONFIG.value_may_miss(),
    text("bootstrap-controller", "host:port,...", "Some controllers of the cluster to connect to."),
    flag("add", "Adds entries."),
    flag("remove", "Removes entries."),
    flag("list", "Lists entries."),
    text("topic", "topic", "The topic; * for all. May be repeated."),
    flag("cluster", "The cluster."),
    text("group", "group", "The group; * for all. May be repeated."),
    text("transactional-id", "transactional-id", "The transactional id; * for all. May be repeated."),
    flag("idempotent", "Lets a producer write idempotently, with --producer."),
    text("delegation-token", "delegation-token", "The delegation token; * for all. May be repeated."),
    text("user-principal", "user-principal", "The user; * for all. May be repeated."),
    text(
        "resource-pattern-type",
        "type",
        "literal (default), prefixed; any and match for --list and --remove.",
    ),
    text("operation", "operation", "What may be done (default: All). May be repeated."),
    text("allow-principal", "allow-principal", "Who may, as User:name. May be repeated."),
    text("deny-principal", "deny-principal", "Who may not, as User:name. May be repeated."),
    optional("principal", "principal", "Lists only entries of this principal. May be repeated."),
    text("allow-host", "allow-host", "From where (default: *). May be repeated."),
    text("deny-host", "deny-host", "From where not (default: *). May be repeated."),
    flag("producer", "What a producer needs: WRITE, DESCRIBE and CREATE on topics."),
    flag("consumer", "What a consumer needs: READ and DESCRIBE on topics, READ on groups."),
    flag("force", "Asks no questions."),
];

/// The tool's table.
pub const TOOL: Tool = Tool {
    name: "acls",
    classes: &["org.apache.kafka.tools.AclCommand", "kafka.admin.AclCommand"],
    about: "This tool adds, removes and lists entries of access control lists.",
    grammar: Grammar::Joptsimple,
    options: &[OPTIONS],
    verbs: &[],
    refusals: Refusals {
        prefix: "Error while executing ACL command: ",
        on_stdout: true,
        option_prefix: None,
    },
    run,
};

/// An entry without its resource.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Entry {
    principal: String,
    host: String,
    operation: i8,
    permission: i8,
}

impl std::fmt::Display for Entry {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            formatter,
            "(principal={}, host={}, operation={}, permissionType={})",
            self.principal,
            self.host,
            operation_name(self.operation),
            permission_name(self.permission)
        )
    }
}

type Grants = BTreeMap<Pattern, BTreeSet<Entry>>;

fn run(arguments: &Arguments) -> Result<(), Failure> {
    check(arguments)?;
    let mut properties = properties(arguments)?;
    if let Some(controllers) = arguments.value("bootstrap-controller")? {
        properties.insert("bootstrap.servers".to_owned(), controllers.to_owned());
    }
    let grants = match arguments.has("list") {
        true => Grants::new(),
        false => grants(arguments)?,
    };
    let patterns = patterns(arguments)?;
    let shown: Vec<Pattern> = match arguments.has("list") {
        true => patterns,
        false => grants.keys().cloned().collect(),
    };
    with_admin_of(properties, "adminclient-1", async |admin| {
        if arguments.has("add") {
            add(&admin, &grants).await?;
        } else if arguments.has("remove") {
            remove(&admin, arguments, &grants).await?;
        }
        list(&admin, arguments, &shown).await
    })
}

fn check(arguments: &Arguments) -> Result<(), Failure> {
    match (arguments.has("bootstrap-server"), arguments.has("bootstrap-controller")) {
        (true, true) => {
            return Err(Failure::usage(
                "Only one of --bootstrap-server or --bootstrap-controller must be specified",
            ));
        }
        (false, false) => {
            return Err(Failure::usage(
                "One of --bootstrap-server or --bootstrap-controller must be specified",
            ));
        }
        _ => {}
    }
    if ["add", "remove", "list"].iter().filter(|action| arguments.has(action)).count() != 1 {
        return Err(Failure::usage("Command must include exactly one action: --list, --add, --remove. "));
    }
    arguments.forbid(
        "list",
        &["producer", "consumer", "allow-host", "allow-principal", "deny-host", "deny-principal"],
    )?;
    arguments.forbid("producer", &["operation", "deny-principal", "deny-host"])?;
    arguments.forbid("consumer", &["operation", "deny-principal", "deny-host"])?;
    if arguments.has("principal") && !arguments.has("list") {
        return Err(Failure::usage("The --principal option is only available if --list is set"));
    }
    if arguments.has("producer") && !arguments.has("topic") {
        return Err(Failure::usage("With --producer you must specify a --topic"));
    }
    if arguments.has("idempotent") && !arguments.has("producer") {
        return Err(Failure::usage("The --idempotent option is only available if --producer is set"));
    }
    let is_whole_consumer = arguments.has("topic")
        && arguments.has("group")
        && (arguments.has("producer") || !(arguments.has("cluster") || arguments.has("transactional-id")));
    if arguments.has("consumer") && !is_whole_consumer {
        return Err(Failure::usage(
            "With --consumer you must specify a --topic and a --group and no --cluster or --transactional-id option \
             should be specified.",
        ));
    }
    Ok(())
}

/// What `--topic` and its like name.
fn patterns(arguments: &Arguments) -> Result<Vec<Pattern>, Failure> {
    let kind = pattern_type(arguments.value("resource-pattern-type")?.unwrap_or("literal"))?;
    let mut patterns = Vec::new();
    for (option, resource) in
        [("topic", 2), ("group", 3), ("transactional-id", 5), ("delegation-token", 6), ("user-principal", 7)]
    {
        patterns.extend(
            arguments.values(option).into_iter().map(|name| Pattern::new(resource, name.trim(), kind)),
        );
    }
    if kind == words::LITERAL && (arguments.has("cluster") || arguments.has("idempotent")) {
        patterns.push(Pattern::cluster());
    }
    Ok(patterns)
}

fn entries(arguments: &Arguments, operations: &[i8]) -> Result<BTreeSet<Entry>, Failure> {
    let mut entries = BTreeSet::new();
    for (who, host, permission) in [("allow-principal", "allow-host", 3), ("deny-principal", "deny-host", 2)]
    {
        let hosts = match &arguments.values(host)[..] {
            [] => vec!["*".to_owned()],
            hosts => hosts.iter().map(|host| host.trim().to_owned()).collect(),
        };
        for principal in arguments.values(who) {
            let principal = principal.trim();
            if !principal.split_once(':').is_some_and(|(kind, name)| !kind.is_empty() && !name.is_empty()) {
                return Err(Failure::refused(format!(
                    "expected a string in format principalType:principalName but got {principal}"
                )));
            }
            for host in &hosts {
                entries.extend(operations.iter().map(|operation| Entry {
                    principal: principal.to_owned(),
                    host: host.clone(),
                    operation: *operation,
                    permission,
                }));
            }
        }
    }
    Ok(entries)
}

/// What the command line grants or takes, by resource.
fn grants(arguments: &Arguments) -> Result<Grants, Failure> {
    let named = patterns(arguments)?;
    if named.is_empty() {
        return Err(Failure::usage(
            "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or \
             --delegation-token <Delegation Token ID>",
        ));
    }
    if arguments.has("add") && named.iter().any(|pattern| !pattern.is_specific()) {
        let kind = arguments.value("resource-pattern-type")?.unwrap_or_default().to_ascii_uppercase();
        return Err(Failure::Usage(format!(
            "A '--resource-pattern-type' value of '{kind}' is not valid when adding acls."
        )));
    }
    let mut grants = Grants::new();
    let mut give = |pattern: &Pattern, operations: &[i8]| {
        let new = entries(arguments, operations)?;
        grants.entry(pattern.clone()).or_default().extend(new);
        Ok::<(), Failure>(())
    };
    let of = |resource: i8| named.iter().filter(move |pattern| pattern.resource == resource);
    if arguments.has("producer") {
        of(2).try_for_each(|topic| give(topic, &[4, 8, 5]))?;
        of(5).try_for_each(|id| give(id, &[4, 8]))?;
        if arguments.has("idempotent") {
            give(&Pattern::cluster(), &[12])?;
        }
    }
    if arguments.has("consumer") {
        of(2).try_for_each(|topic| give(topic, &[3, 8]))?;
        of(3).try_for_each(|group| give(group, &[3]))?;
    }
    if !arguments.has("producer") && !arguments.has("consumer") {
        let wanted: Vec<i8> = match &arguments.values("operation")[..] {
            [] => vec![words::ALL],
            names => names.iter().map(|name| operation(name.trim())).collect(),
        };
        for pattern in &named {
            let allowed = supported(pattern.resource);
            if wanted.iter().any(|operation| *operation != words::ALL && !allowed.contains(operation)) {
                let names: Vec<_> =
                    allowed.iter().chain([&words::ALL]).map(|operation| operation_name(*operation)).collect();
                return Err(Failure::Usage(format!(
                    "ResourceType {} only supports operations [{}]",
                    words::resource_name(pattern.resource),
                    names.join(", ")
                )));
            }
            give(pattern, &wanted)?;
        }
    }
    if arguments.has("add") && grants.values().any(BTreeSet::is_empty) {
        return Err(Failure::usage(
            "You must specify one of: --allow-principal, --deny-principal when trying to add ACLs.",
        ));
    }
    Ok(grants)
}

fn filter(pattern: Option<&Pattern>, entry: Option<&Entry>) -> AclBinding {
    AclBinding {
        resource_type: pattern.map_or(ANY, |pattern| pattern.resource),
        resource_name: pattern.map(|pattern| pattern.name.clone()),
        pattern_type: pattern.map_or(ANY, |pattern| pattern.kind),
        principal: entry.map(|entry| entry.principal.clone()),
        host: entry.map(|entry| entry.host.clone()),
        operation: entry.map_or(ANY, |entry| entry.operation),
        permission_type: entry.map_or(ANY, |entry| entry.permission),
    }
}

fn executed(error: &klamm_client::ClientError) -> Failure {
    Failure::refused(java_errors::full(error))
}

async fn existing(admin: &Admin, patterns: &[Pattern]) -> Result<Grants, Failure> {
    let filters: Vec<AclBinding> = match patterns {
        [] => vec![filter(None, None)],
        patterns => patterns.iter().map(|pattern| filter(Some(pattern), None)).collect(),
    };
    let mut grants = Grants::new();
    for filter in filters {
        for binding in admin.describe_acls(&filter).await.map_err(|error| executed(&error))? {
            let pattern = Pattern::new(
                binding.resource_type,
                binding.resource_name.as_deref().unwrap_or_default(),
                binding.pattern_type,
            );
            grants.entry(pattern).or_default().insert(Entry {
                principal: binding.principal.unwrap_or_default(),
                host: binding.host.unwrap_or_default(),
                operation: binding.operation,
                permission: binding.permission_type,
            });
        }
    }
    Ok(grants)
}

async fn add(admin: &Admin, grants: &Grants) -> Result<(), Failure> {
    for (pattern, entries) in grants {
        let known = existing(admin, std::slice::from_ref(pattern)).await?;
        let known = known.get(pattern).cloned().unwrap_or_default();
        let (old, new): (Vec<_>, Vec<_>) = entries.iter().partition(|entry| known.contains(entry));
        for entry in old {
            println!("Acl (pattern={pattern}, entry={entry}) already exists.");
        }
        if new.is_empty() {
            continue;
        }
        let lines: Vec<_> = new.iter().map(|entry| format!("\t{entry}")).collect();
        println!("Adding ACLs for resource `{pattern}`: \n {}\n", lines.join("\n"));
        let bindings: Vec<_> = new.iter().map(|entry| filter(Some(pattern), Some(entry))).collect();
        admin.create_acls(&bindings).await.map_err(|error| executed(&error))?;
    }
    Ok(())
}

async fn remove(admin: &Admin, arguments: &Arguments, grants: &Grants) -> Result<(), Failure> {
    for (pattern, entries) in grants {
        let question = if entries.is_empty() {
            format!("Are you sure you want to delete all ACLs for resource filter `{pattern}`? (y/n)")
        } else {
            let lines: Vec<_> = entries.iter().map(|entry| format!("\t{entry}")).collect();
            format!(
                "Are you sure you want to remove ACLs: \n {}\n from resource filter `{pattern}`? (y/n)",
                lines.join("\n")
            )
        };
        if !arguments.has("force") && !confirms(&question)? {
            continue;
        }
        let filters: Vec<_> = match entries.is_empty() {
            true => vec![filter(Some(pattern), None)],
            false => entries.iter().map(|entry| filter(Some(pattern), Some(entry))).collect(),
        };
        admin.delete_acls(&filters).await.map_err(|error| executed(&error))?;
    }
    Ok(())
}

fn confirms(question: &str) -> Result<bool, Failure> {
    println!("{question}");
    stdout().flush()?;
    let mut answer = String::new();
    stdin().read_line(&mut answer)?;
    Ok(answer.trim().eq_ignore_ascii_case("y"))
}

async fn list(admin: &Admin, arguments: &Arguments, patterns: &[Pattern]) -> Result<(), Failure> {
    let grants = existing(admin, patterns).await?;
    if arguments.json() {
        let rows = grants.iter().flat_map(|(pattern, entries)| {
            entries.iter().map(move |entry| {
                json!({
                    "resourceType": words::resource_name(pattern.resource), "resourceName": pattern.name,
                    "patternType": words::pattern_name(pattern.kind), "principal": entry.principal, "host": entry.host,
                    "operation": operation_name(entry.operation), "permissionType": permission_name(entry.permission),
                })
            })
        });
        println!("{}", Value::Array(rows.collect()));
        return Ok(());
    }
    let principals = arguments.values("principal");
    if principals.is_empty() {
        print_grants(&grants, None);
    }
    for principal in principals {
        println!("ACLs for principal `{principal}`");
        print_grants(&grants, Some(principal));
    }
    Ok(())
}

fn print_grants(grants: &Grants, principal: Option<&str>) {
    for (pattern, entries) in grants {
        let wanted = entries.iter().filter(|entry| principal.is_none_or(|name| entry.principal == name));
        let lines: Vec<_> = wanted.map(|entry| format!("\t{entry}")).collect();
        if !lines.is_empty() {
            println!("Current ACLs for resource `{pattern}`:\n{}\n", lines.join("\n"));
        }
    }
}
