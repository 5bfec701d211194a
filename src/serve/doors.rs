//! What listeners are made of beside their keys: certificates and lists of users, read with the configuration.

use std::sync::Arc;

use crate::base::clock::WallClock;
use crate::clients::htpasswd;
use crate::config::model::{ClientRule, Config, Listener, ServerCertificate};
use crate::config::problem::{Problem, Problems};
use crate::net::server_tls::ServerTls;

/// The TLS of each listener that has some, in the order of [`Config::all_listeners`].
pub type ListenerTls = Vec<Option<Arc<ServerTls>>>;

/// Reads the files that listeners name, or says what is wrong with each of them.
///
/// A list of users is followed while it is used, and what it said last stays in force; here it has to be right, because
/// there is nothing that it said before.
pub fn read_listeners(config: &Config) -> Result<ListenerTls, Problems> {
    let mut problems = Problems::default();
    let mut report = |key: String, what: String, hint: &str| {
        let problem = Problem { file: config.file.clone(), key, what, hint: hint.to_owned(), ..Problem::default() };
        // Both addresses of `localhost` are one listener to whoever wrote it.
        if !problems.0.contains(&problem) {
            problems.0.push(problem);
        }
    };
    let mut tls = Vec::new();
    for (name, listener) in named(config) {
        if let Some(ClientRule::Htpasswd(file)) = &listener.clients
            && let Err(error) = htpasswd::read(file)
        {
            report(format!("{name}.clients.htpasswd"), error.what, "make one with: htpasswd -B -c FILE USER");
        }
        let read = tls_of(listener);
        if let Some(Err(bad)) = &read {
            let what = format!("the file {} cannot be used: {}", bad.file, bad.why);
            report(
                format!("{name}.tls"),
                what,
                "name readable PEM files: a certificate, its key, authorities of clients",
            );
        }
        tls.push(read.and_then(Result::ok).map(Arc::new));
    }
    if problems.0.is_empty() { Ok(tls) } else { Err(problems) }
}

/// What works and yet is hardly meant.
pub fn remarks(config: &Config, tls: &ListenerTls) -> Vec<Problem> {
    let mut remarks = Vec::new();
    for ((name, listener), tls) in named(config).zip(tls) {
        if listener.shows_logins() {
            remarks.push(Problem {
                file: config.file.clone(),
                key: format!("{name}.clients"),
                what: format!("logins at {} cross the network for all to read", listener.address),
                hint: "add tls = { certificate = \"…\", key = \"…\" }, unless something in front of it encrypts"
                    .to_owned(),
                ..Problem::default()
            });
        }
        let (Some(ServerCertificate { certificate, .. }), Some(tls)) = (&listener.tls, tls) else { continue };
        for remark in tls.remarks(WallClock::System) {
            remarks.push(Problem {
                file: config.file.clone(),
                key: format!("{name}.tls.certificate"),
                what: format!("{}: {remark}", certificate.display()),
                hint: "put a new certificate into the file; it is taken up at once".to_owned(),
                ..Problem::default()
            });
        }
    }
    remarks.dedup();
    remarks
}

fn tls_of(listener: &Listener) -> Option<Result<ServerTls, crate::net::pem::BadTlsFile>> {
    let ServerCertificate { certificate, key } = listener.tls.as_ref()?;
    let authorities = match &listener.clients {
        Some(ClientRule::MutualTls(authorities)) => Some(authorities.as_path()),
        _ => None,
    };
    Some(ServerTls::read(certificate, key, authorities))
}

/// The listeners, each with its table's name.
fn named(config: &Config) -> impl Iterator<Item = (&'static str, &Listener)> {
    let admin = config.admin.iter().map(|admin| ("admin", &admin.listener));
    config.listeners.iter().map(|listener| ("listener", listener)).chain(admin)
}
