//! The AWS access key that signs requests: searched where AWS's own tools search, in their order, or obtained by
//! assuming a role.
//!
//! `reqsign` has a search of its own, which continues after a source that fails and may so sign with another account's
//! key. Here the first configured source that fails ends the search.

use std::io::ErrorKind;
use std::sync::Arc;

use http::header::CONTENT_TYPE;
use http::{HeaderMap, HeaderValue};
use reqsign_aws_core::{
    AssumeRoleWithWebIdentityCredentialProvider as WebIdentity, Credential as AccessKey, ECSCredentialProvider,
    EnvCredentialProvider, IMDSv2CredentialProvider, ProcessCredentialProvider, ProfileCredentialProvider,
    SSOCredentialProvider,
};
use reqsign_core::ProvideCredentialDyn;

use super::super::answer::xml_text;
use super::super::failure::{Failure, Step};
use super::endpoint::EcrEndpoint;
use super::reqsign_context::ReqsignContext;
use super::signed_request::SignedRequest;
use crate::credential::CredentialError;

/// An access key and where it was found.
#[derive(Debug)]
pub(super) struct FoundKey {
    pub(super) key: AccessKey,
    pub(super) source: String,
}

/// A source of access keys: its name, and the step that failures are reported as.
#[derive(Debug)]
struct Source {
    name: &'static str,
    step: Step,
}

impl Source {
    const fn new(name: &'static str, action: &'static str, hint: &'static str) -> Self {
        Self { name, step: Step::new(action, hint) }
    }
}

type Provider = Arc<dyn ProvideCredentialDyn<Credential = AccessKey>>;

/// Finds the access key. With a configured `profile` only that profile of the AWS files is searched.
pub(super) async fn find(
    reqsign: &ReqsignContext,
    endpoint: &EcrEndpoint,
    profile: Option<&str>,
) -> Result<FoundKey, Failure> {
    if profile.is_none()
        && let Some(found) = try_source(reqsign, &ENVIRONMENT, Arc::new(EnvCredentialProvider)).await?
    {
        return Ok(found);
    }
    let named = profile.map(ToOwned::to_owned).or_else(|| reqsign.variable("AWS_PROFILE"));
    let name = named.as_deref().unwrap_or("default");
    let aws_profile = Profile::read(reqsign, name).await?;
    aws_profile.check(named.is_some())?;
    let profile_sources: [(_, Provider); 3] = [
        (&FILES, Arc::new(ProfileCredentialProvider::new().with_profile(name))),
        (&SSO, Arc::new(SSOCredentialProvider::new().with_profile(name))),
        (&PROCESS, Arc::new(ProcessCredentialProvider::new().with_profile(name))),
    ];
    for (source, provider) in profile_sources {
        if let Some(found) = try_source(reqsign, source, provider).await? {
            return Ok(FoundKey { source: format!("{} of the profile {name}", found.source), ..found });
        }
    }
    if profile.is_some() {
        return Err(aws_profile.has_no_key().into());
    }
    let web_identity = WebIdentity::new().with_region(endpoint.region.to_string()).with_regional_sts_endpoint();
    let session = reqsign.variable("AWS_ROLE_SESSION_NAME").unwrap_or_else(|| SESSION_NAME.to_owned());
    let environment_sources: [(_, Provider); 2] = [
        (&WEB_IDENTITY, Arc::new(web_identity.with_role_session_name(session))),
        (&CONTAINER, Arc::new(ECSCredentialProvider::new())),
    ];
    for (source, provider) in environment_sources {
        if let Some(found) = try_source(reqsign, source, provider).await? {
            return Ok(found);
        }
    }
    let not_found =
        "found no AWS access key in the environment, the AWS files, a web identity or a container's endpoint";
    match try_source(reqsign, &INSTANCE, Arc::new(IMDSv2CredentialProvider::new())).await {
        Ok(Some(found)) => Ok(found),
        Ok(None) => Err(CredentialError::new(format!(
            "{not_found}; the metadata service is turned off by AWS_EC2_METADATA_DISABLED"
        ))
        .into()),
        Err(failure) => Err(CredentialError::new(format!("{not_found}; {}", failure.error)).into()),
    }
}

/// The key of one source; `None` if the source is not set up.
async fn try_source(
    reqsign: &ReqsignContext,
    source: &'static Source,
    provider: Provider,
) -> Result<Option<FoundKey>, Failure> {
    let failed = |why: &str| CredentialError::new(format!("{} failed: {why}", source.step.action)).into();
    match provider.provide_credential_dyn(&reqsign.context()).await {
        Ok(None) => Ok(None),
        Ok(Some(key)) if key.access_key_id.is_empty() || key.secret_access_key.is_empty() => {
            Err(failed("the response contains no access key"))
        }
        Ok(Some(key)) => Ok(Some(FoundKey { key, source: source.name.to_owned() })),
        Err(error) => {
            // After a colon, `reqsign` quotes its input, which may contain a secret.
            let message = error.to_string();
            let summary = message.split(':').next().unwrap_or_default();
            Err(reqsign.take_failure(&source.step).unwrap_or_else(|| failed(summary)))
        }
    }
}

/// Assumes a role with an access key (`AssumeRole` in the STS API reference). The role's key lasts an hour; regpass
/// signs one request with it.
pub(super) async fn assume_role(
    reqsign: &ReqsignContext,
    endpoint: &EcrEndpoint,
    key: &AccessKey,
    role: &str,
) -> Result<AccessKey, Failure> {
    let form = form_urlencoded::Serializer::new(String::new())
        .append_pair("Action", "AssumeRole")
        .append_pair("Version", "2011-06-15")
        .append_pair("RoleArn", role)
        .append_pair("RoleSessionName", SESSION_NAME)
        .finish();
    let content_type = HeaderValue::from_static("application/x-www-form-urlencoded");
    let request = SignedRequest {
        step: &ASSUMING_ROLE,
        variable_suffix: "STS",
        host: endpoint.sts_host(),
        region: &endpoint.region,
        service: "sts",
        headers: HeaderMap::from_iter([(CONTENT_TYPE, content_type)]),
        body: form,
    };
    let response = request.send(reqsign, key).await?;
    let text = String::from_utf8_lossy(&response.body);
    let part = |name: &str| xml_text(&text, name).filter(|text| !text.is_empty()).map(ToOwned::to_owned);
    match (part("AccessKeyId"), part("SecretAccessKey"), part("SessionToken")) {
        (Some(access_key_id), Some(secret_access_key), session_token @ Some(_)) => {
            Ok(AccessKey { access_key_id, secret_access_key, session_token, expires_in: None })
        }
        _ => Err(response.malformed("the response contains no access key")),
    }
}

/// A profile of the AWS files, read before the search to reject what regpass does not support.
#[derive(Debug)]
struct Profile {
    name: String,
    exists: bool,
    keys: Vec<String>,
    /// The paths of the credentials file and of the config file.
    files: [String; 2],
}

impl Profile {
    /// Reads the profile's keys from both files. A file that exists but cannot be read is an error: skipping it could
    /// select another account's key.
    async fn read(reqsign: &ReqsignContext, name: &str) -> Result<Self, CredentialError> {
        let [credentials, config] = reqsign.aws_files();
        let section = if name == "default" { name.to_owned() } else { format!("profile {name}") };
        let mut keys = None;
        for (file, section) in [(&credentials, name), (&config, &section)] {
            let text = match reqsign.read(file).await {
                Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                    return Err(CredentialError::new(format!("cannot read the AWS file {file}: {error}")));
                }
                outcome => outcome.unwrap_or_default(),
            };
            let found = keys_of(&String::from_utf8_lossy(&text), section);
            keys = keys.into_iter().chain(found).reduce(|all: Vec<String>, more| [all, more].concat());
        }
        let exists = keys.is_some();
        Ok(Self { name: name.to_owned(), exists, keys: keys.unwrap_or_default(), files: [credentials, config] })
    }

    /// Rejects a profile that was named but does not exist, and one with settings that regpass does not support:
    /// without them, the profile's key belongs to another account than the user expects.
    fn check(&self, is_named: bool) -> Result<(), CredentialError> {
        let name = &self.name;
        if is_named && !self.exists {
            let [credentials, config] = &self.files;
            return Err(CredentialError::new(format!(
                "there is no AWS profile {name} in {credentials} or {config}; correct its name or add it there"
            )));
        }
        let has = |key: &str| self.keys.iter().any(|known| known == key);
        let unsupported = ["role_arn", "source_profile", "credential_source", "web_identity_token_file"];
        let sso = Some("sso_session").filter(|key| has(key) && !has("sso_start_url"));
        let Some(key) = unsupported.into_iter().find(|key| has(key)).or(sso) else { return Ok(()) };
        let instead = if key == "sso_session" {
            format!(
                "add 'credential_process = aws configure export-credentials --profile {name}' to another profile and use that one"
            )
        } else {
            "set `role` of the registry's credential, and `profile` to the profile that assumes it".to_owned()
        };
        Err(CredentialError::new(format!(
            "the AWS profile {name} has {key}, which regpass does not support; {instead}"
        )))
    }

    fn has_no_key(&self) -> CredentialError {
        let name = &self.name;
        CredentialError::new(format!(
            "the AWS profile {name} has no access key, no SSO login and no credential_process; add one or name another profile"
        ))
    }
}

/// The names of the keys in a section of an AWS file; `None` if there is no such section.
fn keys_of(text: &str, section: &str) -> Option<Vec<String>> {
    let (mut keys, mut is_inside) = (None, false);
    for line in text.lines() {
        if let Some(header) = line.trim().strip_prefix('[').and_then(|rest| rest.split_once(']')) {
            is_inside = header.0.split_whitespace().eq(section.split_whitespace());
            if is_inside {
                keys.get_or_insert_with(Vec::new);
            }
        } else if let (true, Some((key, _)), Some(keys)) = (is_inside, line.split_once('='), &mut keys) {
            keys.push(key.trim().to_owned());
        }
    }
    keys
}

/// The session name that identifies regpass in the logs of the role's owner.
const SESSION_NAME: &str = "regpass";

const ENVIRONMENT: Source = Source::new("the key in $AWS_ACCESS_KEY_ID", "reading AWS_ACCESS_KEY_ID", "");
const FILES: Source = Source::new("the key", "reading the AWS files", "");
const SSO: Source =
    Source::new("the SSO login", "exchanging the SSO login for an access key", "log in again: aws sso login");
const PROCESS: Source = Source::new("the credential_process", "running the credential_process", "");
const WEB_IDENTITY: Source = Source::new(
    "the web identity in $AWS_WEB_IDENTITY_TOKEN_FILE",
    "assuming AWS_ROLE_ARN with the web identity",
    "check the trust policy of the role and the token in AWS_WEB_IDENTITY_TOKEN_FILE",
);
const CONTAINER: Source = Source::new(
    "the container's role",
    "requesting the access key of the container's role",
    "check which role the task or pod has",
);
const INSTANCE: Source = Source::new(
    "the instance's role",
    "requesting the access key of the instance's role",
    "check which role the instance has",
);
static ASSUMING_ROLE: Step = Step::new(
    "assuming the role (AssumeRole)",
    "check the trust policy of the role that the registry's credential names as `role`",
);

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "[default]\nregion = a\n# role_arn\n[profile dev]\nrole_arn=x\n  source_profile = default\n[ profile  sso ]\nsso_session = s\n";

    fn profile(name: &str, section: &str) -> Profile {
        let keys = keys_of(CONFIG, section);
        let files = ["credentials".to_owned(), "config".to_owned()];
        Profile { name: name.to_owned(), exists: keys.is_some(), keys: keys.unwrap_or_default(), files }
    }

    #[test]
    fn keys_of_finds_the_section_by_its_name() {
        assert_eq!(keys_of(CONFIG, "default").unwrap(), ["region"]);
        assert_eq!(keys_of(CONFIG, "profile dev").unwrap(), ["role_arn", "source_profile"]);
        assert_eq!(keys_of(CONFIG, "dev"), None);
    }

    #[test]
    fn a_missing_or_unsupported_profile_is_rejected() {
        assert!(profile("default", "default").check(false).is_ok() && profile("gone", "gone").check(false).is_ok());
        let error = |name, section| profile(name, section).check(true).unwrap_err().to_string();
        assert!(error("dev", "profile dev").contains("has role_arn, which regpass does not support; set `role`"));
        assert!(error("sso", "profile sso").contains("export-credentials --profile sso"));
        let missing = error("gone", "profile gone");
        assert!(missing.contains("no AWS profile gone in credentials or config"), "{missing}");
    }
}
