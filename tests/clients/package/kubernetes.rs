//! The Kubernetes manifests, checked against the schemas of Kubernetes and against the promises in their comments.

use std::fs;
use std::net::Ipv4Addr;
use std::path::Path;

use serde_json::Value;

use super::{checked, documents, loopback_addresses, text, with_examples};
use crate::process::{Daemon, output, program, stdout, unchecked_output, venv_program};
use crate::registry::HTPASSWD;
use crate::regpass::logged_address;

const SIDECAR: &str = "config/kubernetes/sidecar.yaml";
const DAEMONSET: &str = "config/kubernetes/daemonset.yaml";

/// The first release with native sidecars enabled, and the newest release with a schema.
const RELEASES: [&str; 2] = ["1.29", "1.37"];

#[tokio::test]
async fn manifests_are_valid_with_and_without_their_examples() {
    let home = tempfile::tempdir().expect("a directory");
    for name in [SIDECAR, DAEMONSET] {
        let text = text(name);
        let file = home.path().join("manifest.yaml");
        for text in [&text, &with_examples(&text)] {
            fs::write(&file, text).expect("the manifest is written");
            for release in RELEASES {
                let mut validate = program(venv_program("kubernetes", "kubernetes-validate"), home.path());
                output(validate.args(["--strict", "--kubernetes-version", release]).arg(&file)).await;
            }
        }
    }
}

#[tokio::test]
async fn validator_rejects_an_unknown_field() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("manifest.yaml");
    let invalid = text(SIDECAR).replacen("restartPolicy:", "restartPolicies:", 1);
    fs::write(&file, invalid).expect("the manifest is written");
    let validated = unchecked_output(
        program(venv_program("kubernetes", "kubernetes-validate"), home.path())
            .args(["--strict", "--kubernetes-version", "1.37"])
            .arg(&file),
    )
    .await;
    assert!(!validated.status.success(), "{validated:?}");
}

#[tokio::test]
async fn sidecar_starts_before_and_stops_after_the_containers() {
    let pod = pod(SIDECAR, "Deployment").await;
    let sidecar = &pod["initContainers"][0];
    // `restartPolicy: Always` makes an init container a native sidecar.
    assert_eq!(sidecar["restartPolicy"], "Always");
    assert_eq!(sidecar["startupProbe"]["exec"]["command"], serde_json::json!(["/regpass", "health"]));
    assert!(pod["terminationGracePeriodSeconds"].as_u64() > Some(30), "shorter than a drain");
    assert!(pod["containers"].to_string().contains("docker://localhost:5050/"));
    assert!(pod.get("hostNetwork").is_none());
}

#[tokio::test]
async fn sidecar_uses_the_credential_of_the_mounted_secret() {
    let config = checked(&config_toml(SIDECAR).await, &[]).await;
    let file = Path::new(config["credential"]["file"].as_str().expect("a file"));
    let pod = pod(SIDECAR, "Deployment").await;
    let mount = named(&pod["initContainers"][0]["volumeMounts"], "logins");
    assert_eq!(file.parent(), mount["mountPath"].as_str().map(Path::new));
    assert!(mount.get("subPath").is_none(), "a subPath mount is never updated");
    let secret = &named(&pod["volumes"], "logins")["secret"];
    assert_eq!(secret["items"][0]["key"], ".dockerconfigjson");
    assert_eq!(file.file_name().and_then(|name| name.to_str()), secret["items"][0]["path"].as_str());
    assert_eq!(secret["defaultMode"], 0o440);
    assert_eq!(pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsGroup"]);
}

#[tokio::test]
async fn manifests_listen_on_loopback_only_and_run_restricted() {
    let user = text("Dockerfile");
    let user = user.lines().find_map(|line| line.strip_prefix("USER ")).expect("a user");
    for (file, kind, containers) in [(SIDECAR, "Deployment", "initContainers"), (DAEMONSET, "DaemonSet", "containers")]
    {
        let config = checked(&config_toml(file).await, &[]).await;
        assert_eq!(loopback_addresses(&config), ["127.0.0.1:5050", "127.0.0.1:5051"], "{file}");
        let pod = pod(file, kind).await;
        let security = &pod["securityContext"];
        assert_eq!(format!("{}:{}", security["runAsUser"], security["runAsGroup"]), user, "{file}");
        assert_eq!(security["runAsNonRoot"], true, "{file}");
        assert_eq!(security["seccompProfile"]["type"], "RuntimeDefault", "{file}");
        assert_eq!(pod["automountServiceAccountToken"], false, "{file}");
        for container in pod["containers"].as_array().into_iter().chain(pod["initContainers"].as_array()).flatten() {
            let security = &container["securityContext"];
            assert_eq!(security["allowPrivilegeEscalation"], false, "{file}");
            assert_eq!(security["readOnlyRootFilesystem"], true, "{file}");
            assert_eq!(security["capabilities"]["drop"][0], "ALL", "{file}");
            let mut mounts = container["volumeMounts"].as_array().expect("mounts").iter();
            assert!(
                mounts.any(|mount| mount["mountPath"] == "/tmp"),
                "{file}: no writable directory for spooled uploads"
            );
        }
        let regpass = &pod[containers][0];
        let image = format!("regpass:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!((regpass["image"].as_str(), &regpass["args"][0]), (Some(&*image), &"serve".into()), "{file}");
        assert_eq!(named(&regpass["volumeMounts"], "config")["mountPath"], "/etc/regpass", "{file}");
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert_eq!(
                regpass[probe]["exec"]["command"][0], "/regpass",
                "{file}: a kubelet cannot reach the loopback address of a pod"
            );
        }
    }
}

#[tokio::test]
async fn shared_node_proxy_has_no_credential_and_warns_before_it_gets_one() {
    let first = text(DAEMONSET).lines().next().map(str::to_owned).expect("a line");
    assert!(first.contains("uses its credentials for every pod that reaches it"), "{first}");
    let config_text = config_toml(DAEMONSET).await;
    let config = checked(&config_text, &[]).await;
    assert_eq!(config["credential"]["source"].as_str(), Some("anonymous"));
    assert_eq!(config["allow"].as_array().map(Vec::len), Some(1));
    assert!(config.get("registry").is_none(), "{config}");
    assert!(config_text.contains("\n#clients = ") && config_text.contains("\n#repositories = "), "{config_text}");
    let pod = pod(DAEMONSET, "DaemonSet").await;
    assert!(!pod.to_string().contains("hostPort"), "{pod}");
    assert!(!pod.to_string().contains("\"secret\""), "{pod}");
}

#[tokio::test]
async fn examples_in_the_configuration_are_valid() {
    let sidecar = checked(&with_examples(&config_toml(SIDECAR).await), &[]).await;
    assert_eq!(sidecar["allow"].as_array().map(Vec::len), Some(2));

    let home = tempfile::tempdir().expect("a directory");
    let clients = home.path().join("htpasswd");
    fs::write(&clients, HTPASSWD).expect("the htpasswd file is written");
    let daemonset = with_examples(&config_toml(DAEMONSET).await);
    let config =
        checked(&daemonset.replace("/run/secrets/clients/htpasswd", &clients.display().to_string()), &[]).await;
    loopback_addresses(&config);
    assert!(config["listener"][0]["clients"]["htpasswd"].is_string(), "{config}");
    for (name, registry) in config["registry"].as_object().expect("registries") {
        let has_credential = registry["credential"]["source"].as_str() != Some("anonymous");
        assert!(!has_credential || registry.get("repositories").is_some(), "{name}: a credential for all repositories");
    }
    let manifest = documents(&with_examples(&text(DAEMONSET))).await;
    let pod = &manifest.iter().find(|document| document["kind"] == "DaemonSet").expect("the object")["spec"]["template"]
        ["spec"];
    for (volume, file) in [("logins", "config.json"), ("clients", "htpasswd")] {
        let mount = named(&pod["containers"][0]["volumeMounts"], volume);
        let path = format!("\"{}/{file}\"", mount["mountPath"].as_str().expect("a path"));
        assert!(daemonset.contains(&path), "the configuration does not use {path}");
        assert!(named(&pod["volumes"], volume)["secret"].is_object(), "{volume}");
    }
}

/// The examples open only the admin listener at the pod's address. The listener that uses the credential stays on loopback.
#[tokio::test]
async fn sidecar_with_examples_can_be_scraped_and_probed_at_the_pods_address() {
    let documents = documents(&with_examples(&text(SIDECAR))).await;
    let template =
        &documents.iter().find(|document| document["kind"] == "Deployment").expect("the object")["spec"]["template"];
    let sidecar = &template["spec"]["initContainers"][0];
    let port = &named(&sidecar["ports"], "metrics")["containerPort"];
    assert_eq!(template["metadata"]["annotations"]["prometheus.io/scrape"], "true");
    assert_eq!(template["metadata"]["annotations"]["prometheus.io/port"].as_str(), Some(&*port.to_string()));
    let variables = sidecar["env"].as_array().expect("variables").iter();
    let variables: Vec<(&str, &str)> = variables
        .map(|variable| (variable["name"].as_str().expect("a name"), variable["value"].as_str().expect("a string")))
        .collect();
    let config_text = config_toml(SIDECAR).await;
    let config = checked(&config_text, &variables).await;
    assert_eq!(config["listener"][0]["address"].as_str(), Some("127.0.0.1:5050"));
    assert_eq!(config["admin"]["address"].as_str(), Some(&*format!("0.0.0.0:{port}")));

    // Requests at the pod's address, and the manifest's probe.
    let home = tempfile::tempdir().expect("a directory");
    let (file, credentials) = (home.path().join("config.toml"), home.path().join("config.json"));
    fs::write(&credentials, "{}").expect("config.json is written");
    let config_text = config_text.replace("/run/secrets/regpass/config.json", &credentials.display().to_string());
    fs::write(&file, config_text.replace("127.0.0.1:5050", "127.0.0.1:0")).expect("config.toml is written");
    let open = variables.iter().map(|(name, value)| (*name, value.replace("0.0.0.0:5051", "0.0.0.0:0")));
    let mut serve = program(env!("CARGO_BIN_EXE_regpass"), home.path());
    serve.args(["serve", "--config"]).arg(&file).envs(open);
    let regpass = Daemon::start("regpass", serve);
    let admin = regpass.wait_for_line(|line| logged_address(line, "admin listening")).await;
    assert_eq!(admin.ip(), Ipv4Addr::UNSPECIFIED);
    let port = admin.port();
    for (path, expected) in [("metrics", "regpass_ready 1"), ("livez", "ok"), ("readyz", "ok")] {
        // 127.0.0.2 stands for the pod's address: a listener on 127.0.0.1 alone does not answer there.
        let mut curl = program("curl", home.path());
        curl.args(["-q", "--silent", "--fail", "--header", "Host: 10.1.2.3:5051"]);
        let body = stdout(curl.arg(format!("http://127.0.0.2:{port}/{path}"))).await;
        assert!(body.contains(expected), "{path}: {body}");
    }
    let mut health = program(env!("CARGO_BIN_EXE_regpass"), home.path());
    health.args(["health", "--config"]).arg(&file).env("REGPASS_INSECURE_OPEN", "1");
    assert!(stdout(health.env("REGPASS_ADMIN", format!("0.0.0.0:{port}"))).await.starts_with("ready: "));
}

/// The content of `config.toml` in the manifest's `ConfigMap`.
async fn config_toml(file: &str) -> String {
    let documents = documents(&text(file)).await;
    let map = documents.iter().find(|document| document["kind"] == "ConfigMap").expect("a ConfigMap");
    map["data"]["config.toml"].as_str().expect("config.toml").to_owned()
}

/// The pod specification in the manifest's object of this kind.
async fn pod(file: &str, kind: &str) -> Value {
    let mut documents = documents(&text(file)).await.into_iter();
    documents.find(|document| document["kind"] == kind).expect("the object")["spec"]["template"]["spec"].clone()
}

/// The item of a list with this name.
fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array()
        .and_then(|list| list.iter().find(|item| item["name"] == name))
        .unwrap_or_else(|| panic!("no {name}"))
}
