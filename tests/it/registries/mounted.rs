//! Secrets as the kubelet mounts them: a folder of links that lead through `..data` to a folder with a date for a name, and
//! a new version comes by renaming that one link.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tempfile::TempDir;
use tokio::time::advance;

use crate::harness::{Regpass, only};
use crate::log::Log;
use crate::sim::{Family, Image, Preset, Registry, Sim};

const SECRET: &str = "/v2/team/secret/manifests/1";
const PUBLIC: &str = "/v2/team/app/manifests/1";
/// A changed file is in force within so long.
const SOON: Duration = Duration::from_secs(5);

/// A volume of one secret with one key.
struct Volume {
    folder: TempDir,
    key: &'static str,
    version: u32,
}

impl Volume {
    fn mounted(key: &'static str, content: &str) -> Self {
        let mut volume = Self { folder: tempfile::tempdir().unwrap(), key, version: 0 };
        volume.swap(content);
        symlink(Path::new("..data").join(key), volume.path()).unwrap();
        volume
    }

    /// Where it is mounted.
    fn path(&self) -> PathBuf {
        self.folder.path().join(self.key)
    }

    /// A new version, as the kubelet's atomic writer does it: a folder of its own, a link to it, one rename, and the old
    /// folder is gone.
    fn swap(&mut self, content: &str) {
        let root = self.folder.path();
        let old = fs::read_link(root.join("..data")).ok();
        self.version += 1;
        let name = format!("..2026_11_21_10_{:02}_00.{}", self.version, 1_000_000_000 + self.version);
        fs::create_dir(root.join(&name)).unwrap();
        fs::write(root.join(&name).join(self.key), content).unwrap();
        symlink(&name, root.join("..data_tmp")).unwrap();
        fs::rename(root.join("..data_tmp"), root.join("..data")).unwrap();
        old.inspect(|old| fs::remove_dir_all(root.join(old)).unwrap());
    }
}

/// What `kubectl create secret docker-registry` makes.
fn docker_config(user: &str, password: &str) -> String {
    let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!(r#"{{"auths":{{"generic.test":{{"username":"{user}","password":"{password}","auth":"{auth}"}}}}}}"#)
}

/// A registry that knows alice and bob, and regpass with a login from the volume.
struct World {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    volume: Volume,
}

/// What a pull came to, and who asked the token service for it.
#[derive(Debug)]
struct Pulled {
    status: u16,
    grant: String,
    logins: Vec<String>,
}

impl Pulled {
    #[track_caller]
    fn assert(&self, status: u16, grant: &str, logins: &[&str]) {
        assert_eq!((self.status, self.grant.as_str()), (status, grant), "{self:?}");
        assert_eq!(self.logins, logins, "{self:?}");
    }
}

impl World {
    async fn with_docker_config(content: &str) -> Self {
        let volume = Volume::mounted(".dockerconfigjson", content);
        let login = format!("credential = {{ source = \"docker\", file = \"{}\" }}", volume.path().display());
        Self::start(volume, &login).await
    }

    async fn with_password(password: &str) -> Self {
        let volume = Volume::mounted("password", password);
        let path = volume.path();
        let login = format!(
            "credential = {{ source = \"password\", username = \"alice\", password = {{ file = \"{}\" }} }}",
            path.display()
        );
        Self::start(volume, &login).await
    }

    async fn start(volume: Volume, login: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::generic()).await;
        registry.user("alice", "wonderland");
        registry.user("bob", "builder");
        registry.publish("team/app", "1", &Image::single("app", Family::Oci));
        registry.keep("team/secret", "1", &Image::single("secret", Family::Oci));
        let regpass = Regpass::start(&sim, &only(&registry, login));
        Self { sim, registry, regpass, volume }
    }

    async fn pull(&self, target: &str) -> Pulled {
        let reply = self.regpass.get(target).await;
        let seen = self.sim.ledger().take();
        let logins = seen.iter().filter(|entry| entry.server == "token").map(|entry| entry.authorization.to_string());
        Pulled { status: reply.status.as_u16(), grant: reply.grant().to_owned(), logins: logins.collect() }
    }
}

#[tokio::test(start_paused = true)]
async fn a_swapped_docker_configuration_is_in_force_and_the_old_logins_tokens_are_not() {
    let mut world = World::with_docker_config(&docker_config("alice", "wonderland")).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    world.pull(SECRET).await.assert(200, "cached", &[]);
    world.volume.swap(&docker_config("bob", "builder"));
    advance(SOON).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:bob"]);
    // Nothing is asked for in alice's name again, not behind the requests either.
    for _ in 0..30 {
        advance(Duration::from_secs(30)).await;
        assert_eq!(world.regpass.get(SECRET).await.status, 200);
    }
    let seen = world.sim.ledger().take();
    let logins: Vec<String> =
        seen.iter().filter(|entry| entry.server == "token").map(|e| e.authorization.to_string()).collect();
    assert!(!logins.is_empty() && logins.iter().all(|login| login == "basic:bob"), "{logins:?}");
    world.sim.finish();
}

/// Who may what, and what was refused, is the old login's affair.
#[tokio::test(start_paused = true)]
async fn a_swap_clears_what_the_old_login_was_refused() {
    let (wrong, right) = (docker_config("alice", "forgotten"), docker_config("alice", "wonderland"));
    let mut world = World::with_docker_config(&wrong).await;
    world.pull(PUBLIC).await.assert(200, "login rejected, anonymous", &["basic:alice", "anonymous"]);
    assert_eq!(world.pull(SECRET).await.status, 403);
    world.sim.ledger().take();
    assert_eq!(world.pull(SECRET).await.logins, [""; 0], "a refusal is remembered");

    // Sooner than any refusal is forgotten by itself.
    world.volume.swap(&right);
    advance(Duration::from_millis(1100)).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    world.pull(PUBLIC).await.assert(200, "fetched", &["basic:alice"]);
    assert_eq!(world.regpass.metric("regpass_credential_rejected_total").len(), 1, "told once");
    world.sim.finish();
}

/// A login that is revoked while its token lives: the registry's refusal of the token is met with the new login.
#[tokio::test(start_paused = true)]
async fn a_rotated_password_meets_revoked_tokens() {
    let mut world = World::with_docker_config(&docker_config("alice", "wonderland")).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    world.registry.user("alice", "looking-glass");
    world.registry.revoke_tokens();
    world.volume.swap(&docker_config("alice", "looking-glass"));
    advance(SOON).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    assert!(world.regpass.metric("regpass_credential_rejected_total").is_empty());
    world.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn a_broken_version_leaves_the_last_good_one_in_force_and_is_told() {
    let log = Log::listen();
    let mut world = World::with_docker_config(&docker_config("alice", "wonderland")).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    let whole = docker_config("bob", "builder");
    for half in [&whole[..whole.len() / 2], "", "\0\0\0\0"] {
        world.volume.swap(half);
        for _ in 0..3 {
            advance(SOON).await;
            world.pull(SECRET).await.assert(200, "cached", &[]);
        }
    }
    // Three versions, three warnings, each with the file and none with what is in it.
    let told = log.lines("what was last read from the file stays in force");
    assert!(told.len() == 3 && told.iter().all(|line| line.contains("WARN")), "{told:#?}");
    assert!(told.iter().all(|line| line.contains(".dockerconfigjson") && !line.contains("builder")), "{told:#?}");

    // Gone altogether, as while a volume is mounted anew.
    let data = world.volume.folder.path().join("..data");
    let target = fs::read_link(&data).unwrap();
    fs::remove_file(&data).unwrap();
    advance(SOON).await;
    world.pull(SECRET).await.assert(200, "cached", &[]);
    assert_eq!(log.count("WARN", "does not exist"), 1);
    symlink(target, &data).unwrap();

    world.volume.swap(&whole);
    advance(SOON).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:bob"]);
    assert_eq!(log.count("INFO", "the file is readable"), 1);
    assert!(log.lines("builder").is_empty() && log.lines("wonderland").is_empty());
    world.sim.finish();
}

/// It is not there yet when the pod starts: an error that names the file, and then it works.
#[tokio::test(start_paused = true)]
async fn a_secret_that_comes_late_is_waited_for_in_words() {
    for docker in [true, false] {
        let content = if docker { docker_config("alice", "wonderland") } else { "wonderland".to_owned() };
        let mut world =
            if docker { World::with_docker_config(&content).await } else { World::with_password(&content).await };
        let data = world.volume.folder.path().join("..data");
        fs::remove_dir_all(world.volume.folder.path().join(fs::read_link(&data).unwrap())).unwrap();
        fs::remove_file(&data).unwrap();
        let refused = world.regpass.get(SECRET).await;
        assert!(refused.status.is_server_error(), "{refused:?}");
        let message = refused.error().1;
        assert!(message.contains(&world.volume.path().display().to_string()), "{message}");
        world.volume.swap(&content);
        advance(SOON).await;
        world.sim.ledger().take();
        let pulled = world.pull(SECRET).await;
        assert_eq!((pulled.status, pulled.logins), (200, vec!["basic:alice".to_owned()]), "{docker}");
        world.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_swapped_password_file_is_in_force_and_clears_what_was_refused() {
    let log = Log::listen();
    let mut world = World::with_password("forgotten\n").await;
    world.pull(PUBLIC).await.assert(200, "login rejected, anonymous", &["basic:alice", "anonymous"]);
    assert_eq!(world.pull(SECRET).await.status, 403);

    world.volume.swap("wonderland\n");
    advance(Duration::from_millis(1100)).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    world.pull(PUBLIC).await.assert(200, "fetched", &["basic:alice"]);

    // Rotated: the token of the old password is dropped.
    world.registry.user("alice", "looking-glass");
    world.volume.swap("looking-glass\n");
    advance(SOON).await;
    world.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);

    // Empty, as a file is that is being written: the last one stays.
    world.volume.swap("");
    advance(SOON).await;
    world.pull(SECRET).await.assert(200, "cached", &[]);
    assert_eq!(log.count("WARN", "what was last read from the file stays in force"), 1);
    assert!(log.lines("looking-glass").is_empty());
    world.sim.finish();
}

/// Swaps come at any moment: while somebody pulls, no pull fails for one.
#[tokio::test(start_paused = true)]
async fn no_pull_fails_while_versions_come_and_go() {
    let mut world = World::with_docker_config(&docker_config("alice", "wonderland")).await;
    for round in 0..40 {
        let (user, password) = [("bob", "builder"), ("alice", "wonderland")][round % 2];
        world.volume.swap(&docker_config(user, password));
        for _ in 0..3 {
            assert_eq!(world.regpass.get(SECRET).await.status, 200, "{round}");
            advance(Duration::from_millis(700)).await;
        }
    }
    let seen = world.sim.ledger().take();
    let by = |login: &str| seen.iter().filter(|entry| entry.authorization.to_string() == login).count();
    assert!(by("basic:alice") > 0 && by("basic:bob") > 0, "both were used");
    world.sim.finish();
}
