//! curl: every way to name a registry, and what a bare HTTP client sees.

use serde_json::{Value, json};
use tokio::process::Command;

use crate::image::digest_of;
use crate::process::{output, plain, stdout};
use crate::scene::{NS, Scene, in_both_modes};

in_both_modes!(pulls_whatever_the_registry_is_called);

async fn pulls_whatever_the_registry_is_called(scene: &Scene) {
    let mut direct = plain("curl", scene.home());
    direct.args(["-q", "--silent", "--write-out", "%{http_code}", "--output", "/dev/null"]);
    let status = stdout(direct.arg(format!("http://{}/v2/library/python/tags/list", scene.registry.address))).await;
    assert_eq!(status, "401", "the registry itself wants a credential");

    ping(scene).await;
    let host = scene.regpass.url("");
    // Of the default registry, of a registry in the path, by alias, by virtual host, by containerd's parameter.
    pull(scene, &format!("{host}/v2/library/python"), "").await;
    pull(scene, &format!("{host}/v2/python"), "").await;
    pull(scene, &format!("{host}/v2/docker.io/library/python"), "").await;
    pull(scene, &format!("{host}/v2/{NS}/toddysm/python"), "").await;
    pull(scene, &format!("{host}/v2/reg/toddysm/python"), "").await;
    pull(scene, &format!("{}/v2/toddysm/python", host.replace("localhost", "reg.localhost")), "").await;
    pull(scene, &format!("{host}/v2/toddysm/python"), &format!("?ns={NS}")).await;

    // It has two names here, and regpass learns once for each what it demands.
    let refusals = scene.refusals();
    assert!(refusals <= 2, "{refusals} requests without a credential");
}

async fn ping(scene: &Scene) {
    for path in ["/v2/", "/v2"] {
        let reply = fetch(curl(scene).arg(scene.regpass.url(path))).await;
        assert_eq!((reply.status, &*reply.body), (200, &b"{}"[..]), "{path}");
        assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"));
    }
}

/// Everything a pull consists of, in `repository`; `query` ends every URL.
async fn pull(scene: &Scene, repository: &str, query: &str) {
    let url = |rest: &str| format!("{repository}/{rest}{query}");
    let index = Some(&*scene.image.digest);

    // No Accept header, and yet the native type; a login of the client's own is not the registry's business.
    let reply = fetch(curl(scene).args(["--user", "somebody:else"]).arg(url("manifests/3.12"))).await;
    assert_eq!((reply.status, digest_of(&reply.body).as_str()), (200, &*scene.image.digest), "{repository}");
    assert_eq!(reply.header("docker-content-digest"), index);
    assert_eq!(reply.header("content-type"), Some("application/vnd.oci.image.index.v1+json"));
    let length = reply.body.len().to_string();

    let reply = fetch(curl(scene).arg("--head").arg(url("manifests/3.12"))).await;
    assert_eq!((reply.status, reply.header("docker-content-digest")), (200, index));
    assert_eq!(reply.header("content-length"), Some(&*length));

    for platform in &scene.image.platforms {
        let reply = fetch(curl(scene).arg(url(&format!("manifests/{}", platform.manifest)))).await;
        assert_eq!((reply.status, digest_of(&reply.body)), (200, platform.manifest.clone()));

        let blob = url(&format!("blobs/{}", platform.layer));
        let reply = fetch(curl(scene).arg(&blob)).await;
        assert_eq!((reply.status, digest_of(&reply.body)), (200, platform.layer.clone()));
        assert_eq!(reply.header("docker-content-digest"), Some(&*platform.layer));

        let reply = fetch(curl(scene).args(["--range", "1000-70999"]).arg(&blob)).await;
        assert_eq!((reply.status, &*reply.body), (206, &platform.layer_bytes[1000..71000]));
        let range = format!("bytes 1000-70999/{}", platform.layer_bytes.len());
        assert_eq!(reply.header("content-range"), Some(&*range));

        let reply = fetch(curl(scene).arg("--head").arg(&blob)).await;
        let length = platform.layer_bytes.len().to_string();
        assert_eq!((reply.status, reply.header("content-length")), (200, Some(&*length)));
    }

    let reply = fetch(curl(scene).arg(url("tags/list"))).await;
    let tags: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!((reply.status, &tags["tags"]), (200, &json!(["3.12"])));
}

/// Prints head and body of the answer.
pub(crate) fn curl(scene: &Scene) -> Command {
    let mut curl = plain("curl", scene.home());
    // Without -q it would read a .curlrc.
    curl.args(["-q", "--silent", "--show-error", "--include"]);
    curl
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Runs a [`curl`] command; no answer of regpass asks for a login.
pub(crate) async fn fetch(curl: &mut Command) -> Reply {
    let printed = output(curl).await.stdout;
    let (mut head, mut body) = split(&printed);
    // "100 Continue" comes before the answer.
    while head.split(' ').nth(1).is_some_and(|status| status.starts_with('1')) {
        (head, body) = split(body);
    }
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let reply = Reply { status: status.expect("a status line"), headers, body: body.to_vec() };
    assert_eq!(reply.header("www-authenticate"), None, "{head}");
    reply
}

/// A head, and what follows it.
fn split(printed: &[u8]) -> (&str, &[u8]) {
    let end = printed.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the end of the head");
    (std::str::from_utf8(&printed[..end]).expect("a head in ASCII"), &printed[end + 4..])
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| &**value)
    }
}
