//! From the client to the identity: each uses the logins that are for it, and no token crosses.

use std::sync::Arc;

use regpass::net::listen::{Service, serve_stream_as};
use regpass::net::peer::{Peer, Shown};
use regpass::proxy::{self, admit::Front};

use super::network::exchange;
use super::{Files, basic, get};
use crate::harness::{Regpass, Reply, door, load, only};
use crate::sim::{Family, Image, Preset, Registry, Sim};

const APP: &str = "/v2/team/app/manifests/1";

/// A registry with a login for each of several, and what of a configuration says who uses which.
async fn registry() -> (Sim, Registry) {
    let sim = Sim::memory();
    let registry = sim.start(Preset::generic()).await;
    for user in ["own", "forall", "foralice", "forci", "foruid"] {
        registry.user(user, &format!("{user} secret"));
    }
    registry.keep("team/app", "1", &Image::single("app", Family::Oci));
    (sim, registry)
}

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

fn token(user: &str, number: usize) -> Vec<String> {
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
async fn each_client_has_its_own_login_and_its_own_tokens() {
    let files = Files::new();
    let (sim, registry) = registry().await;
    let users = files.htpasswd(&[("alice", "a"), ("ci", "c"), ("bob", "b"), ("bearer", "x"), ("own", "o")]);
    let listener = format!("[[listener]]\naddress = \"127.0.0.1:5050\"\n{users}\n");
    let regpass = Regpass::start(&sim, &(only(&registry, &identities(&registry)) + &listener));
    let pull = async |user: &str, password: &str| {
        let reply = regpass.send(get(APP, Some(&basic(user, password)))).await;
        assert_eq!(reply.status, 200, "{user}: {reply:?}");
        reply.grant().to_owned()
    };
    pull("bob", "b").await;
    let lines = sim.ledger().lines();
    assert!(
        lines.iter().any(|line| line.contains("basic:forall 200")),
        "for all who have none of their own: {lines:?}"
    );
    sim.ledger().take();
    for (number, (user, password, login)) in (2..).zip([("alice", "a", "foralice"), ("ci", "c", "forci")]) {
        assert_eq!(pull(user, password).await, "fetched", "{user}");
        expect(&sim, &token(login, number));
    }
    // A user of that name is no bearer of the secret.
    assert_eq!(pull("bearer", "x").await, "cached");
    sim.ledger().expect(&["registry GET /v2/team/app/manifests/1 bearer#1 200"]);
    for (user, password, number) in [("alice", "a", 2), ("bob", "b", 1), ("ci", "c", 3), ("own", "o", 1)] {
        assert_eq!(pull(user, password).await, "cached", "{user}");
        expect(&sim, &[format!("registry GET /v2/team/app/manifests/1 bearer#{number} 200")]);
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_anonymous_listener_has_no_clients_identity() {
    let (sim, registry) = registry().await;
    let regpass = Regpass::start(&sim, &only(&registry, &identities(&registry)));
    // The client says who it is, and nobody asked.
    for login in [None, Some(basic("alice", "a")), Some("Bearer x".to_owned())] {
        assert_eq!(regpass.send(get(APP, login.as_deref())).await.status, 200);
    }
    let logins: Vec<String> = sim.ledger().lines().into_iter().filter(|line| line.starts_with("token")).collect();
    assert_eq!(logins.len(), 1, "{logins:?}");
    assert!(logins[0].contains("basic:forall"), "{logins:?}");
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_refusal_of_one_is_no_refusal_of_another() {
    let files = Files::new();
    let (sim, registry) = registry().await;
    registry.user("foralice", "changed since");
    let listener =
        format!("[[listener]]\naddress = \"127.0.0.1:5050\"\n{}\n", files.htpasswd(&[("alice", "a"), ("ci", "c")]));
    let regpass = Regpass::start(&sim, &(only(&registry, &identities(&registry)) + &listener));
    for _ in 0..2 {
        let refused = regpass.send(get(APP, Some(&basic("alice", "a")))).await;
        assert_eq!(refused.status, 403, "{refused:?}");
        assert_eq!(refused.header("www-authenticate"), None, "her login here is good");
        assert_eq!(regpass.send(get(APP, Some(&basic("ci", "c")))).await.status, 200);
    }
}

#[tokio::test(start_paused = true)]
async fn the_bearer_users_of_the_machine_and_certificates_are_clients() {
    let (sim, registry) = registry().await;
    let named = |name: &str| Peer { certificate: Some(Shown { name: Some(name.into()) }), ..Peer::default() };
    let user = |uid| Peer { uid: Some(uid), ..Peer::default() };
    let tls = "tls = { certificate = \"/c\", key = \"/k\" }\nclients = { mtls_ca = \"/ca\" }";
    let secret = "clients = { bearer = \"a secret\" }";
    for (address, keys, peer, header, login) in [
        ("127.0.0.1:1", secret, Peer::default(), Some("Bearer a secret"), Some("forci")),
        ("127.0.0.1:1", tls, named("alice"), None, Some("foralice")),
        ("127.0.0.1:1", tls, named("uid:1000"), None, Some("forall")),
        ("127.0.0.1:1", tls, named("bearer"), None, Some("forall")),
        ("127.0.0.1:1", tls, Peer::default(), None, None),
        ("unix:/r.sock", "", user(1000), None, Some("foruid")),
        ("unix:/r.sock", "", user(1001), None, Some("forall")),
        ("unix:/r.sock", "", Peer::default(), None, Some("forall")),
        ("unix:/r.sock", "uids = [1000]", user(1000), None, Some("foruid")),
        ("unix:/r.sock", "uids = [1000]", user(0), None, None),
        ("unix:/r.sock", secret, user(1000), Some("Bearer a secret"), Some("forci")),
    ] {
        let listener = format!("[[listener]]\naddress = \"{address}\"\n{keys}\n");
        let text = only(&registry, &identities(&registry));
        // Certificates are another test's business: here the connection says that one was shown.
        let regpass = Regpass::start(&sim, &text);
        let front = {
            let listener = load(&(text.clone() + &listener)).listeners.swap_remove(0);
            Arc::new(Front::new(&listener, door(&listener)))
        };
        let reply = ask(&regpass, front, peer, header).await;
        let lines: Vec<String> = sim.ledger().take().iter().map(ToString::to_string).collect();
        if let Some(login) = login {
            assert_eq!(reply.status, 200, "{keys} {login}: {reply:?}");
            assert!(lines.iter().any(|line| line.contains(&format!("basic:{login} 200"))), "{login}: {lines:?}");
        } else {
            assert_eq!(reply.verdict(), "403 DENIED", "{keys}");
            assert!(lines.is_empty(), "{lines:?}");
        }
    }
}

async fn ask(regpass: &Regpass, front: Arc<Front>, peer: Peer, login: Option<&str>) -> Reply {
    let proxy = regpass.proxy.clone();
    let service = Service {
        handle: Arc::new(move |request| Box::pin(proxy::handle(proxy.clone(), front.clone(), request))),
        tls: None,
    };
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let serving = tokio::spawn(serve_stream_as(theirs, peer, service));
    let reply = exchange(ours, get(APP, login), false).await;
    serving.abort();
    reply
}
