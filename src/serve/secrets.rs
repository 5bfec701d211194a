//! Files of secrets that a configuration names and that are not there: no mistake, because they may come, but hardly meant.

use std::path::Path;

use crate::config::model::{ClientRule, Config, CredentialSource, SecretSource};
use crate::config::problem::Problem;

/// One remark for each secret whose file does not exist; blocking.
pub(super) fn remarks(config: &Config) -> Vec<Problem> {
    let mut remarks: Vec<Problem> = Vec::new();
    for (key, file) in files(config) {
        if !matches!(file.try_exists(), Ok(false)) {
            continue;
        }
        let remark = Problem {
            file: config.file.clone(),
            key,
            what: format!("{} does not exist", file.display()),
            hint: "create it or correct the path; it is looked for again all the time".to_owned(),
            ..Problem::default()
        };
        // Where listeners share a rule, or both addresses of `localhost` are one.
        if !remarks.contains(&remark) {
            remarks.push(remark);
        }
    }
    remarks
}

/// The files of secrets, each with its key.
fn files(config: &Config) -> impl Iterator<Item = (String, &Path)> {
    let defaults = of_credential("credential", &config.defaults.credential);
    let registries = config.registries.iter().flat_map(|registry| {
        let table = format!("registry.\"{}\"", registry.pattern);
        let own = registry.credential != config.defaults.credential;
        let own = own.then(|| of_credential(&format!("{table}.credential"), &registry.credential));
        let identities = registry.identities.iter().enumerate().flat_map(move |(at, identity)| {
            of_credential(&format!("{table}.identity[{at}].credential"), &identity.credential)
        });
        own.into_iter().flatten().chain(identities)
    });
    let uploads =
        config.upload_keys.iter().enumerate().filter_map(|(at, secret)| of(format!("upload_key[{at}]"), secret));
    let listeners = config.all_listeners().filter_map(|listener| match &listener.clients {
        Some(ClientRule::Bearer(secret)) => of("listener.clients.bearer".to_owned(), secret),
        _ => None,
    });
    defaults.into_iter().chain(registries).chain(uploads).chain(listeners)
}

fn of_credential<'a>(key: &str, credential: &'a CredentialSource) -> Vec<(String, &'a Path)> {
    let secrets = match credential {
        CredentialSource::Password { username, password } => vec![("username", username), ("password", password)],
        CredentialSource::Identity { token, username } => {
            username.iter().map(|username| ("username", username)).chain([("token", token)]).collect()
        }
        CredentialSource::Bearer { token } => vec![("token", token)],
        CredentialSource::Docker { file: Some(file) } => return vec![(format!("{key}.file"), file)],
        CredentialSource::Anonymous
        | CredentialSource::Docker { file: None }
        | CredentialSource::Helper { .. }
        | CredentialSource::Cloud(_) => Vec::new(),
    };
    secrets.into_iter().filter_map(|(word, secret)| of(format!("{key}.{word}"), secret)).collect()
}

fn of(key: String, secret: &SecretSource) -> Option<(String, &Path)> {
    match secret {
        SecretSource::File(file) => Some((key, file)),
        SecretSource::Value { .. } => None,
    }
}
