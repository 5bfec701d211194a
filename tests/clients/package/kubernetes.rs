//! The Kubernetes manifests: against the schemas of Kubernetes, and against what they promise.

use std::fs;
use std::path::{Path, PathBuf};

use serde_json::Value;

use super::{checked, closed_doors, documents, text, with_examples};
use crate::process::{Daemon, ended, output, plain, stdout};
use crate::registry::HTPASSWD;

const SIDECAR: &str = "config/kubernetes/sidecar.yaml";
const DAEMONSET: &str = "config/kubernetes/daemonset.yaml";

/// The first one with native sidecars for everybody, and the newest one there is a schema for.
const RELEASES: [&str; 2] = ["1.29", "1.37"];

#[tokio::test]
async fn kubernetes_takes_them_as_they_stand_and_with_their_examples() {
    let home = tempfile::tempdir().expect("a directory");
    for name in [SIDECAR, DAEMONSET] {
        let text = text(name);
        let file = home.path().join("manifest.yaml");
        for text in [&text, &with_examples(&text)] {
            fs::write(&file, text).expect("the manifest");
            for release in RELEASES {
                let mut validate = plain(validator(), home.path());
                output(validate.args(["--strict", "--kubernetes-version", release]).arg(&file)).await;
            }
        }
    }
}

#[tokio::test]
async fn the_validator_finds_a_field_that_does_not_exist() {
    let home = tempfile::tempdir().expect("a directory");
    let file = home.path().join("manifest.yaml");
    let wrong = text(SIDECAR).replacen("restartPolicy:", "restartPolicies:", 1);
    fs::write(&file, wrong).expect("the manifest");
    let said =
        ended(plain(validator(), home.path()).args(["--strict", "--kubernetes-version", "1.37"]).arg(&file)).await;
    assert!(!said.status.success(), "{said:?}");
}

#[tokio::test]
async fn the_sidecar_is_there_first_and_goes_last() {
    let pod = pod(SIDECAR, "Deployment").await;
    let sidecar = &pod["initContainers"][0];
    // Together these make a native sidecar: started before, stopped after the containers.
    assert_eq!(sidecar["restartPolicy"], "Always");
    assert_eq!(sidecar["startupProbe"]["exec"]["command"], serde_json::json!(["/regpass", "health"]));
    assert!(pod["terminationGracePeriodSeconds"].as_u64() > Some(30), "shorter than a drain");
    assert!(pod["containers"].to_string().contains("docker://localhost:5050/"));
    assert!(pod.get("hostNetwork").is_none());
}

#[tokio::test]
async fn the_sidecar_has_the_login_of_the_mounted_secret() {
    let config = checked(&settings(SIDECAR).await, &[]).await;
    let file = Path::new(config["credential"]["file"].as_str().expect("a file"));
    let pod = pod(SIDECAR, "Deployment").await;
    let mount = named(&pod["initContainers"][0]["volumeMounts"], "logins");
    assert_eq!(file.parent(), mount["mountPath"].as_str().map(Path::new));
    assert!(mount.get("subPath").is_none(), "a file that never changes");
    let secret = &named(&pod["volumes"], "logins")["secret"];
    assert_eq!(secret["items"][0]["key"], ".dockerconfigjson");
    assert_eq!(file.file_name().and_then(|name| name.to_str()), secret["items"][0]["path"].as_str());
    assert_eq!(secret["defaultMode"], 0o440);
    assert_eq!(pod["securityContext"]["fsGroup"], pod["securityContext"]["runAsGroup"]);
}

#[tokio::test]
async fn both_listen_on_loopback_only_and_run_restricted() {
    let user = text("Dockerfile");
    let user = user.lines().find_map(|line| line.strip_prefix("USER ")).expect("a user");
    for (file, kind, containers) in [(SIDECAR, "Deployment", "initContainers"), (DAEMONSET, "DaemonSet", "containers")]
    {
        let config = checked(&settings(file).await, &[]).await;
        assert_eq!(closed_doors(&config), ["127.0.0.1:5050", "127.0.0.1:5051"], "{file}");
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
            assert!(mounts.any(|mount| mount["mountPath"] == "/tmp"), "{file}: no place for spools");
        }
        let regpass = &pod[containers][0];
        let image = format!("regpass:{}", env!("CARGO_PKG_VERSION"));
        assert_eq!((regpass["image"].as_str(), &regpass["args"][0]), (Some(&*image), &"serve".into()), "{file}");
        assert_eq!(named(&regpass["volumeMounts"], "config")["mountPath"], "/etc/regpass", "{file}");
        for probe in ["startupProbe", "readinessProbe", "livenessProbe"] {
            assert_eq!(
                regpass[probe]["exec"]["command"][0], "/regpass",
                "{file}: loopback is out of a kubelet's reach"
            );
        }
    }
}

#[tokio::test]
async fn the_shared_node_proxy_has_no_login_and_says_whom_it_would_lend_it() {
    let first = text(DAEMONSET).lines().next().map(str::to_owned).expect("a line");
    assert!(first.contains("lends its login to every pod that reaches it"), "{first}");
    let settings = settings(DAEMONSET).await;
    let config = checked(&settings, &[]).await;
    assert_eq!(config["credential"]["source"].as_str(), Some("anonymous"));
    assert_eq!(config["allow"].as_array().map(Vec::len), Some(1));
    assert!(config.get("registry").is_none(), "{config}");
    assert!(settings.contains("\n#clients = ") && settings.contains("\n#repositories = "), "{settings}");
    let pod = pod(DAEMONSET, "DaemonSet").await;
    assert!(!pod.to_string().contains("hostPort"), "{pod}");
    assert!(!pod.to_string().contains("\"secret\""), "{pod}");
}

#[tokio::test]
async fn the_examples_in_the_settings_are_valid() {
    let sidecar = checked(&with_examples(&settings(SIDECAR).await), &[]).await;
    assert_eq!(sidecar["allow"].as_array().map(Vec::len), Some(2));

    let home = tempfile::tempdir().expect("a directory");
    let clients = home.path().join("htpasswd");
    fs::write(&clients, HTPASSWD).expect("the clients");
    let daemonset = with_examples(&settings(DAEMONSET).await);
    let config =
        checked(&daemonset.replace("/run/secrets/clients/htpasswd", &clients.display().to_string()), &[]).await;
    closed_doors(&config);
    assert!(config["listener"][0]["clients"]["htpasswd"].is_string(), "{config}");
    for (name, registry) in config["registry"].as_object().expect("registries") {
        let lends = registry["credential"]["source"].as_str() != Some("anonymous");
        assert!(!lends || registry.get("repositories").is_some(), "{name}: a login for every repository");
    }
    let manifest = documents(&with_examples(&text(DAEMONSET))).await;
    let pod =
        &manifest.iter().find(|document| document["kind"] == "DaemonSet").expect("it")["spec"]["template"]["spec"];
    for (volume, file) in [("logins", "config.json"), ("clients", "htpasswd")] {
        let mount = named(&pod["containers"][0]["volumeMounts"], volume);
        let path = format!("\"{}/{file}\"", mount["mountPath"].as_str().expect("a path"));
        assert!(daemonset.contains(&path), "{path} is not what the settings say");
        assert!(named(&pod["volumes"], volume)["secret"].is_object(), "{volume}");
    }
}

/// What the comments open is the admin listener, at the pod's address; the one that lends the login stays on loopback.
#[tokio::test]
async fn the_sidecar_can_be_scraped_and_probed_at_the_pods_address() {
    let documents = documents(&with_examples(&text(SIDECAR))).await;
    let template = &documents.iter().find(|document| document["kind"] == "Deployment").expect("it")["spec"]["template"];
    let sidecar = &template["spec"]["initContainers"][0];
    let port = &named(&sidecar["ports"], "metrics")["containerPort"];
    assert_eq!(template["metadata"]["annotations"]["prometheus.io/scrape"], "true");
    assert_eq!(template["metadata"]["annotations"]["prometheus.io/port"].as_str(), Some(&*port.to_string()));
    let variables = sidecar["env"].as_array().expect("variables").iter();
    let variables: Vec<(&str, &str)> = variables
        .map(|variable| (variable["name"].as_str().expect("a name"), variable["value"].as_str().expect("text")))
        .collect();
    let settings = settings(SIDECAR).await;
    let config = checked(&settings, &variables).await;
    assert_eq!(config["listener"][0]["address"].as_str(), Some("127.0.0.1:5050"));
    assert_eq!(config["admin"]["address"].as_str(), Some(&*format!("0.0.0.0:{port}")));

    // As whoever comes by the pod's address sees it, and the probe of the manifest beside it.
    let home = tempfile::tempdir().expect("a directory");
    let (file, login) = (home.path().join("config.toml"), home.path().join("config.json"));
    fs::write(&login, "{}").expect("a login");
    let settings = settings.replace("/run/secrets/regpass/config.json", &login.display().to_string());
    fs::write(&file, settings.replace("127.0.0.1:5050", "127.0.0.1:0")).expect("the settings");
    let open = variables.iter().map(|(name, value)| (*name, value.replace("0.0.0.0:5051", "0.0.0.0:0")));
    let mut serve = plain(env!("CARGO_BIN_EXE_regpass"), home.path());
    serve.args(["serve", "--config"]).arg(&file).envs(open);
    let regpass = Daemon::start("regpass", serve);
    let port: u16 = regpass
        .line(|line| {
            let line: Value = serde_json::from_str(line).ok()?;
            let address = line["address"].as_str().filter(|_| line["message"] == "admin listening")?;
            address.strip_prefix("0.0.0.0:")?.parse().ok()
        })
        .await;
    for (path, shows) in [("metrics", "regpass_ready 1"), ("livez", "ok"), ("readyz", "ok")] {
        // Another address of this machine than the one that is always let in.
        let mut curl = plain("curl", home.path());
        curl.args(["-q", "--silent", "--fail", "--header", "Host: 10.1.2.3:5051"]);
        let told = stdout(curl.arg(format!("http://127.0.0.2:{port}/{path}"))).await;
        assert!(told.contains(shows), "{path}: {told}");
    }
    let mut health = plain(env!("CARGO_BIN_EXE_regpass"), home.path());
    health.args(["health", "--config"]).arg(&file).env("REGPASS_INSECURE_OPEN", "1");
    assert!(stdout(health.env("REGPASS_ADMIN", format!("0.0.0.0:{port}"))).await.starts_with("ready: "));
}

/// `config.toml` in the manifest's `ConfigMap`.
async fn settings(file: &str) -> String {
    let documents = documents(&text(file)).await;
    let map = documents.iter().find(|document| document["kind"] == "ConfigMap").expect("a ConfigMap");
    map["data"]["config.toml"].as_str().expect("the settings").to_owned()
}

/// The pod that the manifest's object of this kind makes.
async fn pod(file: &str, kind: &str) -> Value {
    let mut documents = documents(&text(file)).await.into_iter();
    documents.find(|document| document["kind"] == kind).expect("the object")["spec"]["template"]["spec"].clone()
}

fn named<'a>(list: &'a Value, name: &str) -> &'a Value {
    list.as_array()
        .and_then(|list| list.iter().find(|item| item["name"] == name))
        .unwrap_or_else(|| panic!("no {name}"))
}

/// `tests/run` puts it into this virtual environment.
fn validator() -> PathBuf {
    let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join("kubernetes/bin/kubernetes-validate");
    assert!(program.is_file(), "nothing at {}; tests/run makes it (Debian package python3-venv)", program.display());
    program
}
