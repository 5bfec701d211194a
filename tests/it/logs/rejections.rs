//! Requests that regpass rejects without an upstream request are logged with operation and names.

use http::Method;
use serde_json::{Value, json};

use super::{Setup, assert_fields};
use crate::harness::{Regpass, registry_table, request};

/// The log line of the last request.
fn last_line(setup: &Setup) -> Value {
    setup.log.events("request").pop().expect("a line")
}

#[tokio::test(start_paused = true)]
async fn denial_by_the_configuration_is_logged_with_operation_and_names() {
    let setup = Setup::new().await;
    let rules = "allow = [\"pull\"]\nrepositories = [\"team/**\"]";
    let regpass = Regpass::start(&setup.sim, &registry_table("reg.test", &setup.registry, rules));
    for (method, path, operation, repository, reference) in [
        (Method::PUT, "team/app/manifests/1", "write-manifest", "team/app", json!("1")),
        (Method::POST, "team/app/blobs/uploads/", "start-upload", "team/app", Value::Null),
        (Method::DELETE, "team/app/manifests/1", "delete-manifest", "team/app", json!("1")),
        (Method::GET, "other/app/manifests/1", "read-manifest", "other/app", json!("1")),
        (Method::GET, "other/app/tags/list", "list-tags", "other/app", Value::Null),
    ] {
        let reply = regpass.send(request(method, &format!("/v2/reg.test/{path}"))).await;
        assert_eq!(reply.status, 403, "{reply:?}");
        let expected = json!({
            "registry": "reg.test", "operation": operation, "repository": repository, "reference": reference,
            "blame": "configuration", "step": "classify", "attempts": 0,
        });
        assert_fields(&last_line(&setup), &expected);
    }
    let counted = regpass.metric("regpass_requests_total{");
    let denied = r#"operation="write-manifest",status="403",blame="configuration""#;
    assert!(counted.iter().any(|line| line.contains(denied)), "{counted:#?}");
    assert!(!counted.iter().any(|line| line.contains("\"other\"")), "{counted:#?}");
    assert_eq!(setup.images().await, [Value::Null; 0], "no pull and no push is logged");
    setup.sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn request_for_an_unknown_registry_is_logged_with_operation_and_names() {
    let setup = Setup::new().await;
    for (path, repository) in [
        ("/v2/nowhere.test/team/app/manifests/1", json!("team/app")),
        ("/v2/nowhere.test:5000/app/manifests/1", json!("app")),
        ("/v2/my.team/app/manifests/1?ns=nowhere.test", json!("my.team/app")),
    ] {
        assert_eq!(setup.regpass.get(path).await.status_and_code(), "404 NAME_UNKNOWN", "{path}");
        let expected = json!({ "registry": "none", "operation": "read-manifest", "reference": "1", "step": "route" });
        assert_fields(&last_line(&setup), &expected);
        assert_eq!(last_line(&setup)["repository"], repository, "{path}");
    }
    assert_eq!(setup.regpass.get("/v2/nowhere.test/No/manifests/1").await.status, 404);
    let nothing = json!({ "operation": "other", "repository": null, "reference": null });
    assert_fields(&last_line(&setup), &nothing);
    setup.sim.ledger().expect(&[]);
}
