//! What is refused before a registry is asked is called by its name all the same.

use http::Method;
use serde_json::{Value, json};

use super::{World, assert_told};
use crate::harness::{Regpass, request, table};

/// The line of the last request.
fn last(world: &World) -> Value {
    world.log.told("request").pop().expect("a line")
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_forbids_has_its_operation_and_its_names() {
    let world = World::new().await;
    let rules = "allow = [\"pull\"]\nrepositories = [\"team/**\"]";
    let regpass = Regpass::start(&world.sim, &table("reg.test", &world.registry, rules));
    for (method, path, operation, repository, reference) in [
        (Method::PUT, "team/app/manifests/1", "write-manifest", "team/app", json!("1")),
        (Method::POST, "team/app/blobs/uploads/", "start-upload", "team/app", Value::Null),
        (Method::DELETE, "team/app/manifests/1", "delete-manifest", "team/app", json!("1")),
        (Method::GET, "other/app/manifests/1", "read-manifest", "other/app", json!("1")),
        (Method::GET, "other/app/tags/list", "list-tags", "other/app", Value::Null),
    ] {
        let reply = regpass.send(request(method, &format!("/v2/reg.test/{path}"))).await;
        assert_eq!(reply.status, 403, "{reply:?}");
        let named = json!({
            "registry": "reg.test", "operation": operation, "repository": repository, "reference": reference,
            "blame": "configuration", "step": "classify", "attempts": 0,
        });
        assert_told(&last(&world), &named);
    }
    let counted = regpass.metric("regpass_requests_total{");
    let refused = r#"operation="write-manifest",status="403",blame="configuration""#;
    assert!(counted.iter().any(|line| line.contains(refused)), "{counted:#?}");
    assert!(!counted.iter().any(|line| line.contains("\"other\"")), "{counted:#?}");
    assert_eq!(world.images().await, [Value::Null; 0], "nobody pulled or pushed");
    world.sim.ledger().expect(&[]);
}

#[tokio::test(start_paused = true)]
async fn so_has_what_is_asked_of_a_registry_that_is_not_there() {
    let world = World::new().await;
    for (path, repository) in [
        ("/v2/nowhere.test/team/app/manifests/1", json!("team/app")),
        ("/v2/nowhere.test:5000/app/manifests/1", json!("app")),
        ("/v2/my.team/app/manifests/1?ns=nowhere.test", json!("my.team/app")),
    ] {
        assert_eq!(world.regpass.get(path).await.verdict(), "404 NAME_UNKNOWN", "{path}");
        let named = json!({ "registry": "none", "operation": "read-manifest", "reference": "1", "step": "route" });
        assert_told(&last(&world), &named);
        assert_eq!(last(&world)["repository"], repository, "{path}");
    }
    assert_eq!(world.regpass.get("/v2/nowhere.test/No/manifests/1").await.status, 404);
    let nothing = json!({ "operation": "other", "repository": null, "reference": null });
    assert_told(&last(&world), &nothing);
    world.sim.ledger().expect(&[]);
}
