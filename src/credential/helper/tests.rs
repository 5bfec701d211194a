use std::fs;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::credential::tests::{environment, fetch, helper, password};

const LOGIN: &str = r#"echo "$server" >> "$here/asked"; cat "$here/login""#;

fn with_login(login: &str) -> (TempDir, Arc<Helpers>) {
    let folder = tempdir().unwrap();
    helper(folder.path(), "counts", &LOGIN.replace("cat", "/bin/cat"));
    say(&folder, login);
    let helpers = Helpers::new(&environment(folder.path()));
    (folder, helpers)
}

fn say(folder: &TempDir, user: &str) {
    fs::write(folder.path().join("login"), format!(r#"{{"Username":"{user}","Secret":"p"}}"#)).unwrap();
}

fn asked(folder: &TempDir) -> Vec<String> {
    fs::read_to_string(folder.path().join("asked")).unwrap().lines().map(Into::into).collect()
}

fn counts(helpers: &Arc<Helpers>) -> Helper {
    Helper::new("docker-credential-counts", Duration::from_secs(60), helpers.clone())
}

#[tokio::test]
async fn many_callers_ask_once() {
    let (folder, helpers) = with_login("u");
    let helper = Arc::new(counts(&helpers));
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let helper = helper.clone();
            tokio::spawn(async move { fetch(&*helper, "ghcr.io/a/b").await })
        })
        .collect();
    for caller in callers {
        let found = caller.await.unwrap().unwrap();
        assert_eq!((found.credential, &*found.source), (password("u", "p"), "docker-credential-counts"));
    }
    fetch(&counts(&helpers), "ghcr.io").await.unwrap();
    assert_eq!(asked(&folder), ["ghcr.io"], "whoever names the helper");
    fetch(&*helper, "quay.io").await.unwrap();
    assert_eq!(asked(&folder), ["ghcr.io", "quay.io"], "one server's login is not another's");
}

#[tokio::test]
async fn the_legacy_key_comes_first_and_suffices() {
    let (folder, helpers) = with_login("u");
    fetch(&counts(&helpers), "docker.io/library/python").await.unwrap();
    assert_eq!(asked(&folder), ["https://index.docker.io/v1/"]);
}

#[tokio::test]
async fn a_login_that_was_refused_is_asked_for_again() {
    let (folder, helpers) = with_login("old");
    let helper = counts(&helpers);
    let old = fetch(&helper, "ghcr.io").await.unwrap();
    say(&folder, "new");
    assert_eq!(fetch(&helper, "ghcr.io").await.unwrap().id, old.id);
    helper.refused(old.id);
    assert_eq!(fetch(&helper, "ghcr.io").await.unwrap().credential, password("new", "p"));
    assert_eq!(asked(&folder).len(), 2);
}
