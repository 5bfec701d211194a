//! The forms of docker's file: old and new, with patterns, with member names in any case, and in a variable.

use super::*;

#[tokio::test(start_paused = true)]
async fn every_form_of_a_docker_file_is_read() {
    // YWxpY2U6d29uZGVybGFuZA== is alice:wonderland.
    for (what, content) in [
        ("old file", r#"{"generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZA==", "email": "a@b"}}"#),
        ("old file with a URL", r#"{"https://generic.test/v1/": {"username": "alice", "password": "wonderland"}}"#),
        ("pattern", r#"{"auths": {"*.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        ("pattern at the end", r#"{"auths": {"https://generic.*/v2/": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        ("pattern with a path", r#"{"auths": {"gen*.test/team/se": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        ("beginning of the name", r#"{"auths": {"generic.test/team/se": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        ("upper case", r#"{"Auths": {"GENERIC.test": {"Auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        (
            "twice",
            r#"{"auths": {"generic.test": {"auth": "Ym9iOmJ1aWxkZXI="}}, "Auths": {"generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#,
        ),
        ("line end in the base64", r#"{"auths": {"generic.test": {"auth": "YWxpY2U6d29u\r\nZGVybGFuZA==\n"}}}"#),
        ("encoded line end", r#"{"auths": {"generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZAo="}}}"#),
        ("slash at the end", r#"{"auths": {"https://generic.test/": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        (
            "beside auth",
            r#"{"auths": {"generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZA", "username": "x", "password": "y"}}}"#,
        ),
    ] {
        let setup = Setup::new().await;
        let regpass = setup.regpass(&setup.docker_file("config.json", content));
        setup.assert_pull_as_alice(&regpass, what).await;
        assert_eq!(regpass.get(SECRET).await.status, 200);
        setup.sim.ledger().expect(&["registry GET /v2/team/secret/manifests/1 bearer#1 200"]);
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn credential_of_another_key_is_not_sent() {
    for (what, content) in [
        ("more parts", r#"{"auths": {"*.*.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        ("port", r#"{"auths": {"*.test:5000": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        ("path of a pattern", r#"{"auths": {"*.test/team/app": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        ("wildcard in the path", r#"{"auths": {"generic.test/team/*": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#),
        ("pattern of a helper", r#"{"credHelpers": {"*.test": "missing"}}"#),
        ("old entry beside auths", r#"{"auths": {}, "generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}"#),
    ] {
        let setup = Setup::new().await;
        let regpass = setup.regpass(&setup.docker_file("config.json", content));
        let reply = regpass.get(SECRET).await;
        assert_eq!(reply.status_and_code(), "403 DENIED", "{what}");
        assert_eq!(token_authorizations(&setup.sim), ["anonymous"], "{what}");
        setup.sim.finish();
    }
}

/// The clock is not paused, as it would run ahead while regpass waits for the helper.
#[tokio::test]
async fn helper_that_a_member_in_another_case_names_is_called() {
    let setup = Setup::new().await;
    let script = "#!/bin/sh\nread -r server\necho '{\"Username\":\"alice\",\"Secret\":\"wonderland\"}'\n";
    let helper = setup.write("docker-credential-own.new", script);
    let install = r#"chmod +x "$1" && mv "$1" "${1%.new}""#;
    let installed = std::process::Command::new("sh").args(["-c", install, "sh"]).arg(&helper).status().unwrap();
    assert!(installed.success());
    let credential = setup.docker_file("config.json", r#"{"credSstore": "own"}"#);
    let regpass = setup.regpass_with_variables(&credential, &[]);
    setup.assert_pull_as_alice(&regpass, "credSstore").await;
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn docker_auth_config_precedes_the_files_where_docker_is_the_source() {
    const VARIABLE: (&str, &str) =
        ("DOCKER_AUTH_CONFIG", r#"{"auths": {"generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#);
    let bob = r#"{"auths": {"generic.test": {"auth": "Ym9iOmJ1aWxkZXI="}}}"#;
    let setup = Setup::new().await;
    setup.write(".docker/config.json", bob);
    let regpass = setup.regpass_with_variables("credential = { source = \"docker\" }", &[VARIABLE]);
    setup.assert_pull_as_alice(&regpass, "before ~/.docker/config.json").await;
    setup.sim.finish();

    let setup = Setup::new().await;
    setup.write("folder/config.json", bob);
    let folder = setup.folder.path().join("folder").display().to_string();
    let variables = [VARIABLE, ("DOCKER_CONFIG", folder.as_str())];
    let regpass = setup.regpass_with_variables("credential = { source = \"docker\" }", &variables);
    setup.assert_pull_as_alice(&regpass, "before the file of DOCKER_CONFIG").await;
    setup.sim.finish();

    let other = ("DOCKER_AUTH_CONFIG", r#"{"auths": {"other.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}}"#);
    for (more, variable, users) in [
        ("credential = { source = \"docker\" }", other, ["basic:bob"]),
        ("", VARIABLE, ["anonymous"]),
        (&password("bob", "builder"), VARIABLE, ["basic:bob"]),
    ] {
        let setup = Setup::new().await;
        setup.write(".docker/config.json", bob);
        setup.regpass_with_variables(more, &[variable]).get(SECRET).await;
        assert_eq!(token_authorizations(&setup.sim), users, "{more} {variable:?}");
        setup.sim.finish();
    }
    let setup = Setup::new().await;
    let regpass = setup.regpass_with_variables(&setup.docker_file("named.json", bob), &[VARIABLE]);
    assert_eq!(regpass.get(SECRET).await.status, 200);
    assert_eq!(token_authorizations(&setup.sim), ["basic:bob"], "a file that the configuration names is the only one");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn broken_docker_auth_config_is_an_error_that_quotes_nothing() {
    for broken in [r#"{"auths": {"generic.test": {"auth": hunter2}}}"#, "/run/hunter2/config.json"] {
        let setup = Setup::new().await;
        let variables = [("DOCKER_AUTH_CONFIG", broken)];
        let regpass = setup.regpass_with_variables("credential = { source = \"docker\" }", &variables);
        let reply = regpass.get(SECRET).await;
        assert_eq!(reply.status_and_code(), "502 UNAUTHORIZED");
        let message = reply.error().1;
        let expected = "DOCKER_AUTH_CONFIG:1:";
        assert!(message.contains(expected) && message.contains("not the path of a file"), "{message}");
        assert!(!message.contains("hunter2"), "{message}");
        setup.sim.ledger().take();
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn old_file_in_the_home_folder_is_the_last_one() {
    let setup = Setup::new().await;
    setup.write(".dockercfg", r#"{"generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}"#);
    setup.write(".config/containers/auth.json", r#"{"auths": {"other.test": {"auth": "Ym9iOmJ1aWxkZXI="}}}"#);
    let regpass = setup.regpass_with_variables("credential = { source = \"docker\" }", &[]);
    setup.assert_pull_as_alice(&regpass, ".dockercfg").await;
    setup.sim.finish();

    let setup = Setup::new().await;
    setup.write(".dockercfg", r#"{"generic.test": {"auth": "YWxpY2U6d29uZGVybGFuZA=="}}"#);
    setup.write(".config/containers/auth.json", r#"{"auths": {"generic.test": {"auth": "Ym9iOmJ1aWxkZXI="}}}"#);
    setup.regpass_with_variables("credential = { source = \"docker\" }", &[]).get(SECRET).await;
    assert_eq!(token_authorizations(&setup.sim), ["basic:bob"]);
    setup.sim.finish();
}
