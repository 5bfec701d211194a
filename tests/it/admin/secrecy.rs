//! Nothing of what is secret is told, whoever repeats it, and nothing of what others say is taken for markup.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use regpass::observe::image::QUIET;

use super::{APP, Scene};
use crate::credentials::password;
use crate::sim::{Fault, Reply};

/// Everything the admin listener tells, in every form.
async fn everything(scene: &Scene) -> String {
    let mut all = String::new();
    for path in ["/", "/status.json", "/readyz", "/metrics"] {
        all += str::from_utf8(&scene.regpass.admin(path).await.body).unwrap();
    }
    all
}

#[tokio::test(start_paused = true)]
async fn logins_tokens_and_signed_urls_stay_inside() {
    let identity = "[[registry.\"docker.io\".identity]]\nrepositories = [\"alice/**\"]\n";
    let hub = format!("{identity}{}", password("alice", "alices-password"));
    let scene = Scene::new(&hub, &password("alice", "password-of-last-year")).await;
    let layer = scene.hub.store().read("team/app", |repository| repository.blobs.keys().next().cloned()).flatten();
    let blob = format!("/v2/docker.io/team/app/blobs/{}", layer.unwrap());
    scene.pull().await;
    assert_eq!(scene.regpass.get(&blob).await.status, 200, "through a signed URL");
    assert_eq!(scene.regpass.get("/v2/docker.io/alice/none/manifests/1").await.status, 404);
    assert_eq!(scene.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 200, "the login is stale");

    // And now everybody says what they were sent.
    let chatty = || {
        Fault::alter(|entry, _| {
            let header = entry.headers.get("authorization").map(|value| value.to_str().unwrap().to_owned());
            let sent = header.unwrap_or_default();
            let word = sent.split(' ').next_back().unwrap_or_default().to_owned();
            Reply::error(403, "DENIED", &format!("you sent {sent} to {}?{}", entry.path, entry.query))
                .header("ratelimit-limit", "100;w=21600")
                .header("docker-ratelimit-source", if word.is_empty() { "nobody" } else { &word })
        })
    };
    for server in
        [scene.hub.registry(), scene.hub.blobs(), scene.hub.token(), scene.corp.registry(), scene.corp.token()]
    {
        server.inject(chatty());
    }
    for target in [APP, &*blob, "/v2/docker.io/alice/none/manifests/1", "/v2/corp.example:5000/x/y/manifests/1"] {
        assert_ne!(scene.regpass.get(target).await.status, 200, "{target}");
    }
    scene.hub.registry().lift_faults();
    assert_ne!(scene.regpass.get(&blob).await.status, 200);

    let mut secrets = BTreeSet::new();
    for (user, password) in [("alice", "alices-password"), ("alice", "password-of-last-year")] {
        secrets.insert(password.to_owned());
        secrets.insert(BASE64_STANDARD.encode(format!("{user}:{password}")));
    }
    let entries = scene.sim.ledger().entries();
    for entry in &entries {
        let header = entry.headers.get("authorization").and_then(|value| value.to_str().ok());
        secrets.extend(header.and_then(|header| header.split(' ').nth(1)).map(ToOwned::to_owned));
        if entry.server == "blobs" {
            let values = entry.query.split('&').filter_map(|pair| pair.split_once('='));
            secrets.extend(values.map(|(_, value)| value.to_owned()).filter(|value| value.len() > 15));
        }
    }
    assert!(secrets.len() > 6, "tokens and signatures were seen: {secrets:?}");
    tokio::time::sleep(QUIET * 2).await;
    let images = scene.regpass.status().await["images"].clone();
    assert!(images.as_array().unwrap().iter().any(|image| image["failure"]["message"].is_string()), "{images:#}");
    let all = everything(&scene).await;
    for secret in &secrets {
        assert!(!all.contains(secret.as_str()), "{secret} is told");
    }
    assert!(all.contains("100 allowed"), "the rate limit of the talkative is told: without whom they say it counts");
}

#[tokio::test(start_paused = true)]
async fn what_registries_say_is_text_and_no_markup() {
    let scene = Scene::new("", "").await;
    let hostile = "<script>alert(1)</script><img src=x onerror=alert(2)>\"'><style>*{display:none}</style>&lt;\u{202e}";
    scene.hub.registry().inject(Fault::answer(Reply::error(503, "UNAVAILABLE", hostile)));
    assert_eq!(scene.regpass.get(APP).await.status, 503);
    assert_eq!(
        scene.regpass.get("/v2/%3Cscript%3E.test/x/manifests/1").await.status,
        404,
        "a client may be hostile, too"
    );
    tokio::time::sleep(QUIET * 2).await;
    let page = scene.page().await;
    let images = page.split("id=\"images\"").nth(1).unwrap();
    assert!(images.split("</section>").next().unwrap().contains("&lt;script&gt;alert(1)"), "{images}");
    assert!(page.contains("&lt;script&gt;alert(1)&lt;/script&gt;&lt;img src=x onerror=alert(2)&gt;"), "{page}");
    for markup in ["<script>", "<img", "<style", "onerror=alert(2)>", "x\" onerror"] {
        assert!(!page.contains(markup), "{markup}");
    }
    let status = scene.regpass.status().await;
    let message = status["errors"][1]["failure"]["message"].as_str().unwrap();
    assert!(message.starts_with("<script>alert(1)</script>"), "as it is where it is no markup: {message}");
}
