//! Tags, repositories and referrers.

use std::collections::BTreeSet;

use super::outcome::Outcome;
use super::pull::describe_count;
use super::row::{Credential, Row};
use crate::proxied_registry::{assert_no_upstream_headers, assert_rejected};
use crate::registry_setup::RegistrySetup;
use crate::sim::{Catalog, Image, LinkForm};

/// More tags than any registry has on one page.
const MANY: usize = 230;

/// Reads a list page by page from the target `first`. Asserts that each entry comes once, and that each `Link` is in
/// regpass's form. Returns the entries and the number of pages.
async fn read_list(setup: &RegistrySetup, first: &str, key: &str) -> (Vec<String>, usize) {
    let path = first.split('?').next().unwrap();
    let (mut entries, mut count, mut next) = (Vec::new(), 0, first.to_owned());
    loop {
        let reply = setup.get(&next).await;
        assert_eq!(reply.status, 200, "{next}: {reply:?}");
        assert_no_upstream_headers(&reply);
        let json = reply.json();
        entries.extend(json[key].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap().to_owned()));
        count += 1;
        assert!(count <= MANY, "the list does not end: {next}");
        let Some(link) = reply.header("link") else { break };
        let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        next = target.map_or_else(|| panic!("the link is not in regpass's form: {link}"), ToOwned::to_owned);
        let query = next.strip_prefix(path).and_then(|rest| rest.strip_prefix('?'));
        let query = query.unwrap_or_else(|| panic!("the link is not below the requested path: {link}"));
        let bad = |pair: &str| pair == "n=0" || pair.ends_with('=') || !pair.contains('=');
        assert!(!query.split('&').any(bad), "the link has an empty parameter: {link}");
    }
    let distinct: BTreeSet<&String> = entries.iter().collect();
    assert_eq!(distinct.len(), entries.len(), "an entry comes twice: {entries:?}");
    (entries, count)
}

pub async fn tags(row: &Row) -> Outcome {
    let setup = row.start(Credential::Valid).await;
    for number in 2..=MANY {
        setup.registry.publish_private(setup.private_repository(), &number.to_string(), &setup.image);
    }
    setup.warm().await;
    let list = setup.private_path("tags/list");
    let (all, default_pages) = read_list(&setup, &list, "tags").await;
    assert_eq!(all.len(), MANY);
    let requests = setup.take_requests();
    // Listing tags may need another scope than pulling.
    let token_calls = usize::from(requests.token_calls() == 1);
    assert_eq!(requests.count() - requests.redirects(), default_pages + token_calls, "{requests:?}");
    requests.assert_no_rejection();
    let (size, pages) = if setup.registry.preset().lists.tags.link == LinkForm::None {
        // The registry accepts `n` but sends no link to the next page.
        ("", default_pages)
    } else {
        let (all, pages) = read_list(&setup, &format!("{list}?n=100"), "tags").await;
        assert_eq!(all.len(), MANY);
        (" of 100", pages)
    };
    Outcome::works(if pages == 1 { "1 page".to_owned() } else { format!("{pages} pages{size}") })
}

pub async fn catalog(row: &Row) -> Outcome {
    let (credential, is_supported) = match row.preset.capabilities.catalog {
        Catalog::OwnNamespaces => return own_namespaces(row).await,
        Catalog::Unsupported => (Credential::Valid, false),
        Catalog::Everyone => (Credential::None, true),
        Catalog::AnyUser => (Credential::Valid, true),
        Catalog::AdminByToken { user } | Catalog::AdminByBasic { user } => (Credential::Admin(user), true),
    };
    let setup = row.start(credential).await;
    if !is_supported {
        let reply = setup.get("/v2/_catalog").await;
        assert_rejected(&reply, "405 UNSUPPORTED", &[]);
        let cell = Outcome::rejected_after(setup.take_requests().count());
        assert_eq!(cell, Outcome::rejected_after(0), "regpass forwards no request that the registry never supports");
        return cell;
    }
    let (names, _) = read_list(&setup, "/v2/_catalog?n=1", "repositories").await;
    for name in [setup.public_repository(), setup.private_repository()] {
        assert!(names.iter().any(|is_supported| is_supported == name), "{name} is missing in {names:?}");
    }
    setup.take_requests();
    let reply = setup.get("/v2/_catalog").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    setup.take_requests().assert_one_request();
    Outcome::works(match row.preset.capabilities.catalog {
        Catalog::Everyone | Catalog::Unsupported | Catalog::OwnNamespaces => "for all",
        Catalog::AnyUser => {
            assert_denied_with(row, Credential::None).await;
            "with a credential"
        }
        Catalog::AdminByToken { .. } | Catalog::AdminByBasic { .. } => {
            assert_denied_with(row, Credential::Valid).await;
            "as administrator"
        }
    })
}

/// The catalog over the vendor's API: with a credential its own repositories, without one a 405.
async fn own_namespaces(row: &Row) -> Outcome {
    let setup = row.start(Credential::None).await;
    assert_rejected(&setup.get("/v2/_catalog").await, "405 UNSUPPORTED", &["credential"]);
    assert_eq!(setup.take_requests().count(), 0);
    let setup = row.start(Credential::Valid).await;
    let (names, _) = read_list(&setup, "/v2/_catalog?n=1", "repositories").await;
    assert_eq!(names, [setup.private_repository()]);
    setup.take_requests();
    Outcome::works("own namespaces")
}

/// Asserts that the catalog is a 403 with this credential.
async fn assert_denied_with(row: &Row, credential: Credential) {
    let setup = row.start(credential).await;
    let reply = setup.get("/v2/_catalog").await;
    assert_rejected(&reply, "403 DENIED", &[]);
}

pub async fn referrers(row: &Row) -> Outcome {
    let setup = row.start(Credential::Valid).await;
    let artifact = Image::artifact("application/vnd.example.signature", setup.image.top());
    setup.registry.store().put(setup.private_repository(), "signature", &artifact);
    setup.warm().await;
    let target = setup.private_path(&format!("referrers/{}", setup.image.digest()));
    if !setup.capabilities.referrers {
        return referrers_by_tag(&setup, &target, &artifact).await;
    }
    let reply = setup.get(&target).await;
    let requests = setup.take_requests();
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["manifests"][0]["digest"], artifact.digest(), "{reply:?}");
    assert_no_upstream_headers(&reply);
    requests.assert_one_request();
    Outcome::works(describe_count(requests.count()))
}

/// The referrers at a registry without the API, which the referrers tag lists.
async fn referrers_by_tag(setup: &RegistrySetup, target: &str, artifact: &Image) -> Outcome {
    let tag = setup.image.digest().replace(':', "-");
    setup.registry.store().put(setup.private_repository(), &tag, &Image::referrers(&[artifact]));
    let reply = setup.get(target).await;
    let first = setup.take_requests();
    if reply.status != 200 {
        assert_rejected(&reply, "404 UNSUPPORTED", &["referrers"]);
        return Outcome::rejected_after(first.count());
    }
    assert_eq!(first.count(), 2, "the API, then the tag: {reply:?}");
    assert_eq!(reply.json()["manifests"][0]["digest"], artifact.digest(), "{reply:?}");
    assert_no_upstream_headers(&reply);
    assert_eq!(setup.get(target).await.body, reply.body);
    let second = setup.take_requests();
    second.assert_one_request();
    Outcome::works(format!("by tag, {}", describe_count(second.count())))
}
