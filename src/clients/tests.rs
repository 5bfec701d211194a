use std::io::Write as _;

use http::HeaderValue;

use super::*;
use crate::net::peer::Shown;
use crate::net::socket::ListenAddress;

fn headers(lines: &[&str]) -> HeaderMap {
    lines.iter().map(|line| (AUTHORIZATION, HeaderValue::from_str(line).unwrap())).collect()
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// What became of it: the client's name, or the refusal's.
async fn told(door: &Door, lines: &[&str], peer: &Peer) -> String {
    match door.admit(&headers(lines), peer).await {
        Ok(client) => client.map(|client| client.to_string()).unwrap_or_default(),
        Err(refused) => format!("{refused:?}"),
    }
}

fn door(rule: Option<&ClientRule>) -> Door {
    let listener = Listener::at(ListenAddress::Tcp("127.0.0.1:1".parse().unwrap()));
    Door::new(&listener, rule.map(|rule| Arc::new(Rule::new(rule))))
}

#[tokio::test]
async fn a_bearer_secret_comes_as_token_or_as_password() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"the secret\n").unwrap();
    let door = door(Some(&ClientRule::Bearer(crate::config::model::SecretSource::File(file.path().into()))));
    for (line, told_as) in [
        ("Bearer the secret", "bearer"),
        ("bearer the secret", "bearer"),
        (&basic("anybody:the secret"), "bearer"),
        (&basic(":the secret"), "bearer"),
        ("Bearer the secre", "WrongLogin"),
        ("Bearer the secret!", "WrongLogin"),
        ("Bearer ", "WrongLogin"),
        (&basic("the secret:"), "WrongLogin"),
        (&basic("the secret"), "NoLogin"),
        ("Basic !!!", "NoLogin"),
        ("the secret", "NoLogin"),
        ("Digest the secret", "NoLogin"),
    ] {
        assert_eq!(told(&door, &[line], &Peer::default()).await, told_as, "{line}");
    }
    assert_eq!(told(&door, &[], &Peer::default()).await, "NoLogin");
    assert_eq!(told(&door, &["Bearer the secret", "Bearer the secret"], &Peer::default()).await, "NoLogin");
}

#[tokio::test]
async fn htpasswd_users_are_checked_and_remembered_until_their_hash_changes() {
    let hash = |password: &str| bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap().to_string();
    let users = |text: String| htpasswd::parse(std::path::Path::new("/f"), text.as_bytes()).unwrap();
    let file = users(format!("alice:{}\nbob:{}", hash("one"), hash("two")));
    let logins = Logins::default();
    let (alice, one) = (Secret::new("alice"), Secret::new("one"));
    for (user, password, good) in [
        ("alice", "one", true),
        ("alice", "two", false),
        ("bob", "two", true),
        ("carol", "one", false),
        ("", "", false),
    ] {
        let is_good = logins.are_good(&file, &Secret::new(user), &Secret::new(password)).await.unwrap();
        assert_eq!(is_good, good, "{user}");
    }
    assert!(logins.are_good(&file, &alice, &one).await.unwrap(), "remembered");
    assert_eq!(format!("{logins:?}"), "Logins { known: 2, .. }", "what is wrong is not remembered");
    let changed = users(format!("alice:{}", hash("three")));
    assert!(!logins.are_good(&changed, &alice, &one).await.unwrap());
    let gone = users(format!("bob:{}", hash("two")));
    assert!(!logins.are_good(&gone, &alice, &one).await.unwrap());
}

#[tokio::test]
async fn certificates_and_users_of_the_machine_are_named() {
    let certified = door(Some(&ClientRule::MutualTls("/ca".into())));
    let shown =
        |name: Option<&str>| Peer { certificate: Some(Shown { name: name.map(Into::into) }), ..Peer::default() };
    assert_eq!(told(&certified, &[], &shown(Some("ci"))).await, "ci");
    assert_eq!(told(&certified, &[], &shown(None)).await, "");
    assert_eq!(told(&certified, &["Bearer x"], &Peer::default()).await, "NoCertificate");

    let peer = |uid| Peer { uid: Some(uid), ..Peer::default() };
    let mut listener = Listener::at(ListenAddress::Unix("/run/x".into()));
    let everybody = Door::new(&listener, None);
    assert_eq!(told(&everybody, &[], &peer(7)).await, "uid:7");
    assert_eq!(told(&everybody, &[], &Peer::default()).await, "");
    listener.uids = Some(BTreeSet::from([0, 1000]));
    let some = Door::new(&listener, None);
    assert_eq!(told(&some, &[], &peer(1000)).await, "uid:1000");
    assert_eq!(told(&some, &[], &peer(1001)).await, "Uid(Some(1001))");
    assert_eq!(told(&some, &[], &Peer::default()).await, "Uid(None)");
    let bearer = ClientRule::Bearer(crate::config::model::SecretSource::File("/nowhere".into()));
    let both = Door::new(&listener, Some(Arc::new(Rule::new(&bearer))));
    assert_eq!(told(&both, &["Bearer x"], &peer(1001)).await, "Uid(Some(1001))", "the user before the login");
    assert!(told(&both, &["Bearer x"], &peer(0)).await.starts_with("Unreadable"));
}
