//! Runs the operations of one client at every target and writes the client's rows of the table.

use std::collections::BTreeMap;

use super::root::{command, version};
use super::target::Target;
use crate::client_table::{self, Outcome, Row};
use crate::process::{Daemon, unchecked_output};

/// One operation of a client.
#[derive(Clone, Copy)]
pub(super) struct Operation {
    /// Its name in the table.
    name: &'static str,
    /// A shell script, which runs in the root of the newest clients, in the client's folder. It fails unless the operation
    /// had the right result. [`Target::variables`] has its variables.
    script: &'static str,
    /// The repository and tag that the registry itself must have afterwards.
    stored: Option<(&'static str, &'static str)>,
    /// The repository and tag that the registry itself must not have afterwards.
    deleted: Option<(&'static str, &'static str)>,
    at_simulators: bool,
    /// Why the operation fails, directly too: a reason that is the client's own.
    own_fault: Option<&'static str>,
}

impl Operation {
    pub(super) const fn new(name: &'static str, script: &'static str) -> Self {
        Self { name, script, stored: None, deleted: None, at_simulators: false, own_fault: None }
    }

    pub(super) const fn stores(self, repository: &'static str, tag: &'static str) -> Self {
        Self { stored: Some((repository, tag)), ..self }
    }

    pub(super) const fn deletes(self, repository: &'static str, tag: &'static str) -> Self {
        Self { deleted: Some((repository, tag)), ..self }
    }

    /// Also runs with simulated registries.
    pub(super) const fn also_at_simulators(self) -> Self {
        Self { at_simulators: true, ..self }
    }

    pub(super) const fn fails_because(self, reason: &'static str) -> Self {
        Self { own_fault: Some(reason), ..self }
    }
}

/// Runs the operations of a client at every target, in their order. Panics if an outcome is not the expected one, after
/// writing the rows. `preparation` is a script that runs at the start of every operation's shell, `daemons` serve the client.
pub(super) async fn run(
    client: &'static str,
    store: &str,
    targets: Vec<Target>,
    daemons: Vec<Daemon>,
    preparation: &str,
    operations: &[Operation],
) {
    let mut rows: BTreeMap<(usize, &str), Row> = BTreeMap::new();
    let mut surprises = Vec::new();
    for target in &targets {
        let mut operations: Vec<(usize, &Operation)> = operations.iter().enumerate().collect();
        operations.retain(|(_, operation)| target.simulator.is_empty() || operation.at_simulators);
        for (number, operation) in operations {
            let result = attempt(target, preparation, operation).await;
            let outcome = if result.is_ok() { Outcome::Works } else { Outcome::Fails };
            let row = rows.entry((number, target.simulator)).or_insert_with(|| row(client, store, target, operation));
            let cell = if target.is_direct { &mut row.direct } else { &mut row.through_regpass };
            if *cell != Outcome::Fails {
                *cell = outcome;
            }
            if result.is_err() != operation.own_fault.is_some() {
                let error = result.err().unwrap_or_else(|| "works, although a reason for failing is listed".to_owned());
                surprises.push(format!("{} {target}: {error}\n{}", operation.name, target.last_requests()));
            }
        }
    }
    let rows: Vec<Row> = rows.into_values().collect();
    client_table::write_rows(&format!("newest-{client}{store}").replace(' ', "-"), &rows);
    drop(daemons);
    if surprises.is_empty() {
        return targets.into_iter().for_each(Target::finish);
    }
    // Before the panic, with which each daemon would print its log.
    drop(targets);
    panic!("{client}{store}:\n{}", surprises.join("\n"));
}

fn row(client: &str, store: &str, target: &Target, operation: &Operation) -> Row {
    let name = operation.name;
    let simulator = target.simulator;
    Row {
        client: format!("{client}{store}"),
        version: version(client),
        operation: if simulator.is_empty() { name.to_owned() } else { format!("{name} ({simulator})") },
        through_regpass: Outcome::NotRun,
        direct: Outcome::NotRun,
        note: match (operation.own_fault, simulator) {
            (Some(reason), _) => reason.to_owned(),
            (None, "") => String::new(),
            (None, _) => "the simulated registry requires tokens".to_owned(),
        },
    }
}

async fn attempt(target: &Target, preparation: &str, operation: &Operation) -> Result<(), String> {
    let mut shell = command("sh", target.home());
    shell.args(["-eux", "-c", &format!("cd \"$HOME\"\n{preparation}\n{}", operation.script)]).envs(target.variables());
    let output = unchecked_output(&mut shell).await;
    if !output.status.success() {
        let (stdout, stderr) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        return Err(format!("{}\n--- stdout\n{stdout}\n--- stderr\n{stderr}", output.status));
    }
    if let Some((repository, tag)) = operation.stored
        && !target.has(repository, tag).await
    {
        return Err(format!("the registry has no {repository}:{tag}"));
    }
    if let Some((repository, tag)) = operation.deleted
        && target.has(repository, tag).await
    {
        return Err(format!("the registry still has {repository}:{tag}"));
    }
    Ok(())
}
