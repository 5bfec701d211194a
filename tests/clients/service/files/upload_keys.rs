//! The keys that encrypt the locations of upload sessions.

use std::fs;

use super::{Breakage, REMOVED_SECRET, assert_survives};
use crate::process::stdout;
use crate::service::problem_reports;
use crate::service::testbed::{RunningRegpass, Testbed, curl};

const KEY: &str = "a key of more than sixteen bytes";

/// Opens an upload session and returns the path of its location.
async fn open_session(regpass: &RunningRegpass) -> String {
    let mut curl = curl();
    curl.args(["--request", "POST", "--output", "/dev/null", "--write-out", "%{http_code} %header{location}"]);
    let printed = stdout(curl.arg(format!("http://{}/v2/one/team/app/blobs/uploads/", regpass.address))).await;
    let (status, location) = printed.split_once(' ').expect("a status and a location");
    assert_eq!(status, "202");
    let path = location.find("/v2/").expect("a path");
    location[path..].to_owned()
}

#[tokio::test]
async fn broken_key_file_is_survived_and_a_changed_one_takes_effect() {
    let testbed = Testbed::start().await;
    let file = testbed.home.path().join("upload-key");
    fs::write(&file, KEY).unwrap();
    let config =
        |keys: &str| format!("upload_key = [{keys}]\n{}", testbed.config("one", "allow = [\"pull\", \"push\"]"));
    let regpass = testbed.start_regpass(&config(&format!("{{ file = \"{}\" }}", file.display()))).await;
    // Another process with the key. Each can continue the sessions that the other opened.
    let other_testbed = Testbed::start().await;
    let replica = other_testbed.start_regpass(&config(&format!("\"{KEY}\""))).await;
    let assert_active = async |case: &str| {
        assert_eq!(replica.status(&open_session(&regpass).await).await, "204", "{case}");
        assert_eq!(regpass.status(&open_session(&replica).await).await, "204", "{case}");
    };
    let breakages: &[Breakage<'_>] = &[
        ("not UTF-8", Some(&[0xff; 16]), &["UTF-8"]),
        ("too short", Some(b"short"), &["shorter than 16 bytes"]),
        REMOVED_SECRET,
    ];
    assert_survives(&regpass, &file, "upload_key", breakages, assert_active).await;

    let old_session = open_session(&regpass).await;
    fs::write(&file, "another key of more than sixteen bytes").unwrap();
    regpass.eventually("the new key", async || regpass.status(&old_session).await != "204").await;
    assert_ne!(replica.status(&open_session(&regpass).await).await, "204", "a session with the new key");
    problem_reports::assert_cleared(&regpass, "a valid key").await;
    testbed.sim.finish();
}
