use std::time::Duration;

use super::*;
use crate::config::cloud::Cloud;
use crate::credential::tests::literal;

#[test]
fn equal_sources_are_built_once() {
    let sources = Sources::new(Environment::default(), Network::Tcp, WallClock::System);
    let bearer = |text: &str| CredentialSource::Bearer { token: literal(text) };
    let helper = |name: &str| CredentialSource::Helper { name: name.into(), timeout: Duration::from_secs(1) };
    let first = sources.build(&bearer("a"));
    assert!(Arc::ptr_eq(&first, &sources.build(&bearer("a"))));
    assert!(!Arc::ptr_eq(&first, &sources.build(&bearer("b"))));
    assert!(!Arc::ptr_eq(&sources.build(&helper("a")), &sources.build(&helper("b"))));
    drop(first);
    sources.build(&CredentialSource::Anonymous);
    assert_eq!(sources.providers.0.lock().unwrap().len(), 1, "what nobody uses is not kept");
}

#[test]
fn an_upload_key_stays_the_same_reading_while_it_is_in_use() {
    let sources = Sources::new(Environment::default(), Network::Tcp, WallClock::System);
    let file = |path: &str| SecretSource::File(path.into());
    let first = sources.upload_key(&file("/a"));
    assert!(Arc::ptr_eq(&first, &sources.upload_key(&file("/a"))), "after a reload too");
    assert!(!Arc::ptr_eq(&first, &sources.upload_key(&file("/b"))));
    assert!(!Arc::ptr_eq(&first, &sources.upload_key(&literal("/a"))));
}

#[tokio::test]
async fn every_source_tells_of_the_files_that_have_to_be_there() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("secret");
    let file = || SecretSource::File(path.clone());
    let home = Environment::read(|name| (name == "HOME").then(|| folder.path().into()));
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
        let troubles = sources.build(&source).troubles().await;
        assert_eq!(troubles.len(), count, "{source:?}: {troubles:?}");
        for trouble in troubles {
            assert!(
                trouble.what.starts_with(&format!("{} does not exist", path.display())) && !trouble.kept,
                "{trouble:?}"
            );
        }
    }
}
