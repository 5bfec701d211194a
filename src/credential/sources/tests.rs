use std::time::Duration;

use super::*;
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
