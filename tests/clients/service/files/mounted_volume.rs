//! Files in a volume that a kubelet mounts: it changes all of them at once, by swapping a symlink to their folder.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::certificates::{CertificateAuthority, write_file};
use crate::process::unchecked_output;
use crate::registry::PASSWORD;
use crate::service::problem_reports;
use crate::service::testbed::{Testbed, curl};

/// A mounted volume. Its visible files are symlinks into the folder to which the symlink `..data` points.
struct Volume(PathBuf);

impl Volume {
    fn mount(path: PathBuf, files: &[(&str, String)]) -> Self {
        fs::create_dir(&path).expect("the mount point is created");
        let volume = Self(path);
        volume.swap("..0", files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), volume.0.join(name)).expect("a link to a file");
        }
        volume
    }

    /// Replaces all files at once.
    fn swap(&self, version: &str, files: &[(&str, String)]) {
        let folder = self.0.join(version);
        fs::create_dir(&folder).expect("a folder is created");
        for (name, text) in files {
            write_file(&folder, name, text);
        }
        symlink(version, self.0.join("..data_tmp")).expect("a link to the folder");
        fs::rename(self.0.join("..data_tmp"), self.0.join("..data")).expect("the swap");
    }
}

#[tokio::test]
async fn swap_to_files_of_which_one_is_broken_keeps_what_is_valid() {
    let testbed = Testbed::start().await;
    let mount = testbed.home.path().join("mounted");
    let path = |name: &str| mount.join(name).display().to_string();
    let authority = CertificateAuthority::new();
    let (certificate, key) = authority.issue("localhost");
    let credential =
        format!("{{ source = \"password\", username = \"u\", password = {{ file = \"{}\" }} }}", path("password"));
    let tls = format!("tls = {{ certificate = \"{}\", key = \"{}\" }}", path("tls.pem"), path("tls-key.pem"));
    let config = |alias: &str| {
        let config = testbed.config_with_credential(&credential);
        let config = config.replacen("\n[admin]", &format!("\n{tls}\n[admin]"), 1);
        config.replace("alias = \"one\"", &format!("alias = \"{alias}\""))
    };
    let files = |alias: &str, certificate: &str, password: &str| {
        [
            ("config.toml", config(alias)),
            ("tls.pem", certificate.to_owned()),
            ("tls-key.pem", key.clone()),
            ("password", password.to_owned()),
        ]
    };
    let volume = Volume::mount(mount.clone(), &files("one", &certificate, PASSWORD));
    symlink(mount.join("config.toml"), testbed.config_file()).unwrap();
    let regpass = testbed.start_regpass_with_file().await;
    let ca = write_file(testbed.home.path(), "trusted.pem", &authority.pem());
    let is_pulled_by = async |alias: &str| {
        let mut curl = curl();
        curl.args(["--fail", "--output", "/dev/null", "--cacert", &ca]);
        curl.arg(format!("https://localhost:{}/v2/{alias}/team/app/manifests/1", regpass.address.port()));
        unchecked_output(&mut curl).await.status.success()
    };
    assert!(is_pulled_by("one").await);

    let skip = regpass.daemon.log_length();
    volume.swap("..1", &files("two", "not a certificate", PASSWORD));
    problem_reports::assert_shown(&regpass, skip, "a broken certificate", "listener.tls", &["tls.pem"]).await;
    assert!(is_pulled_by("one").await && !is_pulled_by("two").await, "the old configuration and files are active");

    let skip = regpass.daemon.log_length();
    volume.swap("..2", &files("three", &certificate, ""));
    let key = "registry.\"sim.test\".credential";
    problem_reports::assert_shown(&regpass, skip, "an empty password", key, &["is empty"]).await;
    assert!(is_pulled_by("three").await, "the new configuration is active with the old password");

    volume.swap("..3", &files("four", &certificate, PASSWORD));
    problem_reports::assert_cleared(&regpass, "valid files").await;
    regpass.eventually("the last configuration", async || is_pulled_by("four").await).await;
    testbed.sim.finish();
}
