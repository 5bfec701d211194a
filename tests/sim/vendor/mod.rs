//! The APIs beside the distribution API over which vendors delete and list: GitHub's packages and Docker Hub's
//! repositories. They see the content and the users of one registry, and are as strict as the real ones.

mod hub;
mod packages;

use std::sync::Arc;

use super::server::Server;

pub use self::hub::HubApi;
pub use self::packages::{Owner, PackagesApi};

/// The name of these servers in the ledger.
const LEDGER_NAME: &str = "api";

/// The line of a registry's table that names the address of the API.
fn table_line(server: &Arc<Server>) -> String {
    format!("vendor_api = \"{}\"", server.origin())
}

/// The secret of `Authorization: Bearer`.
fn bearer(call: &super::Call) -> Option<String> {
    let (scheme, secret) = call.header("authorization")?.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| secret.to_owned())
}
