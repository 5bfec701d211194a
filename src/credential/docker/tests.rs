use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};
use tokio::time::advance;

use super::*;
use crate::base::tests::{CapturedLog, replace_file};
use crate::credential::Credential;
use crate::credential::tests::{environment, fetch, helper, password};

/// A provider for a file with this text.
fn provider(folder: &TempDir, text: &str) -> (PathBuf, DockerProvider) {
    let path = folder.path().join("config.json");
    fs::write(&path, text).unwrap();
    (path.clone(), DockerProvider::file(path, Helpers::new(&environment(folder.path()))))
}

fn login(registry: &str, user: &str) -> String {
    format!(r#"{{"auths": {{"{registry}": {{"username": "{user}", "password": "p"}}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_changed_file_is_used_and_a_broken_one_is_not() {
    let folder = tempdir().unwrap();
    let (path, docker) = provider(&folder, &login("ghcr.io", "old"));
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("old", "p"));
    replace_file(&path, &login("ghcr.io", "new"));
    advance(Duration::from_secs(1)).await;
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("new", "p"));
    assert!(fetch(&docker, "quay.io").await.unwrap().is_anonymous());
    replace_file(&path, "{");
    advance(Duration::from_secs(1)).await;
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("new", "p"));
    replace_file(&path, "{}");
    advance(Duration::from_secs(1)).await;
    assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous(), "logged out");
}

#[tokio::test(start_paused = true)]
async fn a_named_file_that_is_missing_or_broken_is_an_error() {
    let folder = tempdir().unwrap();
    let (path, docker) = provider(&folder, "{");
    let error = fetch(&docker, "ghcr.io").await.unwrap_err();
    assert_eq!(
        error.message,
        format!("{}:1:1: it is not well-formed JSON; repair the file or log in again", path.display())
    );
    fs::remove_file(&path).unwrap();
    advance(Duration::from_secs(1)).await;
    let error = fetch(&docker, "ghcr.io").await.unwrap_err();
    assert!(error.message.starts_with(&format!("{} does not exist", path.display())), "{error}");
    fs::write(&path, login("ghcr.io", "u")).unwrap();
    advance(Duration::from_secs(1)).await;
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("u", "p"));
}

#[tokio::test(start_paused = true)]
async fn of_the_default_files_the_first_with_a_credential_is_used() {
    let folder = tempdir().unwrap();
    let environment =
        Environment::new([("HOME", folder.path().to_owned()), ("XDG_RUNTIME_DIR", folder.path().join("run"))]);
    let docker = DockerProvider::default_files(&environment, Helpers::new(&environment));
    assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous(), "no file at all");
    let write = |place: &str, text: String| {
        let path = folder.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (place, text, user) in [
        (".dockercfg", r#"{"ghcr.io": {"auth": "b2xkOnA="}}"#.to_owned(), "old"),
        (".config/containers/auth.json", login("ghcr.io", "config"), "config"),
        ("run/containers/auth.json", login("ghcr.io", "run"), "run"),
        (".docker/config.json", login("quay.io", "docker"), "run"),
        (".docker/config.json", login("ghcr.io", "docker"), "docker"),
    ] {
        write(place, text);
        advance(Duration::from_secs(1)).await;
        assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password(user, "p"), "{place}");
    }
}

#[tokio::test]
async fn the_store_is_queried_with_every_key_of_the_registry() {
    let folder = tempdir().unwrap();
    let config = r#"{"auths": {"https://quay.io": {}}, "credsStore": "all"}"#;
    let (_, docker) = provider(&folder, config);
    helper(
        folder.path(),
        "all",
        r#"echo "$server" >> "$here/asked"
        case $server in
            https://index.docker.io/v1/) echo '{"Username":"hub","Secret":"p"}' ;;
            https://quay.io) echo '{"Username":"quay","Secret":"p"}' ;;
            *) echo credentials not found in native keychain; exit 1 ;;
        esac"#,
    );
    for (image, credential) in [
        ("docker.io/library/python", password("hub", "p")),
        ("quay.io/a/b", password("quay", "p")),
        ("ghcr.io/a/b", Credential::Anonymous),
        ("ghcr.io/a/c", Credential::Anonymous),
        ("docker.io", password("hub", "p")),
    ] {
        let resolved = fetch(&docker, image).await.unwrap();
        assert_eq!(resolved.credential, credential, "{image}");
        let absence = resolved.absence().map(|why| why.contains("docker-credential-all, which the docker file "));
        assert_eq!(
            (absence == Some(true), &*resolved.source == "docker-credential-all"),
            (resolved.is_anonymous(), !resolved.is_anonymous())
        );
    }
    assert_eq!(queries(folder.path()), ["https://index.docker.io/v1/", "quay.io", "https://quay.io", "ghcr.io"]);
}

#[tokio::test]
async fn a_rewritten_file_makes_the_store_be_queried_again() {
    let folder = tempdir().unwrap();
    let config = r#"{"auths": {"ghcr.io": {}}, "credsStore": "all"}"#;
    let (path, docker) = provider(&folder, config);
    let not_found = "echo credentials not found in native keychain; exit 1";
    helper(folder.path(), "all", not_found);
    assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous());
    for user in ["first", "second"] {
        helper(folder.path(), "all", &format!(r#"echo '{{"Username":"{user}","Secret":"p"}}'"#));
        replace_file(&path, config);
        tokio::time::pause();
        advance(Duration::from_secs(1)).await;
        tokio::time::resume();
        assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password(user, "p"));
    }
}

#[tokio::test]
async fn a_failing_store_is_an_error_only_if_the_file_has_an_entry() {
    let (log, _guard) = CapturedLog::start();
    let folder = tempdir().unwrap();
    let (_, docker) = provider(&folder, r#"{"auths": {"quay.io": {}}, "credsStore": "gone"}"#);
    for _ in 0..3 {
        assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous());
        assert!(fetch(&docker, "gcr.io").await.unwrap().is_anonymous());
    }
    let error = fetch(&docker, "quay.io").await.unwrap_err();
    let (program, path) = ("docker-credential-gone", folder.path().display());
    assert_eq!(
        error.message,
        format!("cannot find the program {program} in PATH ({path}); install it there or correct the name")
    );
    assert_eq!(log.lines("WARN").len(), 2, "one for each registry");
}

#[tokio::test]
async fn without_an_answer_from_the_helper_the_next_file_is_used() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "own", "echo credentials not found in native keychain; exit 1");
    let files = [".docker/config.json", ".config/containers/auth.json"].map(|file| folder.path().join(file));
    for file in &files {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
    }
    fs::write(&files[0], r#"{"auths": {"ghcr.io": {"auth": "dTpw"}}, "credHelpers": {"ghcr.io": "own"}}"#).unwrap();
    let environment = environment(folder.path());
    let docker = DockerProvider::default_files(&environment, Helpers::new(&environment));
    assert!(
        fetch(&docker, "ghcr.io").await.unwrap().is_anonymous(),
        "the entry in auths is not used beside credHelpers"
    );
    fs::write(&files[1], login("ghcr.io", "podman")).unwrap();
    let docker = DockerProvider::default_files(&environment, Helpers::new(&environment));
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("podman", "p"));
}

/// The keys that the helper was queried with.
fn queries(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("asked")).unwrap().lines().map(Into::into).collect()
}
