//! The specification's own suite, built from a checkout.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use super::run::Target;
use crate::process::{output_within, program, unchecked_output};

/// The lines of the report, and the tests that pass directly and not through regpass.
pub(super) struct SuiteReport {
    pub(super) text: String,
    pub(super) faults: Vec<String>,
}

/// Builds the suite in `checkout`, and runs it against both targets: in the versions 1.1 and dev, or, for a checkout of
/// version 1.1.1 and before, as it is.
pub(super) async fn run(checkout: &Path, targets: &[Target; 2]) -> SuiteReport {
    let home = tempfile::tempdir().expect("a directory for the suite");
    let binary = home.path().join("suite");
    let is_program = checkout.join("main.go").exists();
    let mut go = program("go", home.path());
    go.args(if is_program { &["build"][..] } else { &["test", "-c"] }).arg("-o").arg(&binary).arg(".");
    go.envs(std::env::vars().filter(|(name, _)| name.starts_with("GO"))).current_dir(checkout);
    output_within(std::time::Duration::from_secs(600), &mut go).await;

    let mut report = SuiteReport { text: String::new(), faults: Vec::new() };
    let versions: &[&str] = if is_program { &["1.1", "dev"] } else { &["1.1.1 and before"] };
    for version in versions {
        let mut results = Vec::new();
        for target in targets {
            let folder = home.path().join(format!("{version} {}", target.name));
            fs::create_dir(&folder).expect("a directory for the results");
            let mut suite = program(&binary, home.path());
            suite.current_dir(&folder).envs(variables(target, version, &folder));
            // It exits with 1 if a test fails.
            unchecked_output(&mut suite).await;
            let junit = fs::read_to_string(folder.join("junit.xml")).expect("the suite writes junit.xml");
            results.push(test_results(&junit));
        }
        report.add(version, &results[0], &results[1]);
    }
    report
}

fn variables(target: &Target, version: &str, folder: &Path) -> Vec<(&'static str, String)> {
    let (user, password) = target.credential.unwrap_or_default();
    let repository = format!("suite/{}/{}", target.name, version.replace(' ', "-"));
    let folder = folder.display().to_string();
    let mut variables = vec![
        // The suite of the main branch.
        ("OCI_VERSION", version.to_owned()),
        ("OCI_RESULTS_DIR", folder.clone()),
        ("OCI_REGISTRY", target.host.clone()),
        ("OCI_TLS", "disabled".to_owned()),
        ("OCI_REPO1", format!("{repository}/one")),
        ("OCI_REPO2", format!("{repository}/two")),
        ("OCI_USERNAME", user.to_owned()),
        ("OCI_PASSWORD", password.to_owned()),
        // The suite of version 1.1.1.
        ("OCI_ROOT_URL", format!("http://{}", target.host)),
        ("OCI_NAMESPACE", format!("{repository}/one")),
        ("OCI_CROSSMOUNT_NAMESPACE", format!("{repository}/two")),
        ("OCI_REPORT_DIR", folder),
    ];
    let parts = ["OCI_TEST_PULL", "OCI_TEST_PUSH", "OCI_TEST_CONTENT_DISCOVERY", "OCI_TEST_CONTENT_MANAGEMENT"];
    variables.extend(parts.map(|part| (part, "1".to_owned())));
    variables
}

/// Whether each test passed, by its name. A name that several tests have passed if all of them did. Skipped tests are left
/// out.
fn test_results(junit: &str) -> BTreeMap<String, bool> {
    let mut results = BTreeMap::new();
    for test in junit.split("<testcase ").skip(1) {
        let attribute = |name: &str| {
            let (_, rest) = test.split_once(&format!("{name}=\""))?;
            rest.split_once('"').map(|(value, _)| value.to_owned())
        };
        let (Some(name), Some(status)) = (attribute("name"), attribute("status")) else { continue };
        // One suite writes "failed", the other "failure".
        if matches!(&*status, "passed" | "failed" | "failure" | "error") {
            *results.entry(name).or_insert(true) &= status == "passed";
        }
    }
    results
}

impl SuiteReport {
    fn add(&mut self, version: &str, direct: &BTreeMap<String, bool>, regpass: &BTreeMap<String, bool>) {
        let passed = |results: &BTreeMap<String, bool>| results.values().filter(|passed| **passed).count();
        let _ = write!(
            self.text,
            "\n## The specification's suite, {version}\n\nDirectly {} of {} tests pass, through regpass {} of {}. Those that fail through regpass:\n\n",
            passed(direct),
            direct.len(),
            passed(regpass),
            regpass.len()
        );
        for (name, passes) in regpass {
            let passes_directly = direct.get(name).copied();
            if !passes {
                let word = if passes_directly == Some(true) { "passes" } else { "fails, too" };
                let _ = writeln!(self.text, "- {name} (directly: {word})");
            }
            if !passes && passes_directly == Some(true) {
                self.faults.push(format!("{name} of the suite {version} passes directly, but not through regpass"));
            }
        }
        if passed(regpass) < passed(direct) {
            self.faults.push(format!("the suite {version} has fewer passes through regpass"));
        }
    }
}
