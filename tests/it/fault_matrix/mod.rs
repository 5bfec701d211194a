//! The fault matrix: every kind of fault, once and for ever, at every server, during every operation.
//!
//! Each cell is one request through a fresh regpass in front of a fresh registry of which one server has one fault. The
//! client must get either exactly what it gets without the fault, or a clear error within the deadline; never a wrong or
//! short success. No cell sends a credential where it does not belong, or shows one. The counts are written to
//! `target/artifacts/fault-matrix.txt`.

mod cell;
mod faults;
mod operations;
mod verdict;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use faults::FAULTS;
use operations::OPERATIONS;
use verdict::Verdict;

/// Which server of the registry has the fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stage {
    TokenService,
    Registry,
    BlobStore,
}

/// How often the fault occurs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duration {
    Once,
    Always,
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_the_token_service_ends_in_the_right_bytes_or_a_clear_error() {
    run(Stage::TokenService).await;
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_the_registry_ends_in_the_right_bytes_or_a_clear_error() {
    run(Stage::Registry).await;
}

#[tokio::test(start_paused = true)]
async fn every_fault_of_the_blob_store_ends_in_the_right_bytes_or_a_clear_error() {
    run(Stage::BlobStore).await;
}

async fn run(stage: Stage) {
    let mut counts: BTreeMap<&str, BTreeMap<Verdict, usize>> = BTreeMap::new();
    let (mut cells, mut failures) = (0, Vec::new());
    for operation in OPERATIONS.iter().filter(|operation| operation.reaches(stage)) {
        let expected = cell::without_fault(operation).await;
        let expected = expected.reply.expect("a response");
        assert_eq!(expected.status, operation.status, "{}: {expected:?}", operation.name);
        for fault in FAULTS {
            for duration in [Duration::Once, Duration::Always] {
                cells += 1;
                let outcome = cell::with_fault(operation, stage, fault, duration).await;
                match outcome.verdict(operation, &expected) {
                    Ok(verdict) => *counts.entry(fault.name).or_default().entry(verdict).or_default() += 1,
                    Err(why) => failures.push(format!(
                        "{} at {stage:?} {duration:?} during {}: {why}: {:?}",
                        fault.name, operation.name, outcome.reply
                    )),
                }
            }
        }
    }
    publish(stage, cells, &counts);
    assert!(failures.is_empty(), "{} of {cells} cells:\n{}", failures.len(), failures.join("\n"));
}

fn publish(stage: Stage, cells: usize, counts: &BTreeMap<&str, BTreeMap<Verdict, usize>>) {
    let mut table = format!("{cells} cells at {stage:?}\n{:<40} right  error broken unverifiable\n", "fault");
    for (fault, verdicts) in counts {
        let count = |verdict| verdicts.get(&verdict).copied().unwrap_or_default();
        let (right, error, broken) = (count(Verdict::Right), count(Verdict::Error), count(Verdict::Broken));
        let unverifiable = count(Verdict::Unverifiable);
        writeln!(table, "{fault:<40} {right:>5} {error:>6} {broken:>6} {unverifiable:>12}").unwrap();
    }
    let artifacts = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("artifacts");
    fs::create_dir_all(&artifacts).unwrap();
    fs::write(artifacts.join(format!("fault-matrix-{stage:?}.txt")), table).unwrap();
}
