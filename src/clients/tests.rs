use std::io::Write as _;

use http::HeaderValue;

use super::*;
use crate::listen::address::ListenAddress;
use crate::listen::peer::ClientCertificate;

fn headers(lines: &[&str]) -> HeaderMap {
    lines.iter().map(|line| (AUTHORIZATION, HeaderValue::from_str(line).unwrap())).collect()
}

fn basic(pair: &str) -> String {
    format!("Basic {}", STANDARD.encode(pair))
}

/// The client's name, or the rejection.
async fn outcome(auth: &ClientAuth, lines: &[&str], peer: &Peer) -> String {
    match auth.authenticate(&headers(lines), peer).await {
        Ok(client) => client.map(|client| client.to_string()).unwrap_or_default(),
        Err(rejection) => format!("{rejection:?}"),
    }
}

fn client_auth(rule: Option<&ClientRule>) -> ClientAuth {
    let listener = Listener::at(ListenAddress::Tcp("127.0.0.1:1".parse().unwrap()));
    ClientAuth::new(&listener, rule.map(|rule| Arc::new(AuthMethod::new(rule))))
}

#[tokio::test]
async fn bearer_secret_is_accepted_as_token_or_as_password() {
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(b"the secret\n").unwrap();
    let auth = client_auth(Some(&ClientRule::Bearer(crate::config::model::SecretSource::File(file.path().into()))));
    for (line, expected) in [
        ("Bearer the secret", "bearer"),
        ("bearer the secret", "bearer"),
        (&basic("anybody:the secret"), "bearer"),
        (&basic(":the secret"), "bearer"),
        ("Bearer the secre", "WrongCredential"),
        ("Bearer the secret!", "WrongCredential"),
        ("Bearer ", "WrongCredential"),
        (&basic("the secret:"), "WrongCredential"),
        (&basic("the secret"), "NoCredential"),
        ("Basic !!!", "NoCredential"),
        ("the secret", "NoCredential"),
        ("Digest the secret", "NoCredential"),
    ] {
        assert_eq!(outcome(&auth, &[line], &Peer::default()).await, expected, "{line}");
    }
    assert_eq!(outcome(&auth, &[], &Peer::default()).await, "NoCredential");
    assert_eq!(outcome(&auth, &["Bearer the secret", "Bearer the secret"], &Peer::default()).await, "NoCredential");
}

#[tokio::test]
async fn htpasswd_password_is_remembered_until_its_hash_changes() {
    let hash = |password: &str| bcrypt::hash_with_salt(password, 4, [7; 16]).unwrap().to_string();
    let users = |text: String| htpasswd_file::parse(std::path::Path::new("/f"), &text).unwrap();
    let file = users(format!("alice:{}\nbob:{}", hash("one"), hash("two")));
    let verifier = PasswordVerifier::default();
    let (alice, one) = (Secret::new("alice"), Secret::new("one"));
    let is_correct = async |user: &str, password: &str| {
        verifier.verify(&file, &Secret::new(user), &Secret::new(password)).await.unwrap()
    };
    for (user, password) in [("alice", "one"), ("bob", "two")] {
        assert!(is_correct(user, password).await, "{user}");
    }
    for (user, password) in [("alice", "two"), ("carol", "one"), ("", "")] {
        assert!(!is_correct(user, password).await, "{user}");
    }
    assert!(verifier.verify(&file, &alice, &one).await.unwrap(), "a verified password is accepted again");
    assert_eq!(format!("{verifier:?}"), "PasswordVerifier { verified: 2, .. }", "wrong passwords are not remembered");
    let changed = users(format!("alice:{}", hash("three")));
    assert!(!verifier.verify(&changed, &alice, &one).await.unwrap());
    let gone = users(format!("bob:{}", hash("two")));
    assert!(!verifier.verify(&gone, &alice, &one).await.unwrap());
}

#[tokio::test]
async fn client_is_named_after_its_certificate_or_user_id() {
    let by_certificate = client_auth(Some(&ClientRule::MutualTls("/ca".into())));
    let with_certificate = |name: Option<&str>| Peer {
        certificate: Some(ClientCertificate { name: name.map(Into::into) }),
        ..Peer::default()
    };
    assert_eq!(outcome(&by_certificate, &[], &with_certificate(Some("ci"))).await, "ci");
    assert_eq!(outcome(&by_certificate, &[], &with_certificate(None)).await, "");
    assert_eq!(outcome(&by_certificate, &["Bearer x"], &Peer::default()).await, "NoCertificate");

    let peer = |uid| Peer { uid: Some(uid), ..Peer::default() };
    let mut listener = Listener::at(ListenAddress::Unix("/run/x".into()));
    let any_user = ClientAuth::new(&listener, None);
    assert_eq!(outcome(&any_user, &[], &peer(7)).await, "uid:7");
    assert_eq!(outcome(&any_user, &[], &Peer::default()).await, "");
    listener.uids = Some(BTreeSet::from([0, 1000]));
    let listed_users = ClientAuth::new(&listener, None);
    assert_eq!(outcome(&listed_users, &[], &peer(1000)).await, "uid:1000");
    assert_eq!(outcome(&listed_users, &[], &peer(1001)).await, "Uid(Some(1001))");
    assert_eq!(outcome(&listed_users, &[], &Peer::default()).await, "Uid(None)");
    let bearer = ClientRule::Bearer(crate::config::model::SecretSource::File("/nowhere".into()));
    let both = ClientAuth::new(&listener, Some(Arc::new(AuthMethod::new(&bearer))));
    assert_eq!(
        outcome(&both, &["Bearer x"], &peer(1001)).await,
        "Uid(Some(1001))",
        "the user id is checked before the credential"
    );
    assert!(outcome(&both, &["Bearer x"], &peer(0)).await.starts_with("Unreadable"));
}
