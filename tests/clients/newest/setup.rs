//! The newest clients read what `regpass setup` wrote for their version, and pull from Docker Hub, GHCR and a private registry
//! by the registries' own names. None of the registries can be reached without regpass: there is no network.

use std::fs;
use std::path::Path;

use serde_json::json;
use tempfile::TempDir;

use super::root::command;
use crate::containerd::READY as CONTAINERD_READY;
use crate::docker::{READY as DOCKERD_READY, settings};
use crate::image::Image;
use crate::process::{Daemon, output, stdout, unchecked_output};
use crate::push::ALLOW;
use crate::registry::{PASSWORD, Registry, USER};
use crate::regpass::Regpass;
use crate::sim::{Preset, Sim};

/// The private registry. Image names cannot have its port in a path, so it has the alias `reg`.
const PRIVATE: &str = "registry.test:5000";

/// regpass in front of simulated Docker Hub and GHCR and of Debian's registry, each with the image `u/python:3.12`.
struct World {
    regpass: Regpass,
    image: Image,
    home: TempDir,
    sim: Sim,
    _private: Registry,
    _secrets: TempDir,
}

impl World {
    async fn start() -> Self {
        let sim = Sim::loopback();
        let hub = sim.start(Preset::docker_hub()).await;
        let ghcr = sim.start(Preset::ghcr()).await;
        let private = Registry::start_htpasswd().await;
        let secrets = tempfile::tempdir().expect("a directory for secrets");
        let file = secrets.path().join("password");
        fs::write(&file, PASSWORD).expect("the password is written");
        let mut config = format!("{ALLOW}\n[[listener]]\naddress = \"127.0.0.1:0\"\n");
        for (host, url, realm, keys) in [
            ("docker.io", hub.origin(), hub.token_service().authority(), ""),
            ("ghcr.io", ghcr.origin(), ghcr.token_service().authority(), ""),
            (PRIVATE, format!("http://{}", private.address), "", "alias = \"reg\""),
        ] {
            let realm_hosts: Vec<&str> = Some(realm).into_iter().filter(|realm| !realm.is_empty()).collect();
            let table = format!(
                "[registry.\"{host}\"]\nurl = \"{url}\"\nrealm_hosts = {realm_hosts:?}\n{keys}\ncredential = {{ source = \
                 \"password\", username = \"{USER}\", password = {{ file = \"{}\" }} }}\n",
                file.display()
            );
            config.push_str(&table);
        }
        for registry in [&hub, &ghcr] {
            registry.add_user(USER, PASSWORD);
        }
        let regpass = Regpass::start(&config).await;
        let home = tempfile::tempdir().expect("a directory for the client");
        fs::write(home.path().join("regpass.toml"), config).expect("regpass.toml is written");
        // In the root only the folder of temporary files is the machine's.
        fs::copy(env!("CARGO_BIN_EXE_regpass"), home.path().join("regpass")).expect("a copy of regpass");
        let world = Self { regpass, image: Image::build("python"), home, sim, _private: private, _secrets: secrets };
        for registry in ["docker.io", "ghcr.io", "reg"] {
            let mut skopeo = command("skopeo", world.home());
            skopeo.args(["copy", "--quiet", "--all", "--preserve-digests", "--dest-tls-verify=false"]);
            skopeo.arg(format!("oci:{}", world.image.layout().display()));
            let target = world.regpass.image(&format!("{registry}/{USER}/python:3.12"));
            output(skopeo.arg(format!("docker://{target}"))).await;
        }
        world
    }

    fn home(&self) -> &Path {
        self.home.path()
    }

    /// Runs `regpass setup CLIENT --write`, beside the installed client, with the client's file below the folder that becomes
    /// its `/etc`. Returns what it printed on stderr.
    async fn setup(&self, client: &str, path: &str, options: &[&str]) -> String {
        let mut setup = command(self.home().join("regpass").to_str().expect("UTF-8"), self.home());
        setup
            .arg("--config")
            .arg(self.home().join("regpass.toml"))
            .args(["--listen", &self.regpass.address.to_string()]);
        setup.args(["setup", client, "docker.io", "ghcr.io", PRIVATE, "--write", "--file"]);
        let written = output(setup.arg(self.home().join("etc").join(path)).args(options)).await;
        String::from_utf8(written.stderr).expect("UTF-8")
    }

    fn names() -> [String; 3] {
        ["docker.io", "ghcr.io", PRIVATE].map(|registry| format!("{registry}/{USER}/python:3.12"))
    }
}

/// Starts the root's dockerd, which reads `/etc/docker/daemon.json`.
async fn start_dockerd(home: &Path) -> Daemon {
    Daemon::start_ready("dockerd", command("dockerd", home), DOCKERD_READY).await
}

fn write_docker_settings(home: &Path, driver: &str, is_containerd: bool) {
    let mut settings = settings(home);
    settings["storage-driver"] = driver.into();
    settings["features"] = json!({ "containerd-snapshotter": is_containerd });
    settings.as_object_mut().expect("an object").remove("deprecated-key-path");
    fs::create_dir_all(home.join("etc/docker")).expect("a folder for dockerd");
    fs::write(home.join("etc/docker/daemon.json"), settings.to_string()).expect("daemon.json is written");
}

async fn docker_pull(world: &World, name: &str) {
    let mut docker = command("docker", world.home());
    docker.args(["--host", &crate::docker::socket(world.home()), "pull", "--platform=linux/amd64", name]);
    let printed = stdout(&mut docker).await;
    assert!(printed.contains(&format!("Digest: {}", world.image.digest)), "{name}: {printed}");
}

#[tokio::test]
async fn docker_with_the_containerd_image_store_pulls_every_registry_by_name() {
    let world = World::start().await;
    write_docker_settings(world.home(), "native", true);
    let notes = world.setup("docker", "docker/daemon.json", &[]).await;
    assert!(!notes.contains("unknown"), "setup finds the version: {notes}");
    let dockerd = start_dockerd(world.home()).await;
    for name in World::names() {
        docker_pull(&world, &name).await;
    }
    drop(dockerd);
    world.sim.finish();
}

#[tokio::test]
async fn docker_with_the_classic_image_store_pulls_docker_hub_by_name_and_the_others_through_regpass() {
    let world = World::start().await;
    write_docker_settings(world.home(), "vfs", false);
    world.setup("docker", "docker/daemon.json", &[]).await;
    let dockerd = start_dockerd(world.home()).await;
    docker_pull(&world, &format!("{USER}/python:3.12")).await;
    for name in ["ghcr.io", "reg"] {
        docker_pull(&world, &world.regpass.image(&format!("{name}/{USER}/python:3.12"))).await;
    }
    drop(dockerd);
    world.sim.finish();
}

/// dockerd before 29.1 does not know the capability `referrers` and ignores a file with it: it connects to the registry itself.
/// `setup` therefore needs the version.
#[tokio::test]
async fn docker_ignores_what_setup_writes_for_a_newer_version() {
    let world = World::start().await;
    write_docker_settings(world.home(), "native", true);
    world.setup("docker", "docker/daemon.json", &["--client-version", "29.1"]).await;
    let dockerd = start_dockerd(world.home()).await;
    let mut docker = command("docker", world.home());
    docker.args(["--host", &crate::docker::socket(world.home()), "pull", &World::names()[1]]);
    let pull = unchecked_output(&mut docker).await;
    if super::root::version("docker").starts_with("28.") {
        let stderr = String::from_utf8_lossy(&pull.stderr);
        assert!(!pull.status.success() && stderr.contains("\"https://ghcr.io/v2/"), "{stderr}");
    }
    drop(dockerd);
    world.sim.finish();
}

#[tokio::test]
async fn containerd_pulls_every_registry_by_name_and_ignores_what_setup_writes_for_a_newer_version() {
    let world = World::start().await;
    let notes = world.setup("containerd", "containerd/certs.d", &[]).await;
    assert!(!notes.contains("unknown"), "setup finds the version: {notes}");
    let home = world.home().display();
    let config = format!(
        "version = 3\nroot = '{home}/containerd'\nstate = '{home}/state'\ndisabled_plugins = ['io.containerd.cri.v1.images', \
         'io.containerd.cri.v1.runtime', 'io.containerd.grpc.v1.cri']\n[grpc]\naddress = '{home}/containerd.sock'\n[ttrpc]\n\
         address = '{home}/containerd.sock.ttrpc'\n"
    );
    let file = world.home().join("containerd.toml");
    fs::write(&file, config).expect("containerd.toml is written");
    let mut containerd = command("containerd", world.home());
    containerd.arg("--config").arg(file);
    let containerd = Daemon::start_ready("containerd", containerd, CONTAINERD_READY).await;
    let ctr = || {
        let mut ctr = command("ctr", world.home());
        ctr.arg("--address").arg(world.home().join("containerd.sock"));
        ctr
    };
    let pull = || {
        let mut pull = ctr();
        pull.args(["images", "pull", "--all-platforms", "--snapshotter=native", "--hosts-dir"]);
        // containerd itself reads it, and its own /etc is as it was when it started.
        pull.arg(world.home().join("etc/containerd/certs.d"));
        pull
    };
    for name in World::names() {
        output(pull().arg(&name)).await;
        crate::containerd::assert_digest(ctr(), &name, &world.image.digest).await;
    }
    if super::root::version("containerd").starts_with("2.1.") {
        world.setup("containerd", "containerd/certs.d", &["--client-version", "2.2"]).await;
        let ignored = unchecked_output(pull().arg(&World::names()[1])).await;
        let stderr = String::from_utf8_lossy(&ignored.stderr);
        assert!(!ignored.status.success() && stderr.contains("\"https://ghcr.io/v2/"), "{ignored:?}");
    }
    drop(containerd);
    world.sim.finish();
}

#[tokio::test]
async fn podman_buildah_and_skopeo_pull_every_registry_by_name() {
    let world = World::start().await;
    world.setup("podman", "containers/registries.conf.d/regpass.conf", &[]).await;
    for name in World::names() {
        for engine in ["podman", "buildah"] {
            let mut pull = command(engine, world.home());
            pull.arg("--root").arg(world.home().join(engine)).arg("--runroot").arg(world.home().join("run"));
            pull.args(["--storage-driver=vfs", "pull", "--quiet", "--platform=linux/amd64", &name]);
            let id = stdout(&mut pull).await;
            assert_eq!(format!("sha256:{}", id.trim()), world.image.platforms[0].config, "{engine} pull {name}");
        }
        let mut skopeo = command("skopeo", world.home());
        skopeo.args(["inspect", "--no-tags", "--format={{.Digest}}", &format!("docker://{name}")]);
        assert_eq!(stdout(&mut skopeo).await.trim(), world.image.digest, "{name}");
    }
    world.sim.finish();
}
