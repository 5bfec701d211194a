//! Client libraries that few people use: each runs everything that it can do, through regpass without credentials and
//! directly at a registry with credentials.
//!
//! A driver in the library's language (`pypi`, `npm`, `oci_client`) reports each operation separately. The outcomes must be
//! those of `expected.tsv` in the driver's folder, where each failure has its reason. `REGPASS_WRITE_DOCS=1` writes these
//! files anew; the reasons of new failures must then be added by hand.

mod testbed;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use tokio::process::Command;

use crate::client_table::{Outcome, Row, lines, write_rows};
use crate::process::{program, stdout, venv_program};
use testbed::Testbed;

const PYPI: [&str; 11] = [
    "aioregistry",
    "azure-containerregistry",
    "containerimage-py",
    "coregio",
    "crpy",
    "derpy-tool",
    "docker-charon",
    "opencontainers",
    "oras",
    "python-dxf",
    "registry-api-v2-client",
];

const NPM: [&str; 5] = [
    "@azure/container-registry",
    "@renovatebot/docker-registry-client",
    "@snyk/docker-registry-v2-client",
    "docker-registry-client",
    "oci-registry-client",
];

/// What a driver prints: a package's version and the outcomes of its operations.
#[derive(Debug, Deserialize)]
struct Report {
    version: String,
    operations: Vec<Operation>,
}

/// An operation, with the error messages of its failures.
#[derive(Debug, Deserialize)]
struct Operation {
    name: String,
    through_regpass: Option<String>,
    direct: Option<String>,
}

#[tokio::test]
async fn packages_of_pypi() {
    let testbed = Testbed::start().await;
    let folder = folder("pypi");
    let driver = |package: &str| {
        let mut python = program(venv_program("pypi", "python"), testbed.home());
        // Without the script's folder among those where Python looks for packages: its files have the same names.
        python.arg("-P").arg(folder.join("driver.py")).arg(package);
        python
    };
    run("PyPI", &folder, &PYPI, &testbed, driver).await;
}

#[tokio::test]
async fn packages_of_npm() {
    let testbed = Testbed::start().await;
    let folder = folder("npm");
    let driver = |package: &str| {
        let mut node = program("node", testbed.home());
        node.env("NODE_PATH", installed("npm/node_modules"));
        node.arg(folder.join("driver.mjs")).arg(package);
        node
    };
    run("npm", &folder, &NPM, &testbed, driver).await;
}

#[tokio::test]
async fn crate_oci_client() {
    let testbed = Testbed::start().await;
    let driver = |_: &str| program(installed("oci_client/debug/driver"), testbed.home());
    run("crate", &folder("oci_client"), &["oci-client"], &testbed, driver).await;
}

/// Runs the driver for each package and compares the outcomes with `expected.tsv` in the driver's folder.
async fn run(registry: &str, folder: &Path, packages: &[&str], testbed: &Testbed, driver: impl Fn(&str) -> Command) {
    let file = folder.join("expected.tsv");
    let text = fs::read_to_string(&file).expect("expected.tsv");
    let expected: Vec<Row> = text.lines().map(Row::parse).collect();
    let mut rows = Vec::new();
    let mut errors = Vec::new();
    for package in packages {
        let mut driver = driver(package);
        testbed.describe(&mut driver);
        let report: Report = serde_json::from_str(&stdout(&mut driver).await).expect("the driver's report");
        for operation in &report.operations {
            let row = operation.row(&format!("{registry} {package}"), &report.version, &expected);
            errors.extend(operation.through_regpass.iter().map(|error| format!("{row}: through regpass: {error}")));
            errors.extend(operation.direct.iter().map(|error| format!("{row}: direct: {error}")));
            rows.push(row);
        }
    }
    write_rows(&format!("little-{registry}"), &rows);

    let errors = errors.join("\n");
    if std::env::var_os("REGPASS_WRITE_DOCS").is_some() {
        fs::write(file, lines(&rows)).expect("expected.tsv is written");
        writeln!(std::io::stderr(), "{errors}").ok();
        return;
    }
    assert_eq!(lines(&rows), text, "{} has other outcomes; the errors are\n{errors}", file.display());
    let is_unexplained = |row: &&Row| row.note.is_empty() && [row.through_regpass, row.direct] != [Outcome::Works; 2];
    let unexplained: Vec<&Row> = rows.iter().filter(is_unexplained).collect();
    assert!(unexplained.is_empty(), "failures without a reason in {}: {unexplained:?}\n{errors}", file.display());
}

impl Operation {
    /// The operation as a row of the table, with the reason that the expected row gives.
    fn row(&self, client: &str, version: &str, expected: &[Row]) -> Row {
        let same = expected.iter().find(|row| row.client == client && row.operation == self.name);
        let outcome = |error: &Option<String>| if error.is_none() { Outcome::Works } else { Outcome::Fails };
        Row {
            client: client.to_owned(),
            version: version.to_owned(),
            operation: self.name.clone(),
            through_regpass: outcome(&self.through_regpass),
            direct: outcome(&self.direct),
            note: same.map(|row| row.note.clone()).unwrap_or_default(),
        }
    }
}

/// A folder of these tests.
fn folder(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/clients/little").join(name)
}

/// A file that `tests/run` installs or builds.
fn installed(name: &str) -> PathBuf {
    Path::new(env!("CARGO_TARGET_TMPDIR")).join(name)
}
