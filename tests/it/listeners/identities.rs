//! Identities per client: each client uses its own registry credential, and tokens are not shared.

use std::sync::Arc;

use regpass::listen::connection::{ListenerService, serve_stream_from};
use regpass::listen::peer::{ClientCertificate, Peer};
use regpass::proxy::{self, listener::ListenerContext};

use super::connections::exchange;
use super::{Files, basic, get};
use crate::harness::{Regpass, Reply, client_auth, parse_config, single_registry_config};
use crate::sim::{Image, ImageFormat, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";

/// A registry with the users that [`identities`] names.
async fn start_registry() -> (Sim, Registry) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::generic()).await;
    for user in ["own", "forall", "foralice", "forci", "foruid"] {
        registry.add_user(user, &format!("{user} secret"));
    }
    registry.publish_private("team/app", "1", &Image::single("app", ImageFormat::Oci));
    (sim, registry)
}

/// The configuration of a registry whose credential depends on client and repository.
fn identities(registry: &Registry) -> String {
    let credential = |user: &str| {
        format!("credential = {{ source = \"password\", username = \"{user}\", password = \"{user} secret\" }}")
    };
    let identity = |keys: &str, user: &str| {
        format!("[[registry.\"{}\".identity]]\n{keys}\n{}\n", registry.authority(), credential(user))
    };
    [
        credential("own"),
        identity("repositories = [\"team/app\"]", "forall"),
        identity("clients = [\"alice\"]\nrepositories = [\"team/**\"]", "foralice"),
        identity("clients = [\"ci\", \"bearer\"]", "forci"),
        identity("clients = [\"uid:1000\"]", "foruid"),
    ]
    .join("\n")
}

/// The requests of a pull that fetches the token of this number.
fn token_and_pull(user: &str, number: usize) -> Vec<String> {
    vec![
        format!("token GET /token?service=generic.test&scope=repository:team/app:pull basic:{user} 200"),
        format!("registry GET /v2/team/app/manifests/1 bearer#{number} 200"),
    ]
}

#[track_caller]
fn expect(sim: &Sim, lines: &[String]) {
    sim.ledger().expect(&lines.iter().map(String::as_str).collect::<Vec<_>>());
}

#[tokio::test(start_paused = true)]
async fn each_client_uses_its_own_credential_and_tokens() {
    let files = Files::new();
    let (sim, registry) = start_registry().await;
    let users = files.htpasswd(&[("alice", "a"), ("ci", "c"), ("bob", "b"), ("bearer", "x"), ("own", "o")]);
    let listener = format!("[[listener]]\naddress = \"127.0.0.1:5050\"\n{users}\n");
    let regpass = Regpass::start(&sim, &(single_registry_config(&registry, &identities(&registry)) + &listener));
    let pull = async |user: &str, password: &str| {
        let reply = regpass.send(get(APP, Some(&basic(user, password)))).await;
        assert_eq!(reply.status, 200, "{user}: {reply:?}");
        reply.authorization_source().to_owned()
    };
    pull("bob", "b").await;
    let lines = sim.ledger().lines();
    assert!(
        lines.iter().any(|line| line.contains("basic:forall 200")),
        "clients without their own identity use the common one: {lines:?}"
    );
    sim.ledger().take();
    for (number, (user, password, registry_user)) in (2..).zip([("alice", "a", "foralice"), ("ci", "c", "forci")]) {
        assert_eq!(pull(user, password).await, "fetched", "{user}");
        expect(&sim, &token_and_pull(registry_user, number));
    }
    // A user named `bearer` is not the client with the bearer secret.
    assert_eq!(pull("bearer", "x").await, "cached");
    sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#1 200"]);
    for (user, password, number) in [("alice", "a", 2), ("bob", "b", 1), ("ci", "c", 3), ("own", "o", 1)] {
        assert_eq!(pull(user, password).await, "cached", "{user}");
        expect(&sim, &[format!("registry GET /v2/team/app/manifests/1 bearer#{number} 200")]);
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn client_identities_do_not_apply_at_an_unauthenticated_listener() {
    let (sim, registry) = start_registry().await;
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, &identities(&registry)));
    // Without client authentication the Authorization is ignored.
    for authorization in [None, Some(basic("alice", "a")), Some("Bearer x".to_owned())] {
        assert_eq!(regpass.send(get(APP, authorization.as_deref())).await.status, 200);
    }
    let tokens: Vec<String> = sim.ledger().lines().into_iter().filter(|line| line.starts_with("token")).collect();
    assert_eq!(tokens.len(), 1, "{tokens:?}");
    assert!(tokens[0].contains("basic:forall"), "{tokens:?}");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn denial_of_one_client_does_not_affect_another() {
    let files = Files::new();
    let (sim, registry) = start_registry().await;
    registry.add_user("foralice", "changed since");
    let listener =
        format!("[[listener]]\naddress = \"127.0.0.1:5050\"\n{}\n", files.htpasswd(&[("alice", "a"), ("ci", "c")]));
    let regpass = Regpass::start(&sim, &(single_registry_config(&registry, &identities(&registry)) + &listener));
    for _ in 0..2 {
        let denied = regpass.send(get(APP, Some(&basic("alice", "a")))).await;
        assert_eq!(denied.status, 403, "{denied:?}");
        assert_eq!(denied.header("www-authenticate"), None, "the client credential is valid");
        assert_eq!(regpass.send(get(APP, Some(&basic("ci", "c")))).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn bearer_secret_uid_and_certificate_select_the_identity() {
    let (sim, registry) = start_registry().await;
    let with_certificate =
        |name: &str| Peer { certificate: Some(ClientCertificate { name: Some(name.into()) }), ..Peer::default() };
    let with_uid = |uid| Peer { uid: Some(uid), ..Peer::default() };
    let tls = "tls = { certificate = \"/c\", key = \"/k\" }\nclients = { mtls_ca = \"/ca\" }";
    let secret = "clients = { bearer = \"a secret\" }";
    for (address, keys, peer, authorization, registry_user) in [
        ("127.0.0.1:1", secret, Peer::default(), Some("Bearer a secret"), Some("forci")),
        ("127.0.0.1:1", tls, with_certificate("alice"), None, Some("foralice")),
        ("127.0.0.1:1", tls, with_certificate("uid:1000"), None, Some("forall")),
        ("127.0.0.1:1", tls, with_certificate("bearer"), None, Some("forall")),
        ("127.0.0.1:1", tls, Peer::default(), None, None),
        ("unix:/r.sock", "", with_uid(1000), None, Some("foruid")),
        ("unix:/r.sock", "", with_uid(1001), None, Some("forall")),
        ("unix:/r.sock", "", Peer::default(), None, Some("forall")),
        ("unix:/r.sock", "uids = [1000]", with_uid(1000), None, Some("foruid")),
        ("unix:/r.sock", "uids = [1000]", with_uid(0), None, None),
        ("unix:/r.sock", secret, with_uid(1000), Some("Bearer a secret"), Some("forci")),
    ] {
        let listener = format!("[[listener]]\naddress = \"{address}\"\n{keys}\n");
        let text = single_registry_config(&registry, &identities(&registry));
        // `peer` replaces the TLS handshake and its client certificate, which the tests in `certificates` cover.
        let regpass = Regpass::start(&sim, &text);
        let context = {
            let listener = parse_config(&(text.clone() + &listener)).listeners.swap_remove(0);
            Arc::new(ListenerContext::new(&listener, client_auth(&listener)))
        };
        let reply = send_as_peer(&regpass, context, peer, authorization).await;
        let lines: Vec<String> = sim.ledger().take().iter().map(ToString::to_string).collect();
        if let Some(user) = registry_user {
            assert_eq!(reply.status, 200, "{keys} {user}: {reply:?}");
            assert!(lines.iter().any(|line| line.contains(&format!("basic:{user} 200"))), "{user}: {lines:?}");
        } else {
            assert_eq!(reply.status_and_code(), "403 DENIED", "{keys}");
            assert!(lines.is_empty(), "{lines:?}");
        }
    }
}

/// Pulls through a connection of this peer.
async fn send_as_peer(
    regpass: &Regpass,
    listener: Arc<ListenerContext>,
    peer: Peer,
    authorization: Option<&str>,
) -> Reply {
    let proxy = regpass.proxy.clone();
    let service = ListenerService {
        handler: Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), listener.clone(), request))),
        tls: None,
    };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(serve_stream_from(theirs, peer, service));
    let reply = exchange(ours, get(APP, authorization), false).await;
    serving.abort();
    reply
}
