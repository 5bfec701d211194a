//! podman and buildah: push a local image, forget it and pull it again.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use tokio::process::Command;

use super::super::stage::{Stage, Turn};
use super::super::tally::Act;
use crate::process::{output, stdout};
use crate::push::held::Held;
use crate::push::local::archive;
use crate::{buildah, podman};

/// One of two that take the same words.
#[derive(Clone, Copy)]
pub(super) struct Engine {
    name: &'static str,
    command: fn(&Path) -> Command,
}

pub(super) const PODMAN: Engine = Engine { name: "podman", command: podman::podman };
pub(super) const BUILDAH: Engine = Engine { name: "buildah", command: buildah::buildah };

pub(super) async fn work(stage: Arc<Stage>, engine: Engine) {
    let home = tempfile::tempdir().expect("a directory for the engine");
    let home = home.path();
    for number in 0.. {
        if stage.is_over() {
            break;
        }
        let turn = stage.turn(engine.name, number);
        stage.tally.count(engine.name, Act::Push, turn.size(), engine.push(&turn, home)).await;
        stage.tally.count(engine.name, Act::Pull, turn.size(), engine.pull(&turn, home)).await;
    }
}

impl Engine {
    async fn push(self, turn: &Turn<'_>, home: &Path) {
        let platform = &turn.image.platforms[0];
        let archive = archive(home, platform, turn.image.layout()).await;
        let local = format!("docker-archive:{}", archive.display());
        let id = stdout((self.command)(home).args(["pull", "--quiet", &local])).await;
        fs::remove_file(archive).expect("the archive");

        let target = format!("docker://{}", turn.place.image(&format!("{}:{}", self.repository(), turn.tag)));
        let mut push = (self.command)(home);
        output(push.args(["push", "--quiet", "--tls-verify=false", id.trim(), &target])).await;
        Held::read(&turn.place.registry, &self.repository(), &turn.tag).await.assert_unpacks_to(platform);
        self.forget(home).await;
    }

    async fn pull(self, turn: &Turn<'_>, home: &Path) {
        let platform = &turn.image.platforms[0];
        let wanted = format!("--platform=linux/{}", platform.architecture);
        let name = turn.place.image(&format!("{}:{}", self.repository(), turn.tag));
        let id = stdout((self.command)(home).args(["pull", "--quiet", "--tls-verify=false", &wanted, &name])).await;
        assert_eq!(format!("sha256:{}", id.trim()), platform.config, "{name}");
        self.forget(home).await;
    }

    async fn forget(self, home: &Path) {
        output((self.command)(home).args(["rmi", "--all", "--force"])).await;
    }

    fn repository(self) -> String {
        format!("soak/{}", self.name)
    }
}
