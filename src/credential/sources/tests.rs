use std::time::Duration;

use super::*;
use crate::config::cloud::Cloud;
use crate::credential::tests::literal;

#[test]
fn equal_sources_are_built_once() {
    let sources = Sources::new(Environment::default(), Network::Tcp, WallClock::System);
    let bearer = |text: &str| CredentialSource::Bearer { token: literal(text) };
    let helper = |name: &str| CredentialSource::Helper { name: name.into(), timeout: Duration::from_secs(1) };
    let first = sources.provider_for(&bearer("a"));
    assert!(Arc::ptr_eq(&first, &sources.provider_for(&bearer("a"))));
    assert!(!Arc::ptr_eq(&first, &sources.provider_for(&bearer("b"))));
    assert!(!Arc::ptr_eq(&sources.provider_for(&helper("a")), &sources.provider_for(&helper("b"))));
    drop(first);
    sources.provider_for(&CredentialSource::Anonymous);
    assert_eq!(sources.providers.0.lock().unwrap().len(), 1, "an unused provider is dropped");
}

#[test]
fn an_upload_key_in_use_keeps_its_reader() {
    let sources = Sources::new(Environment::default(), Network::Tcp, WallClock::System);
    let file = |path: &str| SecretSource::File(path.into());
    let first = sources.upload_key(&file("/a"));
    assert!(Arc::ptr_eq(&first, &sources.upload_key(&file("/a"))), "the reader is shared");
    assert!(!Arc::ptr_eq(&first, &sources.upload_key(&file("/b"))));
    assert!(!Arc::ptr_eq(&first, &sources.upload_key(&literal("/a"))));
}

#[tokio::test]
async fn every_source_reports_its_required_files_that_are_missing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let file = || SecretSource::File(path.clone());
    let home = Environment::new([("HOME", folder.path())]);
    for (source, count) in [
        (CredentialSource::Anonymous, 0),
        (CredentialSource::Bearer { token: literal("a") }, 0),
        (CredentialSource::Bearer { token: file() }, 1),
        (CredentialSource::Identity { token: file(), username: None }, 1),
        (CredentialSource::Password { username: file(), password: file() }, 2),
        (CredentialSource::Docker { file: Some(path.clone()) }, 1),
        (CredentialSource::Docker { file: None }, 0),
        (CredentialSource::Cloud(Cloud::Google { key_file: Some(path.clone()) }), 1),
        (CredentialSource::Cloud(Cloud::Google { key_file: None }), 0),
    ] {
        let sources = Sources::new(home.clone(), Network::Tcp, WallClock::System);
        let problems = sources.provider_for(&source).file_problems().await;
        assert_eq!(problems.len(), count, "{source:?}: {problems:?}");
        for problem in problems {
            assert!(
                problem.message.starts_with(&format!("{} does not exist", path.display())) && !problem.has_last_good,
                "{problem:?}"
            );
        }
    }
}
