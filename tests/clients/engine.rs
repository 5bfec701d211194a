//! podman and buildah: two container engines that take the same arguments.

use std::fs;
use std::path::Path;

use tokio::process::Command;

use crate::image::{Image, Platform};
use crate::process::{isolated, output, stdout};
use crate::push::docker_archive::docker_archive;

#[derive(Clone, Copy)]
pub(crate) struct Engine {
    pub(crate) name: &'static str,
    /// Each option that sets one of the engine's directories, and the directory's name below `home`.
    directories: &'static [(&'static str, &'static str)],
    options: &'static [&'static str],
}

// The storage driver vfs needs no support from the kernel.
pub(crate) const PODMAN: Engine = Engine {
    name: "podman",
    directories: &[("--root", "podman"), ("--runroot", "podman-run"), ("--tmpdir", "podman-tmp")],
    options: &["--storage-driver=vfs", "--events-backend=none"],
};
pub(crate) const BUILDAH: Engine = Engine {
    name: "buildah",
    directories: &[("--root", "buildah"), ("--runroot", "buildah-run")],
    options: &["--storage-driver=vfs"],
};

impl Engine {
    /// A command of the engine, with its state below `home`.
    pub(crate) fn command(self, home: &Path) -> Command {
        let mut command = isolated(self.name, home);
        for (flag, directory) in self.directories {
            command.arg(flag).arg(home.join(directory));
        }
        command.args(self.options);
        command
    }

    /// Pulls one platform of `image`, checks that it is `platform`, and returns its ID.
    pub(crate) async fn pull(self, home: &Path, image: &str, platform: &Platform, options: &[&str]) -> String {
        let architecture = format!("--platform=linux/{}", platform.architecture);
        let mut pull = self.command(home);
        pull.args(["pull", "--quiet", &architecture]).args(options).arg(image);
        let id = stdout(&mut pull).await.trim().to_owned();
        assert_eq!(format!("sha256:{id}"), platform.config, "{} pull {image} {architecture}", self.name);
        id
    }

    /// Loads one platform of an image into the engine's own storage and returns its ID.
    pub(crate) async fn load(self, home: &Path, image: &Image, platform: &Platform) -> String {
        let archive = docker_archive(home, image, platform).await;
        let source = format!("docker-archive:{}", archive.display());
        let id = stdout(self.command(home).args(["pull", "--quiet", &source])).await.trim().to_owned();
        fs::remove_file(archive).expect("the archive is removed");
        id
    }

    /// Pushes the image with this ID and returns the digest that the engine reports.
    pub(crate) async fn push(self, home: &Path, id: &str, image: &str) -> String {
        let digest = home.join("digest");
        let mut push = self.command(home);
        push.args(["push", "--quiet", "--tls-verify=false", "--digestfile"]).arg(&digest);
        output(push.args([id, &format!("docker://{image}")])).await;
        fs::read_to_string(&digest).expect("the digest file")
    }
}
