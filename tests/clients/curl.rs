//! curl pulls by every name of a registry, and checks the responses that a plain HTTP client receives.

use std::path::Path;

use serde_json::{Value, json};
use tokio::process::Command;

use crate::image::digest_of;
use crate::process::{output, program, stdout};
use crate::stack::{SECOND_REGISTRY, Stack, in_both_auth_modes};

in_both_auth_modes!(every_name_of_a_registry_serves_its_content);

async fn every_name_of_a_registry_serves_its_content(stack: &Stack) {
    let mut direct = program("curl", stack.home());
    direct.args(["-q", "--silent", "--write-out", "%{http_code}", "--output", "/dev/null"]);
    let status = stdout(direct.arg(format!("http://{}/v2/library/python/tags/list", stack.registry.address))).await;
    assert_eq!(status, "401", "the registry itself requires a credential");

    ping(stack).await;
    let host = stack.regpass.url("");
    for (case, repository, query) in [
        ("default registry", format!("{host}/v2/library/python"), ""),
        ("default namespace", format!("{host}/v2/python"), ""),
        ("default registry in the path", format!("{host}/v2/docker.io/library/python"), ""),
        ("registry in the path", format!("{host}/v2/{SECOND_REGISTRY}/toddysm/python"), ""),
        ("alias in the path", format!("{host}/v2/reg/toddysm/python"), ""),
        ("alias as virtual host", format!("{}/v2/toddysm/python", host.replace("localhost", "reg.localhost")), ""),
        ("containerd's parameter", format!("{host}/v2/toddysm/python"), &*format!("?ns={SECOND_REGISTRY}")),
    ] {
        pull(stack, case, &repository, query).await;
    }

    // regpass learns the challenge once for each of the registry's two names.
    let rejected = stack.registry.unauthorized_requests();
    assert!(rejected <= 2, "{rejected} requests without a credential");
}

async fn ping(stack: &Stack) {
    for path in ["/v2/", "/v2"] {
        let reply = fetch(curl(stack.home()).arg(stack.regpass.url(path))).await;
        assert_eq!((reply.status, &*reply.body), (200, &b"{}"[..]), "{path}");
        assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"));
    }
}

/// Sends all requests of a pull. `repository` is the start of every URL and `query` its end.
async fn pull(stack: &Stack, case: &str, repository: &str, query: &str) {
    let url = |rest: &str| format!("{repository}/{rest}{query}");
    let index = Some(&*stack.image.digest);

    // Without an Accept header the manifest still has its native media type. regpass does not forward client credentials.
    let reply = fetch(curl(stack.home()).args(["--user", "somebody:else"]).arg(url("manifests/3.12"))).await;
    assert_eq!((reply.status, digest_of(&reply.body).as_str()), (200, &*stack.image.digest), "{case}");
    assert_eq!(reply.header("docker-content-digest"), index, "{case}");
    assert_eq!(reply.header("content-type"), Some("application/vnd.oci.image.index.v1+json"), "{case}");
    let length = reply.body.len().to_string();

    let reply = fetch(curl(stack.home()).arg("--head").arg(url("manifests/3.12"))).await;
    assert_eq!((reply.status, reply.header("docker-content-digest")), (200, index), "{case}");
    assert_eq!(reply.header("content-length"), Some(&*length), "{case}");

    for platform in &stack.image.platforms {
        let reply = fetch(curl(stack.home()).arg(url(&format!("manifests/{}", platform.manifest)))).await;
        assert_eq!((reply.status, digest_of(&reply.body)), (200, platform.manifest.clone()), "{case}");

        let blob = url(&format!("blobs/{}", platform.layer));
        let reply = fetch(curl(stack.home()).arg(&blob)).await;
        assert_eq!((reply.status, digest_of(&reply.body)), (200, platform.layer.clone()), "{case}");
        assert_eq!(reply.header("docker-content-digest"), Some(&*platform.layer), "{case}");

        let reply = fetch(curl(stack.home()).args(["--range", "1000-70999"]).arg(&blob)).await;
        assert_eq!((reply.status, &*reply.body), (206, &platform.layer_bytes[1000..71000]), "{case}");
        let range = format!("bytes 1000-70999/{}", platform.layer_bytes.len());
        assert_eq!(reply.header("content-range"), Some(&*range), "{case}");

        let reply = fetch(curl(stack.home()).arg("--head").arg(&blob)).await;
        let length = platform.layer_bytes.len().to_string();
        assert_eq!((reply.status, reply.header("content-length")), (200, Some(&*length)), "{case}");
    }

    let reply = fetch(curl(stack.home()).arg(url("tags/list"))).await;
    let tags: Value = serde_json::from_slice(&reply.body).expect("JSON");
    assert_eq!((reply.status, &tags["tags"]), (200, &json!(["3.12"])), "{case}");
}

/// A curl command that prints head and body of the response, for [`fetch`].
pub(crate) fn curl(home: &Path) -> Command {
    let mut curl = program("curl", home);
    // With -q curl reads no .curlrc.
    curl.args(["-q", "--silent", "--show-error", "--include"]);
    curl
}

/// A response as curl printed it.
pub(crate) struct Reply {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

/// Runs a [`curl`] command that must succeed. A challenge in the response fails the test: regpass sends none.
pub(crate) async fn fetch(curl: &mut Command) -> Reply {
    let printed = output(curl).await.stdout;
    let (mut head, mut body) = split(&printed);
    // "100 Continue" precedes the final response.
    while head.split(' ').nth(1).is_some_and(|status| status.starts_with('1')) {
        (head, body) = split(body);
    }
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value.to_owned())).collect();
    let reply = Reply { status: status.expect("a status line"), headers, body: body.to_vec() };
    assert_eq!(reply.header("www-authenticate"), None, "a challenge: {head}");
    reply
}

/// Splits after the head of a response.
fn split(printed: &[u8]) -> (&str, &[u8]) {
    let end = printed.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("the end of the head");
    (std::str::from_utf8(&printed[..end]).expect("a head in ASCII"), &printed[end + 4..])
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| &**value)
    }
}
