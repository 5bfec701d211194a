//! Logins of clients: the users of an htpasswd file, and the bearer secret.

use std::time::Duration;

use http::Method;
use tokio::time::sleep;

use super::{Files, PASSWORD, SEEN, TAGS, assert_wants_login, basic, get, hashed, start, start_on};
use crate::harness::{request, with};
use crate::log::Log;

/// Everything a listener may be asked for.
const PATHS: [&str; 8] =
    ["/", "/v2", "/v2/", "/v2/reg/", TAGS, "/v2/_catalog", "/nothing", "/v2/unknown.example/app/tags/list"];

#[tokio::test(start_paused = true)]
async fn without_a_rule_a_login_of_the_client_means_nothing() {
    let (sim, _, regpass) = start("").await;
    sim.never_see(PASSWORD);
    for login in [None, Some(basic("alice", PASSWORD)), Some(format!("Bearer {PASSWORD}")), Some("nonsense".to_owned())]
    {
        let reply = regpass.send(get(TAGS, login.as_deref())).await;
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (200, None), "{login:?}");
        sim.ledger().expect(&[SEEN]);
        assert_eq!(regpass.send(get("/v2/", login.as_deref())).await.status, 200);
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn nothing_is_had_without_a_login_or_with_a_wrong_one() {
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
        for login in std::iter::once(None).chain(wrong.iter().map(|login| Some(login.as_str()))) {
            let reply = regpass.send(get(path, login)).await;
            assert_wants_login(&reply, &format!("{path} {login:?}"));
            assert_eq!(reply.json()["errors"][0]["detail"]["step"], "admit", "{path}");
        }
    }
    for method in [Method::HEAD, Method::POST, Method::PUT, Method::PATCH, Method::DELETE, Method::OPTIONS] {
        assert_wants_login(&regpass.send(request(method.clone(), TAGS)).await, method.as_str());
    }
    let twice = with(get(TAGS, Some(&basic("alice", PASSWORD))), "authorization", &basic("alice", PASSWORD));
    assert_wants_login(&regpass.send(twice).await, "two logins");
    sim.ledger().expect(&[]);
    assert!(sim.network().dials().is_empty());
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_right_login_is_let_in_and_goes_no_further() {
    let (files, log) = (Files::new(), Log::listen());
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD)])).await;
    sim.never_see(PASSWORD);
    let login = basic("alice", PASSWORD);
    sim.never_see(login.trim_start_matches("Basic "));
    for _ in 0..3 {
        let reply = regpass.send(get(TAGS, Some(&login))).await;
        assert_eq!((reply.status.as_u16(), reply.header("www-authenticate")), (200, None), "{reply:?}");
        sim.ledger().expect(&[SEEN]);
    }
    assert_eq!(regpass.send(get("/v2/", Some(&login))).await.body, "{}");
    assert_eq!(regpass.send(get("/", Some(&login))).await.json()["service"], "regpass");
    regpass.send(get(TAGS, Some(&basic("alice", "a wrong password")))).await;
    let log = log.text();
    assert!(log.contains("client=alice "), "who asked is told: {log}");
    for secret in [PASSWORD, "a wrong password", login.trim_start_matches("Basic "), "$2"] {
        assert!(!log.contains(secret), "{secret} in the log");
    }
    sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_bearer_secret_opens_as_token_and_as_password() {
    let files = Files::new();
    let file = files.write("secret", "the bearer secret\n");
    let literal = "clients = { bearer = \"the bearer secret\" }".to_owned();
    for rule in [format!("clients = {{ bearer = {{ file = \"{file}\" }} }}"), literal] {
        let (sim, _, regpass) = start(&rule).await;
        sim.never_see("the bearer secret");
        for login in
            ["Bearer the bearer secret", &basic("anybody", "the bearer secret"), &basic("", "the bearer secret")]
        {
            assert_eq!(regpass.send(get(TAGS, Some(login))).await.status, 200, "{login}");
            sim.ledger().expect(&[SEEN]);
        }
        for login in ["Bearer the bearer", "Bearer", &basic("the bearer secret", ""), &basic("alice", "x")] {
            for path in PATHS {
                assert_wants_login(&regpass.send(get(path, Some(login))).await, login);
            }
        }
        sim.ledger().expect(&[]);
        sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn host_and_origin_are_judged_before_the_login() {
    let files = Files::new();
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD)])).await;
    for (name, value) in [("host", "evil.example"), ("origin", "http://evil.example")] {
        let mut foreign = get(TAGS, Some(&basic("alice", PASSWORD)));
        foreign.headers_mut().insert(name, value.parse().unwrap());
        assert_eq!(regpass.send(foreign).await.verdict(), "403 DENIED", "{name}");
    }
    // Where everybody has to log in, any name that leads there is as good as another; pages of others are not.
    let (open, _, regpass) = start_on("0.0.0.0:5050", &files.htpasswd(&[("alice", PASSWORD)])).await;
    let mut named = get(TAGS, Some(&basic("alice", PASSWORD)));
    named.headers_mut().insert("host", "regpass.corp.example:5050".parse().unwrap());
    let page = with(named.clone(), "origin", "http://evil.example");
    assert_eq!(regpass.send(named).await.status, 200);
    assert_eq!(regpass.send(page).await.verdict(), "403 DENIED");
    open.ledger().expect(&[SEEN]);
    let (both, _, regpass) =
        start_on("0.0.0.0:5050", &format!("insecure_open = true\n{}", files.htpasswd(&[("alice", PASSWORD)]))).await;
    let mut named = get(TAGS, Some(&basic("alice", PASSWORD)));
    named.headers_mut().insert("host", "regpass.corp.example:5050".parse().unwrap());
    assert_eq!(regpass.send(named).await.verdict(), "403 DENIED");
    both.ledger().expect(&[]);
    sim.ledger().expect(&[]);
}

#[tokio::test]
async fn a_changed_list_is_followed_and_a_broken_one_is_not() {
    let (files, log) = (Files::new(), Log::listen());
    let (sim, _, regpass) = start(&files.htpasswd(&[("alice", PASSWORD), ("bob", "bobs")])).await;
    let status = async |user: &str, password: &str| {
        regpass.send(get("/v2/", Some(&basic(user, password)))).await.status.as_u16()
    };
    assert_eq!((status("alice", PASSWORD).await, status("bob", "bobs").await), (200, 200));

    for broken in ["", "alice:$apr1$salt$hunter2hunter2", "alice"] {
        files.write("htpasswd", broken);
        wait().await;
        assert_eq!((status("alice", PASSWORD).await, status("alice", "x").await), (200, 401), "{broken}");
    }
    std::fs::remove_file(files.path("htpasswd")).unwrap();
    wait().await;
    assert_eq!(status("alice", PASSWORD).await, 200);
    let said = log.lines("stays in force");
    assert_eq!(said.len(), 4, "{said:?}");
    assert!(said.iter().any(|line| line.contains("line 1") && line.contains("'alice'")), "{said:?}");
    assert!(!log.text().contains("hunter2"), "no hash in the log");

    files.htpasswd(&[("alice", "another"), ("carol", "carols")]);
    wait().await;
    let now = [("alice", PASSWORD, 401), ("alice", "another", 200), ("bob", "bobs", 401), ("carol", "carols", 200)];
    for (user, password, answer) in now {
        assert_eq!(status(user, password).await, answer, "{user} {password}");
    }
    sim.finish();
}

/// Files are looked at once a second.
async fn wait() {
    sleep(Duration::from_millis(1100)).await;
}

#[tokio::test(start_paused = true)]
async fn a_list_that_was_never_there_lets_nobody_in() {
    let log = Log::listen();
    let (sim, _, regpass) = start("clients = { bearer = { file = \"/nowhere/secret\" } }").await;
    for path in PATHS {
        let reply = regpass.send(get(path, Some("Bearer x"))).await;
        assert_eq!(reply.verdict(), "503 UNAVAILABLE", "{path}");
        assert!(!reply.error().1.contains("/nowhere"), "paths are for the log: {reply:?}");
    }
    assert!(log.text().contains("/nowhere/secret does not exist"), "{}", log.text());
    assert_wants_login(&regpass.get(TAGS).await, "no login");
    sim.ledger().expect(&[]);
}

/// A bcrypt check is slow on purpose: requests with a login that was right before do not wait for it, however many
/// wrong ones do.
#[tokio::test]
async fn right_logins_are_not_checked_again() {
    let files = Files::new();
    let slow = bcrypt::hash_with_salt(PASSWORD, 9, [9; 16]).unwrap();
    let file = files.write("htpasswd", &format!("alice:{slow}"));
    let (sim, _, regpass) = start(&format!("clients = {{ htpasswd = \"{file}\" }}")).await;
    let begun = tokio::time::Instant::now();
    assert_eq!(regpass.send(get("/v2/", Some(&basic("alice", PASSWORD)))).await.status, 200);
    let once = begun.elapsed();
    let begun = tokio::time::Instant::now();
    let right = async {
        for _ in 0..20 {
            assert_eq!(regpass.send(get("/v2/", Some(&basic("alice", PASSWORD)))).await.status, 200);
        }
        begun.elapsed()
    };
    let wrong = async {
        let guesses = ["a", "b", "c", "d"].map(|guess| async {
            assert_eq!(regpass.send(get("/v2/", Some(&basic("alice", guess)))).await.status, 401);
        });
        futures_util::future::join_all(guesses).await;
        begun.elapsed()
    };
    let (right, wrong) = tokio::join!(right, wrong);
    assert!(right < once * 10, "20 requests took {right:?}, a check {once:?}");
    let at_once = std::thread::available_parallelism().unwrap().get().div_ceil(2);
    assert!(
        wrong > once / 2 * u32::try_from(4 / at_once.min(4)).unwrap(),
        "4 guesses took {wrong:?}, a check {once:?}"
    );
    sim.finish();
}
