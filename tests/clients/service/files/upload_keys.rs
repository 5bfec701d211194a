//! Keys that the locations of uploads are signed with.

use std::fs;

use super::broken;
use crate::process::stdout;
use crate::service::house::{House, Running, curl};
use crate::service::told;

const KEY: &str = "a key of more than sixteen bytes";

/// Begins an upload and returns where it goes on.
async fn begin(regpass: &Running) -> String {
    let mut curl = curl();
    curl.args(["--request", "POST", "--output", "/dev/null", "--write-out", "%{http_code} %header{location}"]);
    let answer = stdout(curl.arg(format!("http://{}/v2/one/team/app/blobs/uploads/", regpass.address))).await;
    let (status, location) = answer.split_once(' ').expect("a status and a location");
    assert_eq!(status, "202");
    let path = location.find("/v2/").expect("a path");
    location[path..].to_owned()
}

#[tokio::test]
async fn a_key_stays_in_force_and_a_new_one_is_soon() {
    let house = House::build().await;
    let file = house.home.path().join("upload-key");
    fs::write(&file, KEY).unwrap();
    let keyed = |keys: &str| format!("upload_key = [{keys}]\n{}", house.config("one", "allow = [\"pull\", \"push\"]"));
    let by_file = keyed(&format!("{{ file = \"{}\" }}", file.display()));
    let regpass = house.start(&by_file).await;
    // Another process with the key: what it opens was signed with the key.
    let other = House::build().await;
    let replica = other.start(&keyed(&format!("\"{KEY}\""))).await;
    let works = async |what: &str| {
        let location = begin(&regpass).await;
        assert_eq!(replica.status(&location).await, "204", "{what}");
        assert_eq!(regpass.status(&begin(&replica).await).await, "204", "{what}");
    };
    let ways: &[super::Break<'_>] = &[
        ("garbage", Some(b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff"), &["UTF-8"]),
        ("too short", Some(b"short"), &["shorter than 16 bytes"]),
        ("gone", None, &["does not exist"]),
    ];
    broken(&regpass, &file, "upload_key", ways, works).await;

    let before = begin(&regpass).await;
    fs::write(&file, "another key of more than sixteen bytes").unwrap();
    regpass.soon("the new key", async || regpass.status(&before).await != "204").await;
    assert_ne!(replica.status(&begin(&regpass).await).await, "204", "signed with the new one");
    told::nowhere(&regpass, "a good key").await;
    house.sim.finish();
}
