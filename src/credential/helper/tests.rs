use std::fs;

use tempfile::{TempDir, tempdir};

use super::*;
use crate::credential::tests::{environment, fetch, helper, password};

const SCRIPT: &str = r#"echo "$server" >> "$here/asked"; cat "$here/login""#;

/// A folder with the helper `counts`, which logs its queries and answers with this user.
fn counting_helper(user: &str) -> (TempDir, Arc<Helpers>) {
    let folder = tempdir().unwrap();
    helper(folder.path(), "counts", &SCRIPT.replace("cat", "/bin/cat"));
    set_user(&folder, user);
    let helpers = Helpers::new(&environment(folder.path()));
    (folder, helpers)
}

fn set_user(folder: &TempDir, user: &str) {
    fs::write(folder.path().join("login"), format!(r#"{{"Username":"{user}","Secret":"p"}}"#)).unwrap();
}

/// The keys that the helper was queried with.
fn queries(folder: &TempDir) -> Vec<String> {
    fs::read_to_string(folder.path().join("asked")).unwrap().lines().map(Into::into).collect()
}

fn provider(helpers: &Arc<Helpers>) -> HelperProvider {
    HelperProvider::new("docker-credential-counts", Duration::from_secs(60), helpers.clone())
}

#[tokio::test]
async fn concurrent_requests_cause_one_call() {
    let (folder, helpers) = counting_helper("u");
    let helper = Arc::new(provider(&helpers));
    let callers: Vec<_> = (0..50)
        .map(|_| {
            let helper = helper.clone();
            tokio::spawn(async move { fetch(&*helper, "ghcr.io/a/b").await })
        })
        .collect();
    for caller in callers {
        let resolved = caller.await.unwrap().unwrap();
        assert_eq!((resolved.credential, &*resolved.source), (password("u", "p"), "docker-credential-counts"));
    }
    fetch(&provider(&helpers), "ghcr.io").await.unwrap();
    assert_eq!(queries(&folder), ["ghcr.io"], "providers share the cached answer");
    fetch(&*helper, "quay.io").await.unwrap();
    assert_eq!(queries(&folder), ["ghcr.io", "quay.io"], "each server has an answer of its own");
}

#[tokio::test]
async fn the_legacy_key_is_queried_first_and_its_answer_suffices() {
    let (folder, helpers) = counting_helper("u");
    fetch(&provider(&helpers), "docker.io/library/python").await.unwrap();
    assert_eq!(queries(&folder), ["https://index.docker.io/v1/"]);
}

#[tokio::test]
async fn after_a_rejection_the_helper_is_called_again() {
    let (folder, helpers) = counting_helper("old");
    let helper = provider(&helpers);
    let old = fetch(&helper, "ghcr.io").await.unwrap();
    set_user(&folder, "new");
    assert_eq!(fetch(&helper, "ghcr.io").await.unwrap().id, old.id);
    helper.note_rejected(old.id);
    assert_eq!(fetch(&helper, "ghcr.io").await.unwrap().credential, password("new", "p"));
    assert_eq!(queries(&folder).len(), 2);
}
