//! The files of listeners: certificates, keys and htpasswd files, read with the configuration.

use std::sync::Arc;

use crate::base::clock::WallClock;
use crate::clients::htpasswd_file;
use crate::config::model::{CertificateFiles, ClientRule, Config, Listener};
use crate::config::problem::{Problem, Problems};
use crate::listen::tls::ServerTls;

/// The TLS of each listener, `None` without TLS, in the order of [`Config::all_listeners`].
pub type ListenerTls = Vec<Option<Arc<ServerTls>>>;

/// Reads the files that listeners name, or returns the problems of all of them.
///
/// An htpasswd file has to be valid whenever a configuration is loaded. If it becomes invalid between two loads, its
/// last valid content stays in use.
pub fn read_listeners(config: &Config) -> Result<ListenerTls, Problems> {
    let mut problems = Problems::default();
    let mut report = |key: String, what: String, hint: &str| {
        let problem = Problem { file: config.file.clone(), key, what, hint: hint.to_owned(), ..Problem::default() };
        // A listener at `localhost` is two listeners here, one for IPv4 and one for IPv6, with the same problems.
        if !problems.0.contains(&problem) {
            problems.0.push(problem);
        }
    };
    let mut tls = Vec::new();
    for (name, listener) in named(config) {
        if let Some(ClientRule::Htpasswd(file)) = &listener.clients
            && let Err(error) = htpasswd_file::read(file)
        {
            report(format!("{name}.clients.htpasswd"), error.to_string(), "create one with: htpasswd -B -c FILE USER");
        }
        let outcome = read_tls(listener);
        if let Some(Err(bad)) = &outcome {
            let what = format!("cannot use the file {}: {}", bad.file, bad.why);
            report(
                format!("{name}.tls"),
                what,
                "name readable PEM files: a certificate, its key, the authorities of client certificates",
            );
        }
        tls.push(outcome.and_then(Result::ok).map(Arc::new));
    }
    if problems.0.is_empty() { Ok(tls) } else { Err(problems) }
}

/// Warnings about settings that work but are probably not intended.
pub fn warnings(config: &Config, tls: &ListenerTls) -> Vec<Problem> {
    let mut warnings = Vec::new();
    for ((name, listener), tls) in named(config).zip(tls) {
        if listener.has_unencrypted_credentials() {
            warnings.push(Problem {
                file: config.file.clone(),
                key: format!("{name}.clients"),
                what: format!("clients of {} send their credentials unencrypted", listener.address),
                hint: "add tls = { certificate = \"…\", key = \"…\" }, unless a proxy in front of regpass encrypts"
                    .to_owned(),
                ..Problem::default()
            });
        }
        let (Some(CertificateFiles { certificate, .. }), Some(tls)) = (&listener.tls, tls) else { continue };
        for remark in tls.certificate_warnings(WallClock::System) {
            warnings.push(Problem {
                file: config.file.clone(),
                key: format!("{name}.tls.certificate"),
                what: format!("{}: {remark}", certificate.display()),
                hint: "replace the certificate in the file; it is loaded within seconds".to_owned(),
                ..Problem::default()
            });
        }
    }
    warnings.dedup();
    warnings
}

fn read_tls(listener: &Listener) -> Option<Result<ServerTls, crate::net::pem::BadTlsFile>> {
    let CertificateFiles { certificate, key } = listener.tls.as_ref()?;
    let authorities = match &listener.clients {
        Some(ClientRule::MutualTls(authorities)) => Some(authorities.as_path()),
        _ => None,
    };
    Some(ServerTls::read(certificate, key, authorities))
}

/// The listeners, each with the name of its table in the configuration.
fn named(config: &Config) -> impl Iterator<Item = (&'static str, &Listener)> {
    let admin = config.admin.iter().map(|admin| ("admin", &admin.listener));
    config.listeners.iter().map(|listener| ("listener", listener)).chain(admin)
}
