//! Secrets as the kubelet mounts them: a folder of symbolic links through `..data` to a folder that is named by a date. A
//! new version replaces the link `..data` by a rename.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::time::Duration;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use tempfile::TempDir;
use tokio::time::advance;

use crate::harness::{Regpass, single_registry_config};
use crate::log::Log;
use crate::sim::{Image, ImageFormat, Preset, Registry, Sim};

const SECRET: &str = "/v2/team/secret/manifests/1";
const PUBLIC: &str = "/v2/team/app/manifests/1";
/// The time within which regpass uses a changed file.
const RELOAD_TIME: Duration = Duration::from_secs(5);

/// A volume of one secret with one key.
struct Volume {
    folder: TempDir,
    key: &'static str,
    version: u32,
}

impl Volume {
    fn mounted(key: &'static str, content: &str) -> Self {
        let mut volume = Self { folder: tempfile::tempdir().unwrap(), key, version: 0 };
        volume.replace(content);
        symlink(Path::new("..data").join(key), volume.path()).unwrap();
        volume
    }

    /// The path of the key's file.
    fn path(&self) -> PathBuf {
        self.folder.path().join(self.key)
    }

    /// Writes a new version like the kubelet's atomic writer: a new folder, a link to it, a rename of the link, and the
    /// removal of the old folder.
    fn replace(&mut self, content: &str) {
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

/// The content that `kubectl create secret docker-registry` writes.
fn docker_config(user: &str, password: &str) -> String {
    let auth = BASE64_STANDARD.encode(format!("{user}:{password}"));
    format!(r#"{{"auths":{{"generic.test":{{"username":"{user}","password":"{password}","auth":"{auth}"}}}}}}"#)
}

/// A registry with the users alice and bob, and regpass with a credential from the volume.
struct SecretSetup {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    volume: Volume,
}

/// The result of a pull. `users` has the authorization of each token request: `basic:alice` or `anonymous`.
#[derive(Debug)]
struct PullResult {
    status: u16,
    authorization_source: String,
    users: Vec<String>,
}

impl PullResult {
    #[track_caller]
    fn assert(&self, status: u16, authorization_source: &str, users: &[&str]) {
        assert_eq!((self.status, self.authorization_source.as_str()), (status, authorization_source), "{self:?}");
        assert_eq!(self.users, users, "{self:?}");
    }
}

impl SecretSetup {
    async fn with_docker_config(content: &str) -> Self {
        let volume = Volume::mounted(".dockerconfigjson", content);
        let credential = format!("credential = {{ source = \"docker\", file = \"{}\" }}", volume.path().display());
        Self::start(volume, &credential).await
    }

    async fn with_password(password: &str) -> Self {
        let volume = Volume::mounted("password", password);
        let path = volume.path();
        let credential = format!(
            "credential = {{ source = \"password\", username = \"alice\", password = {{ file = \"{}\" }} }}",
            path.display()
        );
        Self::start(volume, &credential).await
    }

    async fn start(volume: Volume, credential: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::generic()).await;
        registry.add_user("alice", "wonderland");
        registry.add_user("bob", "builder");
        registry.publish("team/app", "1", &Image::single("app", ImageFormat::Oci));
        registry.publish_private("team/secret", "1", &Image::single("secret", ImageFormat::Oci));
        let regpass = Regpass::start(&sim, &single_registry_config(&registry, credential));
        Self { sim, registry, regpass, volume }
    }

    async fn pull(&self, target: &str) -> PullResult {
        let reply = self.regpass.get(target).await;
        let entries = self.sim.ledger().take();
        let users = entries.iter().filter(|entry| entry.server == "token").map(|entry| entry.authorization.to_string());
        PullResult {
            status: reply.status.as_u16(),
            authorization_source: reply.authorization_source().to_owned(),
            users: users.collect(),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_docker_configuration_is_used_and_the_old_credentials_tokens_are_not() {
    let mut setup = SecretSetup::with_docker_config(&docker_config("alice", "wonderland")).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    setup.pull(SECRET).await.assert(200, "cached", &[]);
    setup.volume.replace(&docker_config("bob", "builder"));
    advance(RELOAD_TIME).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:bob"]);
    // No more tokens are requested for alice, not by background renewals either.
    for _ in 0..30 {
        advance(Duration::from_secs(30)).await;
        assert_eq!(setup.regpass.get(SECRET).await.status, 200);
    }
    let entries = setup.sim.ledger().take();
    let users: Vec<String> =
        entries.iter().filter(|entry| entry.server == "token").map(|entry| entry.authorization.to_string()).collect();
    assert!(!users.is_empty() && users.iter().all(|credential| credential == "basic:bob"), "{users:?}");
    setup.sim.finish();
}

/// A cached denial applies only to the credential that was denied.
#[tokio::test(start_paused = true)]
async fn a_replaced_credential_clears_the_denials_of_the_old_one() {
    let (wrong, right) = (docker_config("alice", "forgotten"), docker_config("alice", "wonderland"));
    let mut setup = SecretSetup::with_docker_config(&wrong).await;
    setup.pull(PUBLIC).await.assert(200, "login rejected, anonymous", &["basic:alice", "anonymous"]);
    assert_eq!(setup.pull(SECRET).await.status, 403);
    setup.sim.ledger().take();
    assert_eq!(setup.pull(SECRET).await.users, [""; 0], "the denial is cached");

    // Earlier than any cached denial expires.
    setup.volume.replace(&right);
    advance(Duration::from_millis(1100)).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    setup.pull(PUBLIC).await.assert(200, "fetched", &["basic:alice"]);
    assert_eq!(
        setup.regpass.metric("regpass_credential_rejected_total").len(),
        1,
        "the rejected credential is counted once"
    );
    setup.sim.finish();
}

/// The password changes and its tokens are revoked: the next token is requested with the new password.
#[tokio::test(start_paused = true)]
async fn a_changed_password_is_used_after_its_tokens_are_revoked() {
    let mut setup = SecretSetup::with_docker_config(&docker_config("alice", "wonderland")).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    setup.registry.add_user("alice", "looking-glass");
    setup.registry.revoke_tokens();
    setup.volume.replace(&docker_config("alice", "looking-glass"));
    advance(RELOAD_TIME).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    assert!(setup.regpass.metric("regpass_credential_rejected_total").is_empty());
    setup.sim.finish();
}

#[tokio::test(start_paused = true)]
async fn an_invalid_version_is_logged_and_the_last_valid_one_stays_in_use() {
    let log = Log::capture();
    let mut setup = SecretSetup::with_docker_config(&docker_config("alice", "wonderland")).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    let valid = docker_config("bob", "builder");
    for invalid in [&valid[..valid.len() / 2], "", "\0\0\0\0"] {
        setup.volume.replace(invalid);
        for _ in 0..3 {
            advance(RELOAD_TIME).await;
            setup.pull(SECRET).await.assert(200, "cached", &[]);
        }
    }
    // Three versions cause three warnings, each with the file's name and none with its content.
    let warnings = log.lines("its last good content stays in use");
    assert!(warnings.len() == 3 && warnings.iter().all(|line| line.contains("WARN")), "{warnings:#?}");
    assert!(
        warnings.iter().all(|line| line.contains(".dockerconfigjson") && !line.contains("builder")),
        "{warnings:#?}"
    );

    // The file is missing, as while a volume is mounted again.
    let data = setup.volume.folder.path().join("..data");
    let target = fs::read_link(&data).unwrap();
    fs::remove_file(&data).unwrap();
    advance(RELOAD_TIME).await;
    setup.pull(SECRET).await.assert(200, "cached", &[]);
    assert_eq!(log.count("WARN", "does not exist"), 1);
    symlink(target, &data).unwrap();

    setup.volume.replace(&valid);
    advance(RELOAD_TIME).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:bob"]);
    assert_eq!(log.count("INFO", "the file can be read again"), 1);
    assert!(log.lines("builder").is_empty() && log.lines("wonderland").is_empty());
    setup.sim.finish();
}

/// If the secret does not exist when the pod starts, requests fail with an error that names the file, until it exists.
#[tokio::test(start_paused = true)]
async fn a_missing_secret_is_an_error_that_names_the_file_until_it_exists() {
    for docker in [true, false] {
        let content = if docker { docker_config("alice", "wonderland") } else { "wonderland".to_owned() };
        let mut setup = if docker {
            SecretSetup::with_docker_config(&content).await
        } else {
            SecretSetup::with_password(&content).await
        };
        let data = setup.volume.folder.path().join("..data");
        fs::remove_dir_all(setup.volume.folder.path().join(fs::read_link(&data).unwrap())).unwrap();
        fs::remove_file(&data).unwrap();
        let rejected = setup.regpass.get(SECRET).await;
        assert!(rejected.status.is_server_error(), "{rejected:?}");
        let message = rejected.error().1;
        assert!(message.contains(&setup.volume.path().display().to_string()), "{message}");
        setup.volume.replace(&content);
        advance(RELOAD_TIME).await;
        setup.sim.ledger().take();
        let pulled = setup.pull(SECRET).await;
        assert_eq!((pulled.status, pulled.users), (200, vec!["basic:alice".to_owned()]), "{docker}");
        setup.sim.finish();
    }
}

#[tokio::test(start_paused = true)]
async fn a_replaced_password_file_is_used_and_clears_denials() {
    let log = Log::capture();
    let mut setup = SecretSetup::with_password("forgotten\n").await;
    setup.pull(PUBLIC).await.assert(200, "login rejected, anonymous", &["basic:alice", "anonymous"]);
    assert_eq!(setup.pull(SECRET).await.status, 403);

    setup.volume.replace("wonderland\n");
    advance(Duration::from_millis(1100)).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);
    setup.pull(PUBLIC).await.assert(200, "fetched", &["basic:alice"]);

    // A changed password: the token of the old one is not used any more.
    setup.registry.add_user("alice", "looking-glass");
    setup.volume.replace("looking-glass\n");
    advance(RELOAD_TIME).await;
    setup.pull(SECRET).await.assert(200, "fetched", &["basic:alice"]);

    // An empty file, as while it is written: the last password stays in use.
    setup.volume.replace("");
    advance(RELOAD_TIME).await;
    setup.pull(SECRET).await.assert(200, "cached", &[]);
    assert_eq!(log.count("WARN", "its last good content stays in use"), 1);
    assert!(log.lines("looking-glass").is_empty());
    setup.sim.finish();
}

/// The versions change between pulls and while tokens are renewed.
#[tokio::test(start_paused = true)]
async fn no_pull_fails_while_the_secret_is_replaced_repeatedly() {
    let mut setup = SecretSetup::with_docker_config(&docker_config("alice", "wonderland")).await;
    for round in 0..40 {
        let (user, password) = [("bob", "builder"), ("alice", "wonderland")][round % 2];
        setup.volume.replace(&docker_config(user, password));
        for _ in 0..3 {
            assert_eq!(setup.regpass.get(SECRET).await.status, 200, "{round}");
            advance(Duration::from_millis(700)).await;
        }
    }
    let entries = setup.sim.ledger().take();
    let by = |credential: &str| entries.iter().filter(|entry| entry.authorization.to_string() == credential).count();
    assert!(by("basic:alice") > 0 && by("basic:bob") > 0, "both users' tokens were used");
    setup.sim.finish();
}
