use std::time::Duration;

use super::*;
use crate::credential::tests::literal;

#[test]
fn equal_sources_are_built_once() {
    let sources = Sources::new(Environment::default());
    let bearer = |text: &str| CredentialSource::Bearer { token: literal(text) };
    let helper = |name: &str| CredentialSource::Helper { name: name.into(), timeout: Duration::from_secs(1) };
    let first = sources.build(&bearer("a"));
    assert!(Arc::ptr_eq(&first, &sources.build(&bearer("a"))));
    assert!(!Arc::ptr_eq(&first, &sources.build(&bearer("b"))));
    assert!(!Arc::ptr_eq(&sources.build(&helper("a")), &sources.build(&helper("b"))));
    drop(first);
    sources.build(&CredentialSource::Anonymous);
    assert_eq!(sources.built.lock().unwrap().len(), 1, "what nobody uses is not kept");
}
