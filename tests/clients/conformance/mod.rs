//! Conformance with the distribution specification, versions 1.1 and dev: the same requests go to Debian's registry directly
//! and through regpass, which must never pass less. The results are written to `target/artifacts/conformance.md`.
//!
//! The requests are tables of our own (`cases`). If `REGPASS_CONFORMANCE_SUITE` names a checkout of the specification's own
//! suite (the folder `conformance` of opencontainers/distribution-spec), it is built with Go and runs, too.

mod case;
mod cases;
mod run;
mod suite;

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;
use case::{Case, Version};
use run::{Outcome, Target};

/// The registry, directly and through regpass.
struct Setup {
    registry: Registry,
    regpass: Regpass,
}

impl Setup {
    async fn start() -> Self {
        let registry = Registry::start_htpasswd().await;
        let config = format!(
            r#"
            [[listener]]
            address = "127.0.0.1:0"
            registry = "registry.test:5000"

            [registry."registry.test:5000"]
            url = "http://{}"
            allow = ["pull", "push", "delete"]
            credential = {{ source = "password", username = "{USER}", password = "{PASSWORD}" }}
            "#,
            registry.address
        );
        let regpass = Regpass::start(&config).await;
        Self { registry, regpass }
    }

    /// The registry itself, then regpass.
    fn targets(&self) -> [Target; 2] {
        [
            Target { name: "direct", host: self.registry.address.to_string(), credential: Some((USER, PASSWORD)) },
            Target { name: "regpass", host: self.regpass.address.to_string(), credential: None },
        ]
    }
}

#[tokio::test]
async fn regpass_passes_every_requirement_that_the_registry_passes() {
    let setup = Setup::start().await;
    let [direct, regpass] = setup.targets();
    let mut report = Report::default();
    for (number, case) in cases::all().iter().enumerate() {
        let at_registry = run::run(case, number, &direct).await;
        let through_regpass = run::run(case, number, &regpass).await;
        report.add(case, &at_registry, &through_regpass);
    }
    let mut text = report.text();
    let mut faults = report.faults;
    if let Some(checkout) = std::env::var_os("REGPASS_CONFORMANCE_SUITE") {
        let suite = suite::run(Path::new(&checkout), &setup.targets()).await;
        text += &suite.text;
        faults.extend(suite.faults);
    }
    let artifacts = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("artifacts");
    fs::create_dir_all(&artifacts).expect("a directory for artifacts");
    fs::write(artifacts.join("conformance.md"), text).expect("conformance.md is written");
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The table of results, and what must not be.
#[derive(Default)]
struct Report {
    rows: String,
    /// Passed cases by version, directly and through regpass, and all cases.
    passed: [[usize; 3]; 2],
    faults: Vec<String>,
}

impl Report {
    fn add(&mut self, case: &Case, direct: &Outcome, regpass: &Outcome) {
        let counts = &mut self.passed[case.version as usize];
        counts[0] += usize::from(direct.is_ok());
        counts[1] += usize::from(regpass.is_ok());
        counts[2] += 1;
        let version = if case.version == Version::Dev { "dev" } else { "1.1" };
        let cell = |outcome: &Outcome| match outcome {
            Ok(()) => "pass".to_owned(),
            Err(why) => format!("FAIL: {}", why.replace('|', "\\|").replace('\n', " ")),
        };
        let _ = writeln!(self.rows, "| {} | {version} | {} | {} |", case.name, cell(direct), cell(regpass));
        match (regpass, case.beyond_regpass) {
            (Err(why), None) => self.faults.push(format!("{}: through regpass: {why}", case.name)),
            (Ok(()), Some(reason)) => self.faults.push(format!("{} passes, although {reason}", case.name)),
            (Err(why), Some(_)) if direct.is_ok() => {
                self.faults.push(format!("{}: passes directly, but through regpass: {why}", case.name));
            }
            _ => {}
        }
    }

    fn text(&self) -> String {
        let mut text = "# Conformance with the distribution specification\n\nDebian's docker-registry, directly and through regpass.\n\n".to_owned();
        for (version, [direct, regpass, all]) in ["1.1", "dev"].iter().zip(self.passed) {
            let _ = writeln!(text, "- {version}: {direct} of {all} requirements directly, {regpass} through regpass");
        }
        let _ =
            write!(text, "\n| requirement | version | direct | through regpass |\n|---|---|---|---|\n{}", self.rows);
        text
    }
}
