//! How a registry comes to its profile: by its host, by its first challenge, by what the configuration says.

use http::Method;

use super::{Scene, login, manifest_of, password_of};
use crate::harness::{Regpass, request, table};
use crate::sim::{Family, Fault, Image, Preset, Sim};

#[test]
fn a_host_tells_where_it_can() {
    for (host, profile) in [
        ("team.azurecr.io", "acr"),
        ("team.eastus.geo.azurecr.io", "acr"),
        ("team.azurecr.cn", "acr"),
        ("123456789012.dkr.ecr.eu-west-2.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com", "ecr"),
        ("123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn", "ecr"),
        ("public.ecr.aws", "ecr-public"),
        ("gcr.io", "google"),
        ("eu.gcr.io", "google"),
        ("europe-docker.pkg.dev", "google"),
        ("us-central1-docker.pkg.dev", "google"),
        ("docker.us-central1.rep.pkg.dev", "google"),
        ("registry.gitlab.com", "gitlab"),
        ("nvcr.io", "ngc"),
        ("quay.io", "quay"),
        ("team-docker.jfrog.io", "artifactory"),
        ("registry.k8s.io", "kubernetes"),
        ("mcr.microsoft.com", "mcr"),
        ("ghcr.io", "ghcr"),
        ("docker.io", "docker-hub"),
    ] {
        let host = regpass::base::host::RegistryHost::parse(host).unwrap();
        assert_eq!(regpass::profile::by_host(&host).map(|row| row.name), Some(profile), "{host}");
    }
}

/// A private registry is asked at its base before something is done that depends on its kind, and is known from then on.
#[tokio::test(start_paused = true)]
async fn the_first_challenge_tells_where_the_host_does_not() {
    // Harbor deletes by digest only, Artifactory takes no blob in one request, Quay deletes with `pull,push`.
    let harbor = Scene::with_login(Preset::harbor(), "allow = [\"pull\", \"delete\"]").await;
    assert_eq!(harbor.send(Method::DELETE, &manifest_of(harbor.private)).await.status, 202);
    let deleted = harbor.sim.ledger().take().pop().unwrap();
    assert!(deleted.path.ends_with(harbor.image.digest()), "{deleted:?}");
    harbor.sim.finish();

    let artifactory = Scene::with_login(Preset::artifactory(), "allow = [\"pull\", \"push\"]").await;
    let digest = crate::sim::sha256(b"hello");
    let target = format!("/v2/{}/blobs/uploads/?digest={digest}", artifactory.private);
    let whole = request(Method::POST, &target).map(|_| "hello".into());
    assert_eq!(artifactory.regpass.send(whole).await.status, 201);
    let methods: Vec<String> = artifactory
        .sim
        .ledger()
        .take()
        .iter()
        .filter(|e| e.server == "registry")
        .map(|e| e.method.to_string())
        .collect();
    assert_eq!(methods, ["GET", "POST", "PATCH", "PUT"]);
    artifactory.sim.finish();

    let quay = Scene::with_login(Preset::quay(), "allow = [\"pull\", \"delete\"]").await;
    let reply = quay.send(Method::DELETE, &format!("/v2/{}/manifests/{}", quay.private, quay.image.digest())).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let scopes: Vec<_> = quay.sim.ledger().take().iter().filter_map(|entry| entry.query_value("scope")).collect();
    assert_eq!(scopes, [format!("repository:{}:pull,push", quay.private)]);
    quay.sim.finish();
}

/// A kind that was learned from a pull's challenge needs no further question.
#[tokio::test(start_paused = true)]
async fn what_a_pull_told_is_not_asked_again() {
    let scene = Scene::with_login(Preset::harbor(), "allow = [\"pull\", \"delete\"]").await;
    assert_eq!(scene.get(&manifest_of(scene.private)).await.status, 200);
    scene.sim.ledger().take();
    assert_eq!(scene.send(Method::DELETE, &manifest_of(scene.private)).await.status, 202);
    let seen = scene.sim.ledger().take();
    assert!(seen.iter().all(|entry| entry.path != "/v2/"), "{seen:?}");
    scene.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn what_the_configuration_says_beats_the_challenge() {
    // As generic, Harbor is told to delete a tag, which it refuses.
    let login = login(&Preset::harbor());
    let scene =
        Scene::set(Preset::harbor(), &format!("profile = \"generic\"\nallow = [\"pull\", \"delete\"]\n{login}")).await;
    let refused = scene.send(Method::DELETE, &manifest_of(scene.private)).await;
    assert_eq!(refused.verdict(), "400 UNSUPPORTED", "{refused:?}");
    scene.sim.finish();

    // As Docker Hub, it has no catalog, whoever asks.
    let admin = password_of("admin", "Harbor12345");
    let scene = Scene::set(Preset::harbor(), &format!("profile = \"docker-hub\"\n{admin}")).await;
    assert_eq!(scene.get("/v2/_catalog").await.verdict(), "405 UNSUPPORTED");
    scene.expect(&[]);
    scene.sim.finish();
}

/// The host of a family says as much at the front door, and the configuration more.
#[tokio::test(start_paused = true)]
async fn a_familys_host_tells_until_the_configuration_says_otherwise() {
    for (profile, first) in [("", "pull,metadata_read"), ("profile = \"generic\"", "pull")] {
        let sim = Sim::memory();
        let preset = Preset::acr();
        let login = login(&preset);
        let registry = sim.start(preset).await;
        registry.furnish("1", &Image::single("app", Family::Oci));
        // A challenge that says nothing of itself, so that only the host is left to tell.
        registry.registry().inject(
            Fault::challenge(&[r#"Bearer realm="http://acr.test/oauth2/token",service="acr.test""#])
                .path("/tags/list")
                .times(1),
        );
        let host = "team.azurecr.io";
        let text = format!("default_registry = \"{host}\"\n{}", table(host, &registry, &format!("{profile}\n{login}")));
        let regpass = Regpass::start(&sim, &text);
        assert_eq!(regpass.get("/v2/acme/private/tags/list").await.status, 200, "{profile}");
        let scopes: Vec<_> = sim.ledger().take().iter().filter_map(|entry| entry.query_value("scope")).collect();
        assert_eq!(scopes[0], format!("repository:acme/private:{first}"), "{profile}");
        sim.finish();
    }
}

/// Who is busy or broken does not show what kind it is, and nobody guesses for it.
#[tokio::test(start_paused = true)]
async fn a_base_that_is_busy_tells_no_kind() {
    for status in [429, 500, 503] {
        let scene = Scene::with_login(Preset::harbor(), "allow = [\"pull\", \"push\", \"delete\"]").await;
        let at_base = |fault: Fault| scene.registry.registry().inject(fault.when(|entry| entry.path == "/v2/"));
        let busy = at_base(Fault::text(status, "not now"));
        for (method, target) in [
            (Method::DELETE, manifest_of(scene.private)),
            (Method::POST, format!("/v2/{}/blobs/uploads/", scene.private)),
        ] {
            let reply = scene.send(method.clone(), &target).await;
            assert_eq!(reply.status.as_u16(), status, "{method}: {reply:?}");
            assert!(reply.error().1.contains("what it demands"), "{reply:?}");
        }
        let asked = scene.sim.ledger().take();
        assert!(asked.iter().all(|entry| entry.path == "/v2/"), "nothing is changed on a guess: {asked:?}");
        busy.lift();
        if status != 500 {
            at_base(Fault::answer(crate::sim::Reply::new(status).header("retry-after", "2")).times(1));
        }
        assert_eq!(scene.send(Method::DELETE, &manifest_of(scene.private)).await.status, 202, "{status}");
        let deleted = scene.sim.ledger().take().pop().unwrap();
        assert!(deleted.path.ends_with(scene.image.digest()), "{deleted:?}");
        scene.sim.finish();
    }
}
