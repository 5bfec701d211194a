//! `/status.json`: registries, tokens, rate limits, requests and errors.

use std::time::Duration;

use http::Method;
use serde_json::{Value, json};
use tokio::time::advance;

use super::{APP, TwoRegistries};
use crate::harness::{Regpass, registry_table, request};
use crate::sim::{Fault, Image, ImageFormat, Preset, Reply, Sim};

#[tokio::test(start_paused = true)]
async fn configured_registries_are_listed_before_the_first_request() {
    let setup = TwoRegistries::start("", "alias = \"corp\"").await;
    let status = setup.regpass.status().await;
    let registries = status["registries"].as_array().unwrap();
    let listed: Vec<_> = registries.iter().map(|one| (&one["host"], &one["state"], &one["profile"])).collect();
    let unused = json!("unused");
    assert_eq!(
        listed,
        [
            (&json!("docker.io"), &unused, &json!("docker-hub")),
            (&json!("corp.example:5000"), &unused, &json!("generic")),
        ]
    );
    assert_eq!((&status["requests"], &status["errors"]), (&json!([]), &json!([])));
    assert_eq!(status["listeners"][1], json!({ "address": "127.0.0.1:5051", "admin": true, "registry": null }));
    assert_eq!(status["version"], env!("CARGO_PKG_VERSION"));
    setup.sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn pull_is_listed_with_its_request_its_token_and_the_last_success() {
    let setup = TwoRegistries::start("", "").await;
    setup.hub.token_service().inject(Fault::delay(Duration::from_millis(40)));
    setup.hub.api().inject(Fault::delay(Duration::from_millis(30)));
    setup.pull().await;
    setup.pull().await;
    assert_eq!(setup.regpass.get("/v2/").await.status, 200, "regpass replies itself and lists no request");
    let status = setup.regpass.status().await;
    let requests = status["requests"].as_array().unwrap();
    assert_eq!(requests.len(), 2, "{requests:#?}");
    let (second, first) = (&requests[0], &requests[1]);
    assert_eq!((&second["grant"], &first["grant"]), (&"cached".into(), &"fetched".into()), "the newest comes first");
    for (key, value) in [
        ("registry", json!("docker.io")),
        ("repository", json!("team/app")),
        ("reference", json!("1")),
        ("operation", json!("read-manifest")),
        ("method", json!("GET")),
        ("status", json!(200)),
        ("whole", json!(true)),
        ("attempts", json!(2)),
        ("auth_ms", json!(40.0)),
        ("upstream_ms", json!(60.0)),
        ("transfer_ms", json!(0.0)),
        ("total_ms", json!(100.0)),
        ("failure", Value::Null),
    ] {
        assert_eq!(first[key], value, "{key}: {first:#}");
    }
    assert_eq!((&second["auth_ms"], &second["upstream_ms"]), (&json!(0.0), &json!(30.0)));
    let hub = setup.registry("docker.io").await;
    assert_eq!((&hub["state"], &hub["requests"], &hub["in_flight"]), (&"healthy".into(), &3.into(), &0.into()));
    assert_eq!(hub["last_success"], second["at"]);
    assert_eq!(hub["received_bytes"], json!(first["received_bytes"].as_u64().unwrap() * 2 + 2));
    let token = &hub["tokens"][0];
    assert_eq!(token["scopes"], json!(["repository:team/app:pull"]));
    assert_eq!((&token["identity"], &token["uses"]), (&"anonymous".into(), &2.into()));
    assert_eq!((&token["lifetime_seconds"], &hub["tokens_held"]), (&json!(300.0), &1.into()));
    let left = token["expires_in_seconds"].as_f64().unwrap();
    advance(Duration::from_secs(10)).await;
    let later = setup.registry("docker.io").await["tokens"][0]["expires_in_seconds"].as_f64().unwrap();
    assert!((left - later - 10.0).abs() < 0.01, "{left} {later}");
    assert_eq!(setup.registry("corp.example:5000").await["state"], "unused");
}

#[tokio::test(start_paused = true)]
async fn unfinished_request_counts_as_in_flight() {
    let setup = TwoRegistries::start("", "").await;
    setup.hub.api().inject(Fault::delay(Duration::from_secs(5)));
    let waiting = {
        let handle = setup.regpass.handle();
        tokio::spawn(async move {
            let (ours, theirs) = tokio::io::duplex(1024);
            let serving = tokio::spawn(regpass::listen::connection::serve_stream(theirs, handle));
            let io = hyper_util::rt::TokioIo::new(ours);
            let (mut sender, connection) = hyper::client::conn::http1::handshake(io).await.unwrap();
            let driving = tokio::spawn(connection);
            let head = request(Method::HEAD, APP).map(http_body_util::Full::new);
            let status = sender.send_request(head).await.unwrap().status();
            drop(sender);
            let _ = (driving.await, serving.await);
            status
        })
    };
    setup.sim.ledger().wait_for(1).await;
    let status = setup.regpass.status().await;
    assert_eq!((&status["totals"]["in_flight"], &status["registries"][0]["in_flight"]), (&1.into(), &1.into()));
    assert_eq!(waiting.await.unwrap(), 200);
    let status = setup.regpass.status().await;
    assert_eq!((&status["totals"]["in_flight"], &status["registries"][0]["in_flight"]), (&0.into(), &0.into()));
}

#[tokio::test(start_paused = true)]
async fn rate_limits_are_listed_for_each_identity() {
    let identity = "[[registry.\"docker.io\".identity]]\nrepositories = [\"alice/**\"]\n\
                    credential = { source = \"password\", username = \"alice\", password = \"alices-password\" }";
    let setup = TwoRegistries::start(identity, "").await;
    setup.hub.publish_private("alice/app", "1", &Image::single("app", ImageFormat::Oci));
    for _ in 0..3 {
        setup.pull().await;
    }
    assert_eq!(setup.regpass.get("/v2/docker.io/alice/app/manifests/1").await.status, 200);
    let limits = setup.registry("docker.io").await["rate_limits"].clone();
    let limit_of = |identity: &str| {
        let limits = limits.as_array().unwrap();
        limits.iter().find(|limit| limit["identity"] == identity).unwrap_or_else(|| panic!("{limits:#?}")).clone()
    };
    let anonymous = limit_of("anonymous");
    assert_eq!((&anonymous["limit"], &anonymous["remaining"]), (&100.into(), &98.into()), "{limits:#}");
    assert_eq!((&anonymous["window_seconds"], &anonymous["counted"]), (&json!(21600.0), &"192.0.2.96".into()));
    assert_eq!(limit_of("password in the configuration")["limit"], 100);
    assert_eq!(limits.as_array().unwrap().len(), 2);
    let plain = setup.regpass.proxy.activity.health.registry("docker.io").unwrap().rate_limits;
    assert_eq!((&*plain[0].identity, plain[0].remaining), ("anonymous", Some(98)));

    let page = super::text_of(&setup.page().await);
    assert!(page.contains("98 of 100 left in 6 h"), "{page}");
    advance(Duration::from_secs(21601)).await;
    assert_eq!(
        setup.registry("docker.io").await["rate_limits"],
        json!([]),
        "a limit is dropped when its window is over"
    );
}

#[tokio::test(start_paused = true)]
async fn failure_is_listed_with_step_blame_and_advice() {
    let setup = TwoRegistries::start("", "").await;
    setup.hub.api().inject(Fault::answer(Reply::error(503, "UNAVAILABLE", "the database is gone")));
    let reply = setup.regpass.get(APP).await;
    assert_eq!(reply.status, 503);
    assert_eq!(setup.regpass.get("/v2/nowhere.test/x/manifests/1").await.status, 404);
    let status = setup.regpass.status().await;
    let errors = status["errors"].as_array().unwrap();
    let listed: Vec<_> = errors.iter().map(|error| (&error["registry"], &error["failure"]["blame"])).collect();
    assert_eq!(listed, [(&Value::Null, &json!("client")), (&json!("docker.io"), &json!("registry"))]);
    assert_eq!(errors[1]["failure"]["message"], reply.error().1.as_str());
    assert_eq!(errors[1]["failure"]["step"], "registry");
    assert!(errors[0]["failure"]["advice"].as_str().unwrap().contains("add it to the configuration"));
    let hub = &status["registries"][0];
    assert_eq!((&hub["state"], &hub["last_failure"]["status"]), (&"failing".into(), &503.into()));
    let page = super::text_of(&setup.page().await);
    assert!(page.contains("the database is gone") && page.contains("docker.io is failing"), "{page}");
}

#[tokio::test(start_paused = true)]
async fn lists_are_bounded_and_errors_outlive_later_requests() {
    let setup = TwoRegistries::start("", "").await;
    assert_eq!(setup.regpass.get("/v2/docker.io/team/app/manifests/none").await.status, 404);
    for _ in 0..120 {
        assert_eq!(setup.regpass.get("/v2/corp.example:5000/team/app/manifests/1").await.status, 200);
    }
    let status = setup.regpass.status().await;
    assert_eq!(status["requests"].as_array().unwrap().len(), 100);
    assert_eq!(status["requests"][0]["number"], 121);
    assert_eq!(status["totals"]["requests"], 121);
    assert_eq!(status["errors"][0]["number"], 1);
    for _ in 0..50 {
        assert_eq!(setup.regpass.get("/v2/nowhere.test/x/manifests/1").await.status, 404);
    }
    let errors = setup.regpass.status().await["errors"].clone();
    assert_eq!((errors.as_array().unwrap().len(), &errors[0]["number"]), (30, &171.into()));
    let page = setup.page().await;
    assert!(page.contains("30 times in a row"), "repeated errors share one line");
}

#[tokio::test(start_paused = true)]
async fn number_of_hosts_matched_by_a_wildcard_is_bounded() {
    let sim = Sim::memory();
    let registry = sim.start(Preset::generic()).await;
    let text = registry_table("docker.io", &registry, "") + "[registry.\"*.many.test\"]\n";
    let regpass = Regpass::start(&sim, &text);
    assert_eq!(
        regpass.status().await["configuration"]["patterns"],
        json!(["*.many.test"]),
        "a pattern is listed before any host matched it"
    );
    for number in 0..300 {
        assert_eq!(regpass.get(&format!("/v2/r{number}.many.test/a/manifests/1")).await.status, 502);
    }
    assert_eq!(regpass.proxy.activity.health.registries().len(), 256);
}

/// A hostile registry must not be able to disable the status page or the readiness probe.
#[tokio::test(start_paused = true)]
async fn rate_limit_window_of_u64_max_seconds_does_not_break_any_page() {
    let setup = TwoRegistries::start("", "").await;
    let endless = format!("100;w={}", u64::MAX);
    setup.hub.api().inject(Fault::with_header("ratelimit-limit", &endless));
    setup.pull().await;
    assert_eq!(setup.registry("docker.io").await["rate_limits"][0]["limit"], 100);
    for path in ["/", "/readyz"] {
        assert_eq!(setup.regpass.get_admin(path).await.status, 200, "{path}");
    }
}
