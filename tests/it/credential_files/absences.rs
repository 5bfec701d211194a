//! A source that has no credential for a registry: one line in the log, and the reason in the 403.

use std::time::Duration;

use http::Method;
use tokio::time::advance;

use super::*;
use crate::credentials::APP;
use crate::harness::request;

/// The message of the 403 for a pull of the private `team/secret`.
async fn denial(regpass: &Regpass) -> String {
    let reply = regpass.get(SECRET).await;
    assert_eq!(reply.status_and_code(), "403 DENIED", "{reply:?}");
    reply.error().1
}

#[tokio::test(start_paused = true)]
async fn docker_file_without_a_credential_is_named_in_the_403_and_once_in_the_log() {
    let log = Log::capture();
    let setup = Setup::new().await;
    let other = r#"{"auths": {"other.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#;
    let credential = setup.docker_file("config.json", other);
    let regpass = setup.regpass(&credential);
    let file = setup.folder.path().join("config.json").display().to_string();
    let why = format!("the docker file {file} has no credential for generic.test");
    for _ in 0..3 {
        assert_eq!(regpass.get(APP).await.status, 200, "public content needs none");
        let message = denial(&regpass).await;
        assert!(message.contains(&why), "{message}");
        advance(Duration::from_secs(60)).await;
    }
    assert_eq!(log.count("INFO", &format!("{why}; requests to generic.test have no credential")), 1, "{}", log.text());
    assert!(token_authorizations(&setup.sim).iter().all(|user| user == "anonymous"));

    setup.docker_file("config.json", r#"{"auths": {"other.test": {}}}"#);
    advance(Duration::from_secs(2)).await;
    denial(&regpass).await;
    denial(&regpass).await;
    assert_eq!(
        log.lines(&why).iter().filter(|line| line.contains("have no credential")).count(),
        2,
        "the file changed"
    );

    setup.docker_file("config.json", r#"{"auths": {"generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#);
    advance(Duration::from_secs(2)).await;
    assert_eq!(regpass.get(SECRET).await.status, 200);
    assert_eq!(log.lines(&why).iter().filter(|line| line.contains("have no credential")).count(), 2);
    assert!(log.lines("wonderland").is_empty() && log.lines("YWxpY2U").is_empty());
    setup.sim.ledger().take();
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn empty_entry_and_missing_files_are_named_in_the_403() {
    let setup = Setup::new().await;
    let regpass = setup.regpass(&setup.docker_file("config.json", r#"{"auths": {"https://generic.test": {}}}"#));
    let message = denial(&regpass).await;
    let why = "the entry \"https://generic.test\" of the docker file ";
    assert!(message.contains(why) && message.contains("is empty, and no credential helper is named"), "{message}");
    setup.sim.ledger().take();
    setup.sim.finish();

    let setup = Setup::new().await;
    let regpass = setup.regpass_with_variables("credential = { source = \"docker\" }", &[]);
    let message = denial(&regpass).await;
    let places = [".docker/config.json", ".config/containers/auth.json", ".dockercfg"];
    assert!(message.contains("there is no docker file ("), "{message}");
    assert!(places.iter().all(|place| message.contains(place)), "{message}");
    setup.sim.ledger().take();
    setup.sim.finish();
}

/// The clock is not paused, as it would run ahead while regpass waits for the helper.
#[tokio::test]
async fn helper_that_finds_nothing_is_named_in_the_403_and_once_in_the_log() {
    for (credential, why) in [
        (
            "credential = { source = \"helper\", name = \"own\" }",
            "docker-credential-own has no credential for generic.test",
        ),
        ("credential = { source = \"docker\" }", "has no credential for generic.test"),
    ] {
        let log = Log::capture();
        let setup = Setup::new().await;
        let script = "#!/bin/sh\nread -r server\necho credentials not found in native keychain\nexit 1\n";
        let helper = setup.write("docker-credential-own.new", script);
        let install = r#"chmod +x "$1" && mv "$1" "${1%.new}""#;
        let installed = std::process::Command::new("sh").args(["-c", install, "sh"]).arg(&helper).status().unwrap();
        assert!(installed.success());
        let file = setup.write(".docker/config.json", r#"{"credsStore": "own"}"#);
        let regpass = setup.regpass_with_variables(credential, &[]);
        for _ in 0..3 {
            let message = denial(&regpass).await;
            assert!(message.contains("docker-credential-own") && message.contains(why), "{message}");
            assert_eq!(message.contains(file.to_str().unwrap()), credential.contains("docker\""), "{message}");
        }
        assert_eq!(log.count("INFO", "requests to generic.test have no credential"), 1, "{}", log.text());
        setup.sim.ledger().take();
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn refused_push_and_refused_token_name_the_source_without_a_credential() {
    let setup = Setup::new().await;
    let credential = setup.docker_file("config.json", "{}");
    let regpass = setup.regpass(&format!("allow = [\"pull\", \"push\"]\n{credential}"));
    let reply = regpass.send(request(Method::POST, "/v2/team/app/blobs/uploads/")).await;
    assert_eq!(reply.status, 403, "{reply:?}");
    assert!(reply.error().1.contains("config.json has no credential for generic.test"), "{reply:?}");
    setup.sim.ledger().take();
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn configured_anonymous_access_is_no_absence() {
    let log = Log::capture();
    let setup = Setup::new().await;
    let regpass = setup.regpass("credential = { source = \"anonymous\" }");
    let message = denial(&regpass).await;
    assert!(!message.contains("has no credential for"), "{message}");
    assert_eq!(log.count("INFO", "have no credential"), 0);
    setup.sim.ledger().take();
    setup.sim.finish();
}
