//! The admin listener shows no secret, even if a registry repeats it, and escapes what registries and clients send.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use regpass::observe::image::QUIET_PERIOD;

use super::{APP, TwoRegistries};
use crate::credentials::password;
use crate::sim::{Fault, Reply};

/// The bodies of all pages of the admin listener.
async fn all_pages(setup: &TwoRegistries) -> String {
    let mut all = String::new();
    for path in ["/", "/status.json", "/readyz", "/metrics"] {
        all += str::from_utf8(&setup.regpass.get_admin(path).await.body).unwrap();
    }
    all
}

#[tokio::test(start_paused = true)]
async fn credentials_tokens_and_signed_urls_are_redacted() {
    let identity = "[[registry.\"docker.io\".identity]]\nrepositories = [\"alice/**\"]\n";
    let hub = format!("{identity}{}", password("alice", "alices-password"));
    let setup = TwoRegistries::start(&hub, &password("alice", "password-of-last-year")).await;
    let layer = setup.hub.store().read("team/app", |repository| repository.blobs.keys().next().cloned()).flatten();
    let blob = format!("/v2/docker.io/team/app/blobs/{}", layer.unwrap());
    setup.pull().await;
    assert_eq!(setup.regpass.get(&blob).await.status, 200, "redirected to a signed URL");
    assert_eq!(setup.regpass.get("/v2/docker.io/alice/none/manifests/1").await.status, 404);
    assert_eq!(
        setup.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status,
        200,
        "anonymously, as the credential is rejected"
    );

    // From here on every server repeats the credential that it received.
    let echo = || {
        Fault::alter(|entry, _| {
            let header = entry.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let sent = header.unwrap_or_default();
            let credential = sent.split(' ').next_back().unwrap_or_default().to_owned();
            Reply::error(403, "DENIED", &format!("you sent {sent} to {}?{}", entry.path, entry.query))
                .header("ratelimit-limit", "100;w=21600")
                .header("docker-ratelimit-source", if credential.is_empty() { "nobody" } else { &credential })
        })
    };
    for server in [
        setup.hub.api(),
        setup.hub.blob_store(),
        setup.hub.token_service(),
        setup.corp.api(),
        setup.corp.token_service(),
    ] {
        server.inject(echo());
    }
    for target in [APP, &*blob, "/v2/docker.io/alice/none/manifests/1", "/v2/corp.example:5000/x/y/manifests/1"] {
        assert_ne!(setup.regpass.get(target).await.status, 200, "{target}");
    }
    setup.hub.api().clear_faults();
    assert_ne!(setup.regpass.get(&blob).await.status, 200);

    let mut secrets = BTreeSet::new();
    for (user, password) in [("alice", "alices-password"), ("alice", "password-of-last-year")] {
        secrets.insert(password.to_owned());
        secrets.insert(BASE64_STANDARD.encode(format!("{user}:{password}")));
    }
    let entries = setup.sim.ledger().entries();
    for entry in &entries {
        let header = entry.headers.get("authorization").and_then(|value| value.to_str().ok());
        secrets.extend(header.and_then(|header| header.split(' ').nth(1)).map(ToOwned::to_owned));
        if entry.server == "blobs" {
            let values = entry.query.split('&').filter_map(|pair| pair.split_once('='));
            secrets.extend(values.map(|(_, value)| value.to_owned()).filter(|value| value.len() > 15));
        }
    }
    assert!(secrets.len() > 6, "tokens and signatures are among the secrets: {secrets:?}");
    tokio::time::sleep(QUIET_PERIOD * 2).await;
    let images = setup.regpass.status().await["images"].clone();
    assert!(images.as_array().unwrap().iter().any(|image| image["failure"]["message"].is_string()), "{images:#}");
    let all = all_pages(&setup).await;
    for secret in &secrets {
        assert!(!all.contains(secret.as_str()), "{secret} is shown");
    }
    assert!(all.contains("100 allowed"), "the rate limit is shown without its source, which contains a secret");
}

#[tokio::test(start_paused = true)]
async fn messages_of_registries_are_escaped() {
    let setup = TwoRegistries::start("", "").await;
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><style>*{display:none}</style>&lt;\u{202e}";
    setup.hub.api().inject(Fault::answer(Reply::error(503, "UNAVAILABLE", hostile)));
    assert_eq!(setup.regpass.get(APP).await.status, 503);
    assert_eq!(
        setup.regpass.get("/v2/%3Cscript%3E.test/x/manifests/1").await.status,
        404,
        "a hostile path of a client"
    );
    tokio::time::sleep(QUIET_PERIOD * 2).await;
    let page = setup.page().await;
    let images = page.split("id=\"images\"").nth(1).unwrap();
    assert!(images.split("</section>").next().unwrap().contains("&lt;script&gt;alert(1)"), "{images}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;"), "{page}");
    for markup in ["<script>", "<img", "<style", "onerror=alert(2)>", "x\" onerror"] {
        assert!(!page.contains(markup), "{markup}");
    }
    let status = setup.regpass.status().await;
    let message = status["errors"][1]["failure"]["message"].as_str().unwrap();
    assert!(message.starts_with("<script>alert(1)</script>"), "JSON needs no escaping of markup: {message}");
}
