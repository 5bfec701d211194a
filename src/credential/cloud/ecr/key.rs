//! The key that signs: found where the vendor's tools find one, in their order.
//!
//! `reqsign`'s own chain goes on to the next place when one fails, and would sign as somebody else then; here the first
//! place that is configured and fails ends the search.

use std::sync::Arc;

use reqsign_aws_core::{
    AssumeRoleWithWebIdentityCredentialProvider as WebIdentity, Credential as Key, ECSCredentialProvider,
    EnvCredentialProvider, IMDSv2CredentialProvider, ProcessCredentialProvider, ProfileCredentialProvider,
    SSOCredentialProvider,
};
use reqsign_core::ProvideCredentialDyn;

use super::super::failure::{Failure, Step};
use super::files;
use super::outside::Outside;
use super::place::Place;
use super::role::SESSION;
use crate::credential::CredentialError;

/// A key and where it was found.
#[derive(Debug)]
pub(super) struct FoundKey {
    pub(super) key: Key,
    pub(super) source: String,
}

/// A place to look at, for messages, and the step that it is.
#[derive(Debug)]
struct Source {
    name: &'static str,
    step: Step,
}

type Provider = Arc<dyn ProvideCredentialDyn<Credential = Key>>;

/// The key of this profile, or else of whatever the surroundings are set up for.
pub(super) async fn find(outside: &Outside, place: &Place, profile: Option<&str>) -> Result<FoundKey, Failure> {
    if profile.is_none()
        && let Some(found) = ask(outside, &ENVIRONMENT, Arc::new(EnvCredentialProvider)).await?
    {
        return Ok(found);
    }
    let named = profile.map(ToOwned::to_owned).or_else(|| outside.text("AWS_PROFILE"));
    let name = named.as_deref().unwrap_or("default");
    let written = files::Profile::read(outside, name).await?;
    written.check(named.is_some())?;
    let of_profile: [(_, Provider); 3] = [
        (&FILES, Arc::new(ProfileCredentialProvider::new().with_profile(name))),
        (&SSO, Arc::new(SSOCredentialProvider::new().with_profile(name))),
        (&PROCESS, Arc::new(ProcessCredentialProvider::new().with_profile(name))),
    ];
    for (source, provider) in of_profile {
        if let Some(found) = ask(outside, source, provider).await? {
            return Ok(FoundKey { source: format!("{} of the profile {name}", found.source), ..found });
        }
    }
    if profile.is_some() {
        return Err(written.lacks_a_key().into());
    }
    let web_identity = WebIdentity::new().with_region(place.region.to_string()).with_regional_sts_endpoint();
    let session = outside.text("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION.to_owned());
    let around: [(_, Provider); 2] = [
        (&WEB_IDENTITY, Arc::new(web_identity.with_role_session_name(session))),
        (&CONTAINER, Arc::new(ECSCredentialProvider::new())),
    ];
    for (source, provider) in around {
        if let Some(found) = ask(outside, source, provider).await? {
            return Ok(found);
        }
    }
    let nowhere = "found no AWS key in the environment, the shared files, a web identity or a container's endpoint";
    match ask(outside, &INSTANCE, Arc::new(IMDSv2CredentialProvider::new())).await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(CredentialError::new(format!("{nowhere}; the metadata service is turned off")).into()),
        Err(failure) => Err(CredentialError::new(format!("{nowhere}; {}", failure.error)).into()),
    }
}

async fn ask(outside: &Outside, source: &'static Source, provider: Provider) -> Result<Option<FoundKey>, Failure> {
    let broken = |why: &str| CredentialError::new(format!("{} failed: {why}", source.step.doing)).into();
    match provider.provide_credential_dyn(&outside.context()).await {
        Ok(None) => Ok(None),
        Ok(Some(key)) if key.access_key_id.is_empty() || key.secret_access_key.is_empty() => {
            Err(broken("its answer holds no key"))
        }
        Ok(Some(key)) => Ok(Some(FoundKey { key, source: source.name.to_owned() })),
        Err(error) => {
            // Behind a colon it quotes what it was given.
            let says = error.to_string();
            let own = says.split(':').next().unwrap_or_default();
            Err(outside.trouble(&source.step).unwrap_or_else(|| broken(own)))
        }
    }
}

const ENVIRONMENT: Source =
    Source { name: "the key in $AWS_ACCESS_KEY_ID", step: Step { doing: "reading AWS_ACCESS_KEY_ID", hint: "" } };
const FILES: Source = Source { name: "the key", step: Step { doing: "reading the AWS files", hint: "" } };
const SSO: Source = Source {
    name: "the SSO login",
    step: Step { doing: "turning the SSO login into a key", hint: "log in again: aws sso login" },
};
const PROCESS: Source =
    Source { name: "the credential_process", step: Step { doing: "running the credential_process", hint: "" } };
const WEB_IDENTITY: Source = Source {
    name: "the web identity in $AWS_WEB_IDENTITY_TOKEN_FILE",
    step: Step {
        doing: "assuming AWS_ROLE_ARN with the web identity",
        hint: "see the trust policy of the role, and the token in AWS_WEB_IDENTITY_TOKEN_FILE",
    },
};
const CONTAINER: Source = Source {
    name: "the container's role",
    step: Step { doing: "asking for the key of the container's role", hint: "see which role the task or pod has" },
};
const INSTANCE: Source = Source {
    name: "the instance's role",
    step: Step { doing: "asking for the key of the instance's role", hint: "see which role the instance has" },
};
