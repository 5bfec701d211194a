//! Client credentials: the users of an htpasswd file, and the bearer secret.

use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::{Files, PASSWORD, TAGS, TAGS_REQUEST, assert_challenged, basic, get, hashed, start, start_on};
use crate::harness::{request, with_header};
use crate::log::Log;

/// Paths that regpass answers itself, paths of a registry, and paths that do not exist.
const PATHS: [&str; 8] =
    ["/", "/v2", "/v2/", "/v2/reg/", TAGS, "/v2/_catalog", "/nothing", "/v2/unknown.example/app/tags/list"];

#[tokio::test(start_paused = true)]
async fn authorization_is_ignored_without_client_authentication() {
    let (sim, _, regpass) = start("").await;
    sim.forbid_secret(PASSWORD);
    let bearer = format!("Bearer {PASSWORD}");
    for authorization in [None, Some(basic("alice", PASSWORD)), Some(bearer), Some("nonsense".to_owned())] {
        let reply = regpass.send(get(TAGS, authorization.as_deref())).await;
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (200, None), "{authorization:?}");
        sim.ledger().expect(&[TAGS_REQUEST]);
        assert_eq!(regpass.send(get("/v2/", authorization.as_deref())).await.status, 200);
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn missing_or_wrong_client_credential_is_401_for_every_path() {
    let files = Files::new();
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD), ("bob", "bobs password")])).await;
    let wrong = [
        basic("alice", "wrong"),
        basic("alice", "bobs password"),
        basic("carol", PASSWORD),
        basic("alice", ""),
        basic("", ""),
        basic("alice", &hashed(PASSWORD)),
        format!("Bearer {PASSWORD}"),
        "Basic !".to_owned(),
        "Basic".to_owned(),
        format!("Digest {PASSWORD}"),
    ];
    for path in PATHS {
        for authorization in std::iter::once(None).chain(wrong.iter().map(|wrong| Some(wrong.as_str()))) {
            let reply = regpass.send(get(path, authorization)).await;
            assert_challenged(&reply, &format!("{path} {authorization:?}"));
            assert_eq!(reply.json()["errors"][0]["detail"]["step"], "admit", "{path}");
        }
    }
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        assert_challenged(&regpass.send(request(method.clone(), TAGS)).await, method.as_str());
    }
    let twice = with_header(get(TAGS, Some(&basic("alice", PASSWORD))), "authorization", &basic("alice", PASSWORD));
    assert_challenged(&regpass.send(twice).await, "two Authorization headers");
    sim.ledger().expect(&[]);
    assert!(sim.network().dials().is_empty());
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn valid_client_credential_is_accepted_and_neither_forwarded_nor_logged() {
    let (files, log) = (Files::new(), Log::capture());
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD)])).await;
    sim.forbid_secret(PASSWORD);
    let valid = basic("alice", PASSWORD);
    sim.forbid_secret(valid.trim_start_matches("Basic "));
    for _ in 0..3 {
        let reply = regpass.send(get(TAGS, Some(&valid))).await;
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (200, None), "{reply:?}");
        sim.ledger().expect(&[TAGS_REQUEST]);
    }
    assert_eq!(regpass.send(get("/v2/", Some(&valid))).await.body, "{}");
    assert_eq!(regpass.send(get("/", Some(&valid))).await.json()["service"], "regpass");
    regpass.send(get(TAGS, Some(&basic("alice", "a wrong password")))).await;
    let log = log.text();
    assert!(log.contains("client=alice "), "the client is logged: {log}");
    for secret in [PASSWORD, "a wrong password", valid.trim_start_matches("Basic "), "$2"] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn bearer_secret_is_accepted_as_token_and_as_password() {
    let files = Files::new();
    let file = files.write("secret", "the bearer secret\n");
    let literal = "clients = { bearer = \"the bearer secret\" }".to_owned();
    for rule in [format!("clients = {{ bearer = {{ file = \"{file}\" }} }}"), literal] {
        let (sim, _, regpass) = start(&rule).await;
        sim.forbid_secret("the bearer secret");
        for authorization in
            ["Bearer the bearer secret", &basic("anybody", "the bearer secret"), &basic("", "the bearer secret")]
        {
            assert_eq!(regpass.send(get(TAGS, Some(authorization))).await.status, 200, "{authorization}");
            sim.ledger().expect(&[TAGS_REQUEST]);
        }
        for authorization in ["Bearer the bearer", "Bearer", &basic("the bearer secret", ""), &basic("alice", "x")] {
            for path in PATHS {
                assert_challenged(&regpass.send(get(path, Some(authorization))).await, authorization);
            }
        }
        sim.ledger().expect(&[]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn host_and_origin_are_checked_before_the_client_credential() {
    let files = Files::new();
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD)])).await;
    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let mut foreign = get(TAGS, Some(&basic("alice", PASSWORD)));
        foreign.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(regpass.send(foreign).await.status_and_code(), "403 DENIED", "{name}");
    }
    // With client authentication any `Host` is accepted, but foreign origins are not.
    let (open, _, regpass) = start_on("0.0.0.0:5050", &files.htpasswd(&[("alice", PASSWORD)])).await;
    let mut named = get(TAGS, Some(&basic("alice", PASSWORD)));
    named.headers_mut().insert("host", "regpass.corp.example:5050".parse().unwrap());
    let page = with_header(named.clone(), "origin", "http://evil.example");
    assert_eq!(regpass.send(named).await.status, 200);
    assert_eq!(regpass.send(page).await.status_and_code(), "403 DENIED");
    open.ledger().expect(&[TAGS_REQUEST]);
    let (insecure, _, regpass) =
        start_on("0.0.0.0:5050", &format!("insecure_open = true\n{}", files.htpasswd(&[("alice", PASSWORD)]))).await;
    let mut named = get(TAGS, Some(&basic("alice", PASSWORD)));
    named.headers_mut().insert("host", "regpass.corp.example:5050".parse().unwrap());
    assert_eq!(regpass.send(named).await.status_and_code(), "403 DENIED");
    insecure.ledger().expect(&[]);
    sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn htpasswd_and_bearer_files_of_windows_tools_are_read() {
    let utf16 = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let users = format!("# users\r\n\r\nalice:{}\r\nbob:{}", hashed(PASSWORD), hashed("bobs password"));
    let marked = |text: &str| format!("\u{feff}{text}\r\n").into_bytes();
    for bytes in [marked(&users), utf16(&users), format!("{users}\r\n\u{1a}").into_bytes()] {
        let files = Files::new();
        std::fs::write(files.path("htpasswd"), bytes).unwrap();
        let listener = format!("clients = {{ htpasswd = \"{}\" }}", files.path("htpasswd").display());
        let (sim, _, regpass) = start(&listener).await;
        for (user, password) in [("alice", PASSWORD), ("bob", "bobs password")] {
            assert_eq!(regpass.send(get(TAGS, Some(&basic(user, password)))).await.status, 200, "{user}");
            sim.ledger().expect(&[TAGS_REQUEST]);
        }
        assert_challenged(&regpass.send(get(TAGS, Some(&basic("alice", "wrong")))).await, "a wrong password");
        sim.finish();
    }
    for bytes in [marked(PASSWORD), utf16(&format!("{PASSWORD}\r\n"))] {
        let files = Files::new();
        std::fs::write(files.path("bearer"), bytes).unwrap();
        let listener = format!("clients = {{ bearer = {{ file = \"{}\" }} }}", files.path("bearer").display());
        let (sim, _, regpass) = start(&listener).await;
        let bearer = format!("Bearer {PASSWORD}");
        assert_eq!(regpass.send(get(TAGS, Some(&bearer))).await.status, 200);
        sim.ledger().expect(&[TAGS_REQUEST]);
        sim.finish();
    }
}

#[tokio::test]
async fn changed_htpasswd_file_is_used_and_an_invalid_one_is_not() {
    let (files, log) = (Files::new(), Log::capture());
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD), ("bob", "bobs")])).await;
    let status = async |user: &str, password: &str| {
        regpass.send(get("/v2/", Some(&basic(user, password)))).await.status.as_u16()
    };
    assert_eq!((status("alice", PASSWORD).await, status("bob", "bobs").await), (200, 200));

    for invalid in ["", "alice:$apr1$salt$hunter2hunter2", "alice"] {
        files.write("htpasswd", invalid);
        wait_for_reread().await;
        assert_eq!((status("alice", PASSWORD).await, status("alice", "x").await), (200, 401), "{invalid}");
    }
    std::fs::remove_file(files.path("htpasswd")).unwrap();
    wait_for_reread().await;
    assert_eq!(status("alice", PASSWORD).await, 200);
    let warnings = log.lines("stays in use");
    assert_eq!(warnings.len(), 4, "{warnings:?}");
    assert!(warnings.iter().any(|line| line.contains("line 1") && line.contains("'alice'")), "{warnings:?}");
    assert!(!log.text().contains("hunter2"), "no hash in the log");

    files.htpasswd(&[("alice", "another"), ("carol", "carols")]);
    wait_for_reread().await;
    let now = [("alice", PASSWORD, 401), ("alice", "another", 200), ("bob", "bobs", 401), ("carol", "carols", 200)];
    for (user, password, expected) in now {
        assert_eq!(status(user, password).await, expected, "{user} {password}");
    }
    sim.finish();
}

/// Waits until regpass has read changed files, which it does once a second.
async fn wait_for_reread() {
    sleep(Duration::from_millis(1100)).await;
}

#[tokio::test(start_paused = true)]
async fn missing_secret_file_is_503_for_every_client() {
    let log = Log::capture();
    let (sim, _, regpass) = start("clients = { bearer = { file = \"/nowhere/secret\" } }").await;
    for path in PATHS {
        let reply = regpass.send(get(path, Some("Bearer x"))).await;
        assert_eq!(reply.status_and_code(), "503 UNAVAILABLE", "{path}");
        assert!(!reply.error().1.contains("/nowhere"), "paths appear only in the log: {reply:?}");
    }
    assert!(log.text().contains("/nowhere/secret does not exist"), "{}", log.text());
    assert_challenged(&regpass.get(TAGS).await, "no credential");
    sim.ledger().expect(&[]);
}

/// bcrypt is slow by design: a credential that was valid before is not verified again, and does not wait for the
/// verification of wrong ones.
#[tokio::test]
async fn valid_client_credentials_are_verified_once() {
    let files = Files::new();
    let slow = bcrypt::hash_with_salt(PASSWORD, 9, [9; 16]).unwrap();
    let file = files.write("htpasswd", &format!("alice:{slow}"));
    let (sim, _, regpass) = start(&format!("clients = {{ htpasswd = \"{file}\" }}")).await;
    let started = tokio::time::Instant::now();
    assert_eq!(regpass.send(get("/v2/", Some(&basic("alice", PASSWORD)))).await.status, 200);
    let once = started.elapsed();
    let started = tokio::time::Instant::now();
    let valid = async {
        for _ in 0..20 {
            assert_eq!(regpass.send(get("/v2/", Some(&basic("alice", PASSWORD)))).await.status, 200);
        }
        started.elapsed()
    };
    let wrong = async {
        let guesses = ["a", "b", "c", "d"].map(|guess| async {
            assert_eq!(regpass.send(get("/v2/", Some(&basic("alice", guess)))).await.status, 401);
        });
        futures_util::future::join_all(guesses).await;
        started.elapsed()
    };
    let (valid, wrong) = tokio::join!(valid, wrong);
    assert!(valid < once * 10, "20 requests took {valid:?}, a verification {once:?}");
    let parallel = std::thread::available_parallelism().unwrap().get().div_ceil(2);
    assert!(
        wrong > once / 2 * u32::try_from(4 / parallel.min(4)).unwrap(),
        "4 guesses took {wrong:?}, a verification {once:?}"
    );
    sim.finish();
}
