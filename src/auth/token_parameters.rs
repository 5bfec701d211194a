//! The parameters of token requests: the query of a GET (distribution's token authentication specification) and the form
//! of a POST (distribution's page on `OAuth2`).

use crate::base::origin::Url;
use crate::base::secret::Secret;
use crate::oci::scope::ScopeSet;

/// The query of a token request by GET: the realm's own query, the service and one `scope` for each scope.
pub(super) fn token_query(realm: &Url, service: Option<&str>, scopes: &ScopeSet) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    if let Some(service) = service {
        query.append_pair("service", service);
    }
    for scope in scopes.render() {
        query.append_pair("scope", &scope);
    }
    let added = query.finish();
    // A scope in the realm's own query (NGC's form of 2019) is dropped: it belongs to the request that was challenged.
    let kept = realm.query.as_deref().unwrap_or_default().split('&').filter(|part| !part.starts_with("scope="));
    let parts: Vec<&str> = kept.chain([&*added]).filter(|part| !part.is_empty()).collect();
    parts.join("&")
}

/// The form of a token request by POST, with an identity token as refresh token.
pub(super) fn refresh_form(service: Option<&str>, scopes: &ScopeSet, token: &Secret) -> String {
    let mut form = form_urlencoded::Serializer::new(String::new());
    form.append_pair("grant_type", "refresh_token");
    form.append_pair("client_id", "regpass");
    if let Some(service) = service {
        form.append_pair("service", service);
    }
    if !scopes.is_empty() {
        form.append_pair("scope", &scopes.to_string());
    }
    form.append_pair("refresh_token", token.expose());
    form.finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn token_query_keeps_the_query_of_the_realm_and_omits_what_is_absent() {
        for (realm, service, scopes, query) in [
            (
                "https://a.io/token",
                Some("registry.docker.io"),
                "repository:library/python:pull",
                "service=registry.docker.io&scope=repository%3Alibrary%2Fpython%3Apull",
            ),
            ("https://a.io/token", None, "", ""),
            ("https://a.io/p?x=1", None, "repository:a:pull", "x=1&scope=repository%3Aa%3Apull"),
            ("https://a.io/p?x=1&y", None, "", "x=1&y"),
            (
                "https://a.io/p?scope=repository:b:push&x=1",
                None,
                "repository:a:pull",
                "x=1&scope=repository%3Aa%3Apull",
            ),
            ("https://a.io/t", Some("SUSE Linux Docker Registry"), "", "service=SUSE+Linux+Docker+Registry"),
            ("https://a.io/t", Some("s&scope=evil"), "", "service=s%26scope%3Devil"),
            (
                "https://a.io/t",
                Some("s"),
                "repository:a:pull repository:b:pull",
                "service=s&scope=repository%3Aa%3Apull&scope=repository%3Ab%3Apull",
            ),
        ] {
            let realm = Url::parse(realm).unwrap();
            assert_eq!(token_query(&realm, service, &ScopeSet::parse(scopes)), query);
        }
    }
}
