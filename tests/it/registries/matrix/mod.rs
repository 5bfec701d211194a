//! Every registry through the same suite, and a day of each: measured here, and told in `docs/registries.md`.
//!
//! What a registry can is read from its preset, never from regpass's own table of registries, so that a wrong row there
//! fails a cell here. What it can't has its evidence in [`cannot`].

mod cannot;
mod cell;
mod day;
mod delete;
mod expiry;
mod listings;
mod page;
mod parallel;
mod pull;
mod push;
mod refusals;
mod row;
mod table;

use std::fmt::Write as _;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use cannot::Notes;
use cell::Cell;
use row::Row;
use table::Table;

/// What a client does, and the test of it.
struct Behaviour {
    name: &'static str,
    check: for<'a> fn(&'a Row) -> LocalBoxFuture<'a, Cell>,
}

/// The behaviours in groups, each a table of its own.
const GROUPS: [(&str, &[Behaviour]); 3] = [
    (
        "Reading",
        &[
            Behaviour { name: "pull, anonymous", check: |row| pull::anonymous(row).boxed_local() },
            Behaviour { name: "pull, login", check: |row| pull::with_login(row).boxed_local() },
            Behaviour { name: "blob HEAD", check: |row| pull::head(row).boxed_local() },
            Behaviour { name: "blob range", check: |row| pull::range(row).boxed_local() },
            Behaviour { name: "tags", check: |row| listings::tags(row).boxed_local() },
            Behaviour { name: "catalog", check: |row| listings::catalog(row).boxed_local() },
            Behaviour { name: "referrers", check: |row| listings::referrers(row).boxed_local() },
        ],
    ),
    (
        "Writing",
        &[
            Behaviour { name: "push", check: |row| push::push(row).boxed_local() },
            Behaviour { name: "mount", check: |row| push::mount(row).boxed_local() },
            Behaviour { name: "delete tag", check: |row| delete::tag(row).boxed_local() },
            Behaviour { name: "delete manifest", check: |row| delete::manifest(row).boxed_local() },
            Behaviour { name: "delete blob", check: |row| delete::blob(row).boxed_local() },
        ],
    ),
    (
        "When something is wrong",
        &[
            Behaviour { name: "token over", check: |row| expiry::in_use(row).boxed_local() },
            Behaviour { name: "wrong password", check: |row| refusals::wrong_password(row).boxed_local() },
            Behaviour { name: "no such repository", check: |row| refusals::missing(row).boxed_local() },
        ],
    ),
];

#[test]
fn every_registry_does_what_it_can_and_the_page_says_so() {
    let rows = Row::all();
    let behaviours: Vec<&Behaviour> = GROUPS.iter().flat_map(|(_, behaviours)| *behaviours).collect();
    let measured = parallel::each(rows.len() * behaviours.len(), |job| {
        let (row, behaviour) = (&rows[job / behaviours.len()], behaviours[job % behaviours.len()]);
        parallel::alone((behaviour.check)(row)).map_err(|seen| format!("{row}, {}: {seen}", behaviour.name))
    });
    let mut failures: Vec<&String> = measured.iter().filter_map(|cell| cell.as_ref().err()).collect();
    let mut notes = Notes::default();
    let mut text = String::new();
    let mut offset = 0;
    for (group, members) in GROUPS {
        let mut table = Table::new(["registry"].into_iter().chain(members.iter().map(|behaviour| behaviour.name)));
        for (number, row) in rows.iter().enumerate() {
            let cells = &measured[number * behaviours.len() + offset..][..members.len()];
            let words = cells.iter().zip(members).map(|(cell, behaviour)| match cell {
                Ok(cell) => notes.word(row, behaviour.name, cell),
                Err(_) => "FAILS".to_owned(),
            });
            table.row([row.to_string()].into_iter().chain(words.collect::<Vec<_>>()));
        }
        let _ = write!(text, "### {group}\n\n{table}\n");
        offset += members.len();
    }
    let _ = write!(text, "### What a registry can't\n\n{notes}");
    let faults = notes.faults();
    failures.extend(&faults);
    page::hold("matrix", &text, &failures);
}

#[test]
fn a_day_of_each_registry_passes_without_a_failure_and_the_page_says_so() {
    let days = day::all();
    let measured = parallel::each(days.len(), |job| {
        let day = &days[job];
        parallel::alone(day.pass()).map_err(|seen| format!("{}, {}: {seen}", day.registry, day.login))
    });
    let mut table = day::Report::table();
    for (day, report) in days.iter().zip(&measured) {
        table.row(match report {
            Ok(report) => report.cells(day),
            Err(_) => vec![day.registry.to_owned(), day.login.to_owned(), "FAILS".to_owned()],
        });
    }
    let failures: Vec<&String> = measured.iter().filter_map(|report| report.as_ref().err()).collect();
    page::hold("day", &table.to_string(), &failures);
}
