//! The requests of the distribution specification's conformance tests, as a table: each is sent to Debian's registry itself
//! and through regpass. Whatever the registry does right, it does right through regpass.
//!
//! The requests follow the workflows of the specification 1.1 (pull, push, content discovery, content management) and what
//! its `main` adds (ranges, other digest algorithms).

mod api;
mod management;
mod pull;
mod push;

use std::future::Future;
use std::pin::Pin;

use self::api::Api;
use crate::client_table::{Outcome, Row, write_rows};
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;

/// What a check found wrong.
type Verdict = Result<(), String>;
type Check = fn(Api) -> Pin<Box<dyn Future<Output = Verdict> + Send>>;

/// A table row: the name of a check, and the check.
macro_rules! checks {
    ($($function:ident),* $(,)?) => {
        pub(super) const CHECKS: &[(&str, $crate::conformance::Check)] =
            &[$((stringify!($function), |api| Box::pin($function(api)))),*];
    };
}
use checks;

#[tokio::test(flavor = "multi_thread")]
async fn what_a_registry_does_right_it_does_right_through_regpass() {
    let registry = Registry::start_htpasswd().await;
    let config = format!(
        "default_registry = \"registry.test\"\n[[listener]]\naddress = \"127.0.0.1:0\"\n[registry.\"registry.test\"]\n\
         url = \"http://{}\"\nallow = [\"pull\", \"push\", \"delete\"]\n\
         credential = {{ source = \"password\", username = \"{USER}\", password = \"{PASSWORD}\" }}\n",
        registry.address
    );
    let regpass = Regpass::start(&config).await;
    let mut rows = Vec::new();
    for (name, check) in [pull::CHECKS, push::CHECKS, management::CHECKS].concat() {
        let direct = check(Api::new(registry.address, &format!("direct/{name}"), Some((USER, PASSWORD)))).await;
        let through = check(Api::new(regpass.address, &format!("through/{name}"), None)).await;
        let outcome = |verdict: &Verdict| if verdict.is_ok() { Outcome::Works } else { Outcome::Fails };
        let notes: Vec<String> = [("direct", &direct), ("through regpass", &through)]
            .into_iter()
            .filter_map(|(side, verdict)| Some(format!("{side}: {}", verdict.as_ref().err()?)))
            .collect();
        rows.push(Row {
            client: "conformance requests".to_owned(),
            version: "1.1".to_owned(),
            operation: name.replace('_', " "),
            through_regpass: outcome(&through),
            direct: outcome(&direct),
            note: notes.join("; "),
        });
    }
    write_rows("conformance", &rows);
    let worse: Vec<&Row> =
        rows.iter().filter(|row| row.direct == Outcome::Works && row.through_regpass == Outcome::Fails).collect();
    assert!(worse.is_empty(), "right at the registry, wrong through regpass: {worse:#?}");
    let direct = rows.iter().filter(|row| row.direct == Outcome::Works).count();
    let through = rows.iter().filter(|row| row.through_regpass == Outcome::Works).count();
    assert!(direct > 20 && through > direct, "{through} of {} through regpass, {direct} direct: {rows:#?}", rows.len());
    regpass.stop();
}
