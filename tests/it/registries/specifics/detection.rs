//! The detection of a registry's profile by its host, by its first challenge, or by the configuration.

use http::Method;

use crate::harness::{Regpass, registry_table, request};
use crate::registry_setup::{ALLOW_ALL, RegistrySetup, password_credential, preset_credential};
use crate::sim::{Entry, Fault, Image, ImageFormat, Preset, Sim};

#[test]
fn hosts_that_profiles_list_select_the_profile() {
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
        ("lscr.io", "scarf"),
        ("cr.fluentbit.io", "scarf"),
        ("team-f3c8a2b1d4e6f7a9.azurecr.io", "acr"),
        ("registry.digitalocean.com", "digitalocean"),
        ("rg.nl-ams.scw.cloud", "scaleway"),
        ("rg.it-mil.scw.cloud", "scaleway"),
        ("registry.cn-hangzhou.aliyuncs.com", "alibaba"),
        ("registry-vpc.eu-central-1.aliyuncs.com", "alibaba"),
        ("crpi-abc.cn-beijing.personal.cr.aliyuncs.com", "alibaba"),
        ("docker.elastic.co", "elastic"),
        ("dhi.io", "dhi"),
        ("cgr.dev", "chainguard"),
        ("registry.redhat.io", "redhat"),
        ("registry.connect.redhat.com", "redhat"),
        ("cp.icr.io", "ibm"),
        ("private.us.icr.io", "ibm"),
        ("fra.ocir.io", "oracle"),
        ("swr.cn-north-4.myhuaweicloud.com", "huawei"),
    ] {
        let host = regpass::base::host::RegistryHost::parse(host).unwrap();
        assert_eq!(regpass::profile::by_host(&host).map(|row| row.name), Some(profile), "{host}");
    }
}

/// Before a request that depends on the profile regpass learns the challenge of `/v2/`, and from then on knows the profile.
#[tokio::test(start_paused = true)]
async fn the_first_challenge_selects_the_profile_of_an_unlisted_host() {
    // Harbor deletes by digest only, Artifactory takes no blob in one request, Quay deletes with `pull,push`.
    let harbor = RegistrySetup::with_credential(Preset::harbor(), "allow = [\"pull\", \"delete\"]").await;
    assert_eq!(harbor.send(Method::DELETE, &harbor.private_manifest()).await.status, 202);
    let deleted = harbor.sim.ledger().take().pop().unwrap();
    assert!(deleted.path.ends_with(harbor.image.digest()), "{deleted:?}");
    harbor.sim.finish();

    let artifactory = RegistrySetup::with_credential(Preset::artifactory(), "allow = [\"pull\", \"push\"]").await;
    let digest = crate::sim::sha256(b"hello");
    let target = format!("/v2/{}/blobs/uploads/?digest={digest}", artifactory.private_repository());
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

    let quay = RegistrySetup::with_credential(Preset::quay(), "allow = [\"pull\", \"delete\"]").await;
    let reply = quay
        .send(Method::DELETE, &format!("/v2/{}/manifests/{}", quay.private_repository(), quay.image.digest()))
        .await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let scopes: Vec<_> = quay.sim.ledger().take().iter().filter_map(|entry| entry.query_value("scope")).collect();
    assert_eq!(scopes, [format!("repository:{}:pull,push", quay.private_repository())]);
    quay.sim.finish();
}

/// A profile that a pull's challenge selected needs no further request.
#[tokio::test(start_paused = true)]
async fn the_challenge_of_a_pull_selects_the_profile_for_later_requests() {
    let setup = RegistrySetup::with_credential(Preset::harbor(), "allow = [\"pull\", \"delete\"]").await;
    setup.warm().await;
    assert_eq!(setup.send(Method::DELETE, &setup.private_manifest()).await.status, 202);
    let seen = setup.sim.ledger().take();
    assert!(seen.iter().all(|entry| entry.path != "/v2/"), "{seen:?}");
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn the_configured_profile_overrides_the_challenge() {
    // With the profile `generic` Harbor gets the delete of a tag, which it rejects.
    let credential = preset_credential(&Preset::harbor());
    let setup = RegistrySetup::without_credential(
        Preset::harbor(),
        &format!("profile = \"generic\"\nallow = [\"pull\", \"delete\"]\n{credential}"),
    )
    .await;
    let rejected = setup.send(Method::DELETE, &setup.private_manifest()).await;
    assert_eq!(rejected.status_and_code(), "405 UNSUPPORTED", "{rejected:?}");
    assert!(rejected.error().1.contains("registry message: the reference must be a digest"), "{rejected:?}");
    setup.sim.finish();

    // With the profile `ecr-public` regpass rejects requests for the catalog, which Harbor has.
    let admin = password_credential("admin", "Harbor12345");
    let setup =
        RegistrySetup::without_credential(Preset::harbor(), &format!("profile = \"ecr-public\"\n{admin}")).await;
    assert_eq!(setup.get("/v2/_catalog").await.status_and_code(), "405 UNSUPPORTED");
    setup.expect(&[]);
    setup.sim.finish();
}

/// A host that matches a profile's pattern selects the profile, and the configuration overrides it.
#[tokio::test(start_paused = true)]
async fn a_host_pattern_selects_the_profile_unless_it_is_configured() {
    for (profile, first) in [("", "pull,metadata_read"), ("profile = \"generic\"", "pull")] {
        let sim = Sim::memory();
        let preset = Preset::acr();
        let credential = preset_credential(&preset);
        let registry = sim.start(preset).await;
        registry.add_sample_content("1", &Image::single("app", ImageFormat::Oci));
        // A challenge without any fingerprint, so that only the host selects the profile.
        registry.api().inject(
            Fault::challenge(&[r#"Bearer realm="http://acr.test/oauth2/token",service="acr.test""#])
                .path("/tags/list")
                .times(1),
        );
        let host = "team.azurecr.io";
        let text = format!(
            "default_registry = \"{host}\"\n{}",
            registry_table(host, &registry, &format!("{profile}\n{credential}"))
        );
        let regpass = Regpass::start(&sim, &text);
        assert_eq!(regpass.get("/v2/acme/private/tags/list").await.status, 200, "{profile}");
        let scopes: Vec<_> = sim.ledger().take().iter().filter_map(|entry| entry.query_value("scope")).collect();
        assert_eq!(scopes[0], format!("repository:acme/private:{first}"), "{profile}");
        sim.finish();
    }
}

/// If `/v2/` answers with an error, the profile is unknown, and regpass sends no request that depends on it.
#[tokio::test(start_paused = true)]
async fn an_error_of_v2_fails_requests_that_depend_on_the_profile() {
    for status in [429, 500, 503] {
        let setup = RegistrySetup::with_credential(Preset::harbor(), "allow = [\"pull\", \"push\", \"delete\"]").await;
        let at_base = |fault: Fault| setup.registry.api().inject(fault.when(|entry| entry.path == "/v2/"));
        let busy = at_base(Fault::text(status, "not now"));
        for (method, target) in [(Method::DELETE, setup.private_manifest()), (Method::POST, setup.private_uploads())] {
            let reply = setup.send(method.clone(), &target).await;
            assert_eq!(reply.status.as_u16(), status, "{method}: {reply:?}");
            assert!(reply.error().1.contains("the registry's challenge (GET /v2/)"), "{reply:?}");
        }
        let requests = setup.sim.ledger().take();
        assert!(
            requests.iter().all(|entry| entry.path == "/v2/"),
            "regpass sends no write with an unknown profile: {requests:?}"
        );
        busy.remove();
        if status != 500 {
            at_base(Fault::answer(crate::sim::Reply::new(status).header("retry-after", "2")).times(1));
        }
        assert_eq!(setup.send(Method::DELETE, &setup.private_manifest()).await.status, 202, "{status}");
        let deleted = setup.sim.ledger().take().pop().unwrap();
        assert!(deleted.path.ends_with(setup.image.digest()), "{deleted:?}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_private_harbor_is_detected_before_a_tag_is_deleted() {
    let setup = RegistrySetup::with_credential(Preset::harbor(), ALLOW_ALL).await;
    let reply = setup.send(Method::DELETE, &setup.private_manifest()).await;
    assert_eq!(reply.status, 202, "{reply:?}");
    let is_delete = |entry: &Entry| entry.method == Method::DELETE && entry.path.ends_with(setup.image.digest());
    assert_eq!(setup.sim.ledger().count("registry", is_delete), 1);
    setup.sim.finish();
}
