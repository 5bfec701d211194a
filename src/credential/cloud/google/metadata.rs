//! The metadata server of Google's machines
//! (<https://cloud.google.com/compute/docs/access/authenticate-workloads#applications>).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::granted;
use crate::base::origin::Url;
use crate::credential::CredentialError;
use crate::credential::cloud::Surroundings;
use crate::credential::cloud::client::Question;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::Lent;

const ASKING: Step = Step {
    doing: "asking Google's metadata server",
    hint: "give the machine or pod a service account that may read the registry, or name a key_file",
};

pub(super) async fn access_token(surroundings: &Surroundings) -> Result<Lent, Failure> {
    let elsewhere = ELSEWHERE.iter().find_map(|name| surroundings.environment.variable(name));
    let host = elsewhere.map_or("metadata.google.internal", |host| host.expose());
    let url = Url::parse(&format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token"))
        .map_err(|why| CredentialError::new(format!("GCE_METADATA_HOST names no host: {why}")))?;
    let flavor = (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
    let question = Question::get(&ASKING, &url, HeaderMap::from_iter([flavor])).or(ELSE);
    granted(&surroundings.clouds.ask(question).await?, format!("Google's metadata server at {host}"))
}

/// A host, with a port or without.
const ELSEWHERE: &[&str] = &["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"];

const ELSE: &str = "outside Google's machines name a key_file, or log in: gcloud auth application-default login";
