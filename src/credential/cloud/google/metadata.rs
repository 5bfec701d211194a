//! Access tokens from the metadata server of Google's machines
//! (<https://cloud.google.com/compute/docs/access/authenticate-workloads#applications>).

use http::{HeaderMap, HeaderName, HeaderValue};

use super::parse_token_response;
use crate::base::origin::Url;
use crate::credential::CredentialError;
use crate::credential::cloud::CloudContext;
use crate::credential::cloud::client::EndpointRequest;
use crate::credential::cloud::failure::{Failure, Step};
use crate::credential::cloud::leased::IssuedCredential;

const REQUESTING: Step = Step::new(
    "requesting an access token from Google's metadata server",
    "give the machine or pod a service account that may read the registry, or set key_file",
);

/// The access token of the machine's or pod's service account.
pub(super) async fn access_token(context: &CloudContext) -> Result<IssuedCredential, Failure> {
    let configured = HOST_VARIABLES.iter().find_map(|name| context.environment.variable(name));
    let host = configured.map_or("metadata.google.internal", |host| host.expose());
    let url = Url::parse(&format!("http://{host}/computeMetadata/v1/instance/service-accounts/default/token"))
        .map_err(|why| CredentialError::new(format!("{} is not a host name: {why}", HOST_VARIABLES.join(" or "))))?;
    let flavor = (HeaderName::from_static("metadata-flavor"), HeaderValue::from_static("Google"));
    let request =
        EndpointRequest::get(&REQUESTING, &url, HeaderMap::from_iter([flavor])).with_unreachable_hint(UNREACHABLE_HINT);
    parse_token_response(&context.client.send(request).await?, format!("Google's metadata server at {host}"))
}

/// The first of these that is set names the host, optionally with a port.
const HOST_VARIABLES: &[&str] = &["GCE_METADATA_HOST", "GCE_METADATA_ROOT", "GCE_METADATA_IP"];

const UNREACHABLE_HINT: &str =
    "outside Google's machines set key_file, or log in: gcloud auth application-default login";
