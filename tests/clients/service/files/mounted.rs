//! Files as a kubelet mounts them: all at once, by the swap of a symlink above them.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};

use crate::certificates::Authority;
use crate::process::{Daemon, ended};
use crate::registry::PASSWORD;
use crate::service::house::{House, Running, curl};
use crate::service::told;

/// A mounted volume: the names that are seen are symlinks by way of `..data`.
struct Volume(PathBuf);

impl Volume {
    fn mount(at: PathBuf, files: &[(&str, &str)]) -> Self {
        fs::create_dir(&at).expect("a mount point");
        let volume = Self(at);
        volume.swap("..0", files);
        for (name, _) in files {
            symlink(Path::new("..data").join(name), volume.0.join(name)).expect("a link to a file");
        }
        volume
    }

    /// Puts other files in the place of all of them, at once.
    fn swap(&self, version: &str, files: &[(&str, &str)]) {
        let folder = self.0.join(version);
        fs::create_dir(&folder).expect("a folder");
        for (name, text) in files {
            fs::write(folder.join(name), text).expect("a file");
        }
        symlink(version, self.0.join("..data_tmp")).expect("a link to the folder");
        fs::rename(self.0.join("..data_tmp"), self.0.join("..data")).expect("the swap");
    }
}

fn files<'a>(config: &'a str, certificate: &'a str, key: &'a str, password: &'a str) -> [(&'a str, &'a str); 4] {
    [("config.toml", config), ("tls.pem", certificate), ("tls-key.pem", key), ("password", password)]
}

#[tokio::test]
async fn a_swap_to_one_broken_file_loses_nothing() {
    let house = House::build().await;
    let mount = house.home.path().join("mounted");
    let (issuer, at) = (Authority::new(), |name: &str| mount.join(name).display().to_string());
    let (certificate, key) = issuer.certify("localhost");
    let login =
        format!("{{ source = \"password\", username = \"u\", password = {{ file = \"{}\" }} }}", at("password"));
    let tls = format!("tls = {{ certificate = \"{}\", key = \"{}\" }}", at("tls.pem"), at("tls-key.pem"));
    let config = |alias: &str| {
        let config = house.config_with(&login, "").replacen("\n[admin]", &format!("\n{tls}\n[admin]"), 1);
        config.replace("alias = \"one\"", &format!("alias = \"{alias}\""))
    };
    let volume = Volume::mount(mount.clone(), &files(&config("one"), &certificate, &key, PASSWORD));
    symlink(mount.join("config.toml"), house.file()).unwrap();
    let regpass = Running::of(Daemon::start("regpass", house.command())).await;
    let believed = house.home.path().join("believed.pem");
    fs::write(&believed, issuer.pem()).unwrap();
    let pulls = async |alias: &str| {
        let mut curl = curl();
        curl.args(["--fail", "--output", "/dev/null", "--cacert"]).arg(&believed);
        curl.arg(format!("https://localhost:{}/v2/{alias}/team/app/manifests/1", regpass.address.port()));
        ended(&mut curl).await.status.success()
    };
    assert!(pulls("one").await);

    let mark = regpass.daemon.mark();
    volume.swap("..1", &files(&config("two"), "not a certificate", &key, PASSWORD));
    told::everywhere(&regpass, mark, "a broken certificate", "listener.tls", &["tls.pem"]).await;
    assert!(pulls("one").await && !pulls("two").await, "all of the old one is in force");

    let mark = regpass.daemon.mark();
    volume.swap("..2", &files(&config("three"), &certificate, &key, ""));
    told::everywhere(&regpass, mark, "a broken password", "registry.\"house.test\".credential", &["is empty"]).await;
    assert!(pulls("three").await, "the new configuration, with the old password");

    volume.swap("..3", &files(&config("four"), &certificate, &key, PASSWORD));
    told::nowhere(&regpass, "all good").await;
    regpass.soon("the last one", async || pulls("four").await).await;
    house.sim.finish();
}
