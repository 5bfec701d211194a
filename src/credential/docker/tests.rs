use std::ffi::OsString;
use std::fs;
use std::path::Path;

use tempfile::{TempDir, tempdir};
use tokio::time::advance;

use super::*;
use crate::credential::Credential;
use crate::credential::tests::{Log, environment, fetch, helper, password, replace};

fn file(folder: &TempDir, text: &str) -> (PathBuf, Docker) {
    let path = folder.path().join("config.json");
    fs::write(&path, text).unwrap();
    (path.clone(), Docker::file(path, Helpers::new(&environment(folder.path()))))
}

fn login(registry: &str, user: &str) -> String {
    format!(r#"{{"auths": {{"{registry}": {{"username": "{user}", "password": "p"}}}}}}"#)
}

#[tokio::test(start_paused = true)]
async fn a_new_login_is_in_force_and_a_broken_file_is_not() {
    let folder = tempdir().unwrap();
    let (path, docker) = file(&folder, &login("ghcr.io", "old"));
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("old", "p"));
    replace(&path, &login("ghcr.io", "new"));
    advance(Duration::from_secs(1)).await;
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("new", "p"));
    assert!(fetch(&docker, "quay.io").await.unwrap().is_anonymous());
    replace(&path, "{");
    advance(Duration::from_secs(1)).await;
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("new", "p"));
    replace(&path, "{}");
    advance(Duration::from_secs(1)).await;
    assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous(), "logged out");
}

#[tokio::test(start_paused = true)]
async fn a_named_file_has_to_be_there() {
    let folder = tempdir().unwrap();
    let (path, docker) = file(&folder, "{");
    let error = fetch(&docker, "ghcr.io").await.unwrap_err();
    assert_eq!(error.what, format!("{}:1:1: it is not well-formed JSON; repair it or log in again", path.display()));
    fs::remove_file(&path).unwrap();
    advance(Duration::from_secs(1)).await;
    let error = fetch(&docker, "ghcr.io").await.unwrap_err();
    assert!(error.what.starts_with(&format!("{} does not exist", path.display())), "{error}");
    fs::write(&path, login("ghcr.io", "u")).unwrap();
    advance(Duration::from_secs(1)).await;
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("u", "p"));
}

#[tokio::test(start_paused = true)]
async fn of_the_usual_places_the_first_with_a_login_counts() {
    let folder = tempdir().unwrap();
    let variables = |name: &str| match name {
        "HOME" => Some(OsString::from(folder.path())),
        "XDG_RUNTIME_DIR" => Some(folder.path().join("run").into()),
        _ => None,
    };
    let environment = Environment::read(variables);
    let docker = Docker::usual_places(&environment, Helpers::new(&environment));
    assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous(), "no file at all");
    let put = |place: &str, text: String| {
        let path = folder.path().join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    };
    for (place, text, user) in [
        (".config/containers/auth.json", login("ghcr.io", "config"), "config"),
        ("run/containers/auth.json", login("ghcr.io", "run"), "run"),
        (".docker/config.json", login("quay.io", "docker"), "run"),
        (".docker/config.json", login("ghcr.io", "docker"), "docker"),
    ] {
        put(place, text);
        advance(Duration::from_secs(1)).await;
        assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password(user, "p"), "{place}");
    }
}

#[tokio::test]
async fn the_store_is_asked_under_every_name_of_the_login() {
    let folder = tempdir().unwrap();
    let config = r#"{"auths": {"https://quay.io": {}}, "credsStore": "all"}"#;
    let (_, docker) = file(&folder, config);
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
        let found = fetch(&docker, image).await.unwrap();
        assert_eq!(found.credential, credential, "{image}");
        let source = if found.is_anonymous() { "no credential" } else { "docker-credential-all" };
        assert_eq!(&*found.source, source);
    }
    assert_eq!(asked(folder.path()), ["https://index.docker.io/v1/", "quay.io", "https://quay.io", "ghcr.io"]);
}

#[tokio::test]
async fn a_login_into_a_store_is_in_force_at_once() {
    let folder = tempdir().unwrap();
    let config = r#"{"auths": {"ghcr.io": {}}, "credsStore": "all"}"#;
    let (path, docker) = file(&folder, config);
    let not_found = "echo credentials not found in native keychain; exit 1";
    helper(folder.path(), "all", not_found);
    assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous());
    for user in ["first", "second"] {
        helper(folder.path(), "all", &format!(r#"echo '{{"Username":"{user}","Secret":"p"}}'"#));
        replace(&path, config);
        tokio::time::pause();
        advance(Duration::from_secs(1)).await;
        tokio::time::resume();
        assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password(user, "p"));
    }
}

#[tokio::test]
async fn a_failing_store_matters_where_the_file_names_the_registry() {
    let (log, _guard) = Log::listen();
    let folder = tempdir().unwrap();
    let (_, docker) = file(&folder, r#"{"auths": {"quay.io": {}}, "credsStore": "gone"}"#);
    for _ in 0..3 {
        assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous());
        assert!(fetch(&docker, "gcr.io").await.unwrap().is_anonymous());
    }
    let error = fetch(&docker, "quay.io").await.unwrap_err();
    let (program, path) = ("docker-credential-gone", folder.path().display());
    assert_eq!(
        error.what,
        format!("found no program {program} in PATH ({path}); install it there or correct the name")
    );
    assert_eq!(log.lines("WARN").len(), 2, "one for each registry");
}

#[tokio::test]
async fn where_the_helper_has_nothing_the_next_file_may() {
    let folder = tempdir().unwrap();
    helper(folder.path(), "own", "echo credentials not found in native keychain; exit 1");
    let files = [".docker/config.json", ".config/containers/auth.json"].map(|file| folder.path().join(file));
    for file in &files {
        fs::create_dir_all(file.parent().unwrap()).unwrap();
    }
    fs::write(&files[0], r#"{"auths": {"ghcr.io": {"auth": "dTpw"}}, "credHelpers": {"ghcr.io": "own"}}"#).unwrap();
    let environment = environment(folder.path());
    let docker = Docker::usual_places(&environment, Helpers::new(&environment));
    assert!(fetch(&docker, "ghcr.io").await.unwrap().is_anonymous(), "the helper decides for its file");
    fs::write(&files[1], login("ghcr.io", "podman")).unwrap();
    let docker = Docker::usual_places(&environment, Helpers::new(&environment));
    assert_eq!(fetch(&docker, "ghcr.io").await.unwrap().credential, password("podman", "p"));
}

fn asked(folder: &Path) -> Vec<String> {
    fs::read_to_string(folder.join("asked")).unwrap().lines().map(Into::into).collect()
}
