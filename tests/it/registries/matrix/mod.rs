//! The same checks for every registry, and a simulated day of each. `docs/registries.md` shows the results.
//!
//! The expectations come from the presets of the simulator, not from regpass's profiles, so a wrong profile fails a check.
//! The evidence for what a registry does not support is in [`limitations`].

mod day;
mod delete;
mod docs_page;
mod limitations;
mod listings;
mod outcome;
mod parallel;
mod pull;
mod push;
mod rejections;
mod row;
mod table;
mod token_expiry;

use std::fmt::Write as _;

use futures_util::FutureExt as _;
use futures_util::future::LocalBoxFuture;

use limitations::Notes;
use outcome::Outcome;
use row::Row;
use table::Table;

/// A column of the matrix: what a client does, and the test of it against one registry.
struct Check {
    name: &'static str,
    run: for<'a> fn(&'a Row) -> LocalBoxFuture<'a, Outcome>,
}

macro_rules! checks {
    ($($name:literal => $check:path),* $(,)?) => {
        &[$(Check { name: $name, run: |row| $check(row).boxed_local() }),*]
    };
}

/// The checks in groups, each of which is a table in `docs/registries.md`.
const GROUPS: [(&str, &[Check]); 3] = [
    (
        "Reading",
        checks! {
            "pull, anonymous" => pull::anonymous,
            "pull, credential" => pull::with_credential,
            "blob HEAD" => pull::head,
            "blob range" => pull::range,
            "tags" => listings::tags,
            "catalog" => listings::catalog,
            "referrers" => listings::referrers,
        },
    ),
    (
        "Writing",
        checks! {
            "push" => push::push,
            "mount" => push::mount,
            "delete tag" => delete::tag,
            "delete manifest" => delete::manifest,
            "delete blob" => delete::blob,
        },
    ),
    (
        "When something is wrong",
        checks! {
            "token expired" => token_expiry::in_use,
            "wrong password" => rejections::wrong_password,
            "no such repository" => rejections::missing,
        },
    ),
];

#[test]
fn every_registry_passes_every_check_and_the_page_shows_the_results() {
    let rows = Row::all();
    let checks: Vec<&Check> = GROUPS.iter().flat_map(|(_, checks)| *checks).collect();
    let outcomes = parallel::each(rows.len() * checks.len(), |job| {
        let (row, check) = (&rows[job / checks.len()], checks[job % checks.len()]);
        parallel::run_paused((check.run)(row)).map_err(|panic| format!("{row}, {}: {panic}", check.name))
    });
    let mut failures: Vec<&String> = outcomes.iter().filter_map(|outcome| outcome.as_ref().err()).collect();
    let mut notes = Notes::default();
    let mut text = String::new();
    let mut offset = 0;
    for (group, members) in GROUPS {
        let mut table = Table::new(["registry"].into_iter().chain(members.iter().map(|check| check.name)));
        for (number, row) in rows.iter().enumerate() {
            let of_row = &outcomes[number * checks.len() + offset..][..members.len()];
            let cells = of_row.iter().zip(members).map(|(outcome, check)| match outcome {
                Ok(outcome) => notes.cell_text(row, check.name, outcome),
                Err(_) => "FAILS".to_owned(),
            });
            table.row([row.to_string()].into_iter().chain(cells.collect::<Vec<_>>()));
        }
        let _ = write!(text, "### {group}\n\n{table}\n");
        offset += members.len();
    }
    let _ = write!(text, "### What a registry can't\n\n{notes}");
    let faults = notes.faults();
    failures.extend(&faults);
    docs_page::compare("matrix", &text, &failures);
}

#[test]
fn a_day_of_each_registry_has_no_failed_pull_and_the_page_shows_the_counts() {
    let days = day::all();
    let reports = parallel::each(days.len(), |job| {
        let day = &days[job];
        parallel::run_paused(day.simulate()).map_err(|panic| format!("{}, {}: {panic}", day.registry, day.credential))
    });
    let mut table = day::Report::table();
    for (day, report) in days.iter().zip(&reports) {
        table.row(match report {
            Ok(report) => report.cells(day),
            Err(_) => vec![day.registry.to_owned(), day.credential.to_owned(), "FAILS".to_owned()],
        });
    }
    let failures: Vec<&String> = reports.iter().filter_map(|report| report.as_ref().err()).collect();
    docs_page::compare("day", &table.to_string(), &failures);
}
