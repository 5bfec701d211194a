//! The stage: two registries, the socket that regpass is handed, and until when.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::Instant;

use super::place::Place;
use super::tally::Tally;
use crate::image::Image;
use crate::process::plain;
use crate::registry::Registry;
use crate::scene::NS;

/// Seconds: every second upload waits for a new one. (The registry itself goes on believing a token for a minute.)
const TOKEN_LIFE: Duration = Duration::from_secs(10);

/// Of layers. What takes a while to send is under way when processes change.
const SIZES: [usize; 4] = [20 << 10, 3 << 20, 300 << 10, 1 << 20];
const LARGE: usize = 12 << 20;

pub(super) struct Stage {
    pub(super) until: Instant,
    pub(super) tally: Tally,
    /// What regpass listens on, whichever process it is.
    pub(super) socket: TcpListener,
    pub(super) address: SocketAddr,
    /// Wants a password.
    pub(super) basic: Place,
    /// Wants tokens.
    pub(super) token: Place,
    /// `soak/large:1` in both.
    pub(super) large: Image,
    /// `soak/index:1` in both, with two platforms.
    pub(super) index: Image,
    pub(super) home: TempDir,
}

/// One time around the loop of a client.
pub(super) struct Turn<'a> {
    pub(super) place: &'a Place,
    /// What was never there before.
    pub(super) image: Image,
    pub(super) tag: String,
}

impl Stage {
    pub(super) async fn set(length: Duration) -> Self {
        let socket = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = socket.local_addr().expect("bound");
        let basic = Place::new(Registry::start_htpasswd().await, "", address.port());
        let token = Place::new(Registry::start_token(TOKEN_LIFE).await, "reg/", address.port());
        let large = Image::of("large", &["amd64"], LARGE);
        let index = Image::of("index", &["amd64", "arm64"], SIZES[2]);
        for place in [&basic, &token] {
            for (image, name) in [(&large, "soak/large:1"), (&index, "soak/index:1")] {
                place.registry.push(image, name).await;
                assert_eq!(place.registry.digest(name).await, image.digest);
            }
        }
        let home = tempfile::tempdir().expect("a directory for regpass");
        let until = Instant::now() + length;
        Self { until, tally: Tally::default(), socket, address, basic, token, large, index, home }
    }

    pub(super) fn config(&self) -> PathBuf {
        self.home.path().join("config.toml")
    }

    pub(super) fn command(&self) -> Command {
        let mut command = plain(env!("CARGO_BIN_EXE_regpass"), self.home.path());
        command.args(["--log", "json", "serve", "--config"]).arg(self.config());
        command
    }

    /// Both registries, as the configuration has them. `password` is a file.
    pub(super) fn registries(&self, password: &str) -> String {
        let alias = "alias = \"reg\"";
        self.basic.table("docker.io", password, "") + &self.token.table(NS, password, alias)
    }

    pub(super) fn is_over(&self) -> bool {
        Instant::now() >= self.until
    }

    /// The registry of this turn of a client, in turns.
    pub(super) fn place(&self, number: usize) -> &Place {
        if number.is_multiple_of(2) { &self.token } else { &self.basic }
    }

    /// Turn `number` of a client, with something new to push.
    pub(super) fn turn(&self, client: &str, number: usize) -> Turn<'_> {
        // Each registry gets each size.
        let size = SIZES[number / 2 % SIZES.len()];
        let image = Image::of(&format!("{client}-{number}"), &["amd64"], size);
        Turn { place: self.place(number), image, tag: number.to_string() }
    }
}

impl Turn<'_> {
    /// How many bytes the only layer has.
    pub(super) fn size(&self) -> usize {
        self.image.platforms[0].layer_bytes.len()
    }
}
