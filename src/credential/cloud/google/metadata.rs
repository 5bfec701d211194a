//! The metadata server of Google's machines.

use http::{HeaderMap, HeaderName, HeaderValue};

use super::lent;
use crate::base::origin::Url;
use crate::credential::CredentialError;
use crate::credential::cloud::Surroundings;
use crate::credential::cloud::client::Question;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::Lent;

/// Where it is when it is elsewhere: a host, with a port or without.
pub(in super::super) const VARIABLES: &[&str] = &["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"];

const ASKING: Step = Step {
    doing: "asking Google's metadata server",
    hint: "give the machine or pod a service account that may read the registry, or name a key_file",
};

pub(super) async fn access_token(surroundings: &Surroundings) -> Result<Lent, Failure> {
    let elsewhere = VARIABLES.iter().find_map(|name| surroundings.environment.variable(name));
    let host = elsewhere.map_or("metadata.google.internal", |host| host.expose());
    let url = Url::parse(&format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token"))
        .map_err(|why| CredentialError::new(format!("GCE_METADATA_HOST names no host: {why}")))?;
    let flavor = (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
    let question = Question::get(&ASKING, &url, HeaderMap::from_iter([flavor]));
    let answer = surroundings.clouds.ask(question).await?;
    Ok(lent(
        answer.token("access_token")?,
        answer.lifetime("expires_in")?,
        format!("Google's metadata server at {host}"),
    ))
}
