//! The oras Python client, the one client here that does not come from Debian.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::process::{plain, stdout};
use crate::scene::{Scene, in_both_modes};

/// Prints the digest of the index and of the file that a pull of each platform unpacked.
pub(crate) const SCRIPT: &str = include_str!("oras.py");

in_both_modes!(pulls_index_and_files);

async fn pulls_index_and_files(scene: &Scene) {
    for name in ["python", "reg/toddysm/python"] {
        let mut python = plain(python(), scene.home());
        python.args(["-c", SCRIPT, &scene.regpass.image(name), "3.12"]).arg(scene.home().join("files"));
        let pulled: Value = serde_json::from_str(&stdout(&mut python).await).expect("JSON");
        let payloads: Vec<_> = scene.image.platforms.iter().map(|platform| &platform.payload).collect();
        assert_eq!(pulled, json!({ "index": scene.image.digest, "tags": ["3.12"], "files": payloads }), "{name}");
    }
}

/// `tests/run` puts the client into this virtual environment, beside everything else that cargo may throw away.
pub(crate) fn python() -> PathBuf {
    let python = Path::new(env!("CARGO_TARGET_TMPDIR")).join("oras/bin/python");
    assert!(
        python.is_file(),
        "no oras client at {}; tests/run makes it (Debian package python3-venv)",
        python.display()
    );
    python
}
