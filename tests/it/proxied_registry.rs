//! Docker Hub and GHCR, the registries of the seed articles, each with regpass in front of it, and assertions that many
//! tests share.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};

use crate::harness::{Regpass, Reply, manifest_put, request, with_header};
use crate::sim::{Blob, Image, ImageFormat, Preset, Registry, Sim};

/// One simulated registry with regpass in front of it.
pub struct ProxiedRegistry {
    pub sim: Sim,
    pub registry: Registry,
    pub regpass: Regpass,
    /// The image that the registry has.
    pub image: Image,
    /// The public repository, as the registry names it.
    repository: &'static str,
    /// What precedes the repository in the paths that clients request: empty, as for the default registry, or `ghcr.io/`.
    path_prefix: &'static str,
}

impl ProxiedRegistry {
    /// Docker Hub with `library/python:3.10`. `more` is added to its table in the configuration.
    pub async fn docker_hub(more: &str) -> Self {
        let image = Image::multi_arch("python", ImageFormat::Oci);
        let more = format!("realm_hosts = [\"auth.hub.test\"]\n{more}");
        Self::start("docker.io", "", Preset::docker_hub(), image, &more).await
    }

    /// GHCR with `toddysm/python:3.10`. `more` is added to its table in the configuration, which needs no `realm_hosts`: the
    /// token service is at the registry's own origin.
    pub async fn ghcr(more: &str) -> Self {
        let image = Image::single("python", ImageFormat::Docker);
        Self::start("ghcr.io", "ghcr.io/", Preset::ghcr(), image, more).await
    }

    /// Publishes the image as tag `3.10` in the preset's public repository and as tag `1` in its private repository.
    async fn start(host: &str, path_prefix: &'static str, preset: Preset, image: Image, more: &str) -> Self {
        let sim = Sim::memory();
        let capabilities = preset.capabilities.clone();
        let registry = sim.start(preset).await;
        registry.publish(capabilities.public_repository, "3.10", &image);
        let (user, password) = capabilities.credential.unwrap();
        registry.add_user(user, password);
        registry.publish_private(capabilities.private_repository, "1", &image);
        let text = format!("[registry.\"{host}\"]\nurl = \"{}\"\n{more}\n", registry.origin());
        let regpass = Regpass::start(&sim, &text);
        Self { sim, registry, regpass, image, repository: capabilities.public_repository, path_prefix }
    }

    pub async fn get(&self, target: &str) -> Reply {
        self.regpass.get(target).await
    }

    pub async fn head(&self, target: &str) -> Reply {
        self.regpass.head(target).await
    }

    pub async fn send(&self, request: Request<Bytes>) -> Reply {
        self.regpass.send(request).await
    }

    pub async fn method(&self, method: &Method, target: &str) -> Reply {
        self.send(request(method.clone(), target)).await
    }

    /// Sends a GET with this additional header.
    pub async fn get_with(&self, target: &str, name: &'static str, value: &str) -> Reply {
        self.send(with_header(request(Method::GET, target), name, value)).await
    }

    pub async fn put_manifest(&self, target: &str) -> Reply {
        let top = self.image.top();
        let request = request(Method::PUT, target).map(|_| top.bytes.clone());
        self.send(with_header(request, "content-type", &top.media_type)).await
    }

    /// Pushes an image as docker does: each blob by POST, one PATCH and an empty PUT, then the manifest.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) {
        for blob in &image.blobs {
            let started = self.method(&Method::POST, &format!("{repository}/blobs/uploads/")).await;
            assert_eq!(started.status, 202, "{started:?}");
            let location = started.header("location").unwrap();
            assert!(location.starts_with(repository), "{location}");
            let patch = request(Method::PATCH, location).map(|_| blob.slice().to_bytes());
            let sent = self.send(with_header(patch, "transfer-encoding", "chunked")).await;
            assert_eq!(sent.status, 202, "{sent:?}");
            let target = format!("{}?digest={}", sent.header("location").unwrap(), blob.digest);
            let created = self.method(&Method::PUT, &target).await;
            assert_eq!((created.status.as_u16(), created.header("docker-content-digest")), (201, Some(&*blob.digest)));
            assert_eq!(created.header("location"), Some(&*format!("{repository}/blobs/{}", blob.digest)));
        }
        let reply = self.send(manifest_put(&format!("{repository}/manifests/{tag}"), image)).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (201, 0), "{reply:?}");
        assert_eq!(reply.header("docker-content-digest"), Some(image.digest()));
        assert_eq!(reply.header("location"), Some(&*format!("{repository}/manifests/{}", image.digest())));
    }

    /// Asserts that the registry has the image's top manifest under this tag, and all its blobs, byte for byte.
    #[track_caller]
    pub fn assert_has(&self, name: &str, tag: &str, image: &Image) {
        let has = self.registry.store().read(name, |repository| {
            let manifest = repository.manifest(tag).is_some_and(|manifest| manifest.bytes == image.top().bytes);
            let has_blob = |blob: &Blob| {
                let stored = repository.blobs.get(&blob.digest).map(|stored| stored.slice().to_bytes());
                stored == Some(blob.slice().to_bytes())
            };
            manifest && image.blobs.iter().all(has_blob)
        });
        assert_eq!(has, Some(true), "{name}:{tag}");
    }

    /// Pulls the manifest at `target`, so that regpass knows the challenge and has a token, and empties the ledger.
    pub async fn warm(&self, target: &str) {
        let reply = self.get(target).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.sim.ledger().take();
    }

    /// A path of the public repository, such as `blobs/…`, as a client requests it.
    pub fn client_path(&self, rest: &str) -> String {
        format!("/v2/{}{}/{rest}", self.path_prefix, self.repository)
    }

    /// A path of the public repository as the registry receives it.
    pub fn registry_path(&self, rest: &str) -> String {
        format!("/v2/{}/{rest}", self.repository)
    }

    /// Asserts that exactly these requests have reached the simulated servers since the ledger was emptied, and empties it.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        self.sim.ledger().expect(lines);
    }

    /// The digest of the image's first layer.
    pub fn layer(&self) -> String {
        self.image.blobs[0].digest.clone()
    }
}

/// The request with this `Host` instead of its own.
pub fn with_host(host: &str, mut request: Request<Bytes>) -> Request<Bytes> {
    request.headers_mut().insert("host", HeaderValue::from_str(host).unwrap());
    request
}

/// Asserts that regpass itself replies to `/v2/` and `/v2`, for every way to name the registry: to GET and HEAD with a 200,
/// to other methods with a 405.
pub async fn assert_ping(proxied: &ProxiedRegistry, registry: &str) {
    let vhost = format!("{registry}.localhost:5050");
    let (path, slash) = (format!("/v2/{registry}"), format!("/v2/{registry}/"));
    let (ns, ns_slash) = (format!("/v2?ns={registry}"), format!("/v2/?ns={registry}"));
    let places = [
        ("localhost:5050", "/v2"),
        ("localhost:5050", "/v2/"),
        ("localhost:5050", &path),
        ("localhost:5050", &slash),
        ("localhost:5050", &ns),
        ("localhost:5050", &ns_slash),
        (&vhost, "/v2"),
        (&vhost, "/v2/"),
    ];
    for (host, target) in places {
        for method in [Method::GET, Method::HEAD] {
            let reply = proxied.send(with_host(host, request(method.clone(), target))).await;
            assert_eq!(reply.status, 200, "{method} {host} {target}: {reply:?}");
            assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"));
            assert_eq!(reply.header("content-type"), Some("application/json"));
            assert_eq!(reply.header("content-length"), Some("2"), "{method} {target}");
            assert_eq!(reply.body, if method == Method::GET { "{}" } else { "" }, "{method} {target}");
            assert_no_upstream_headers(&reply);
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let reply = proxied.send(with_host(host, request(method.clone(), target))).await;
            assert_eq!(reply.status_and_code(), "405 UNSUPPORTED", "{method} {host} {target}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
            assert_no_upstream_headers(&reply);
        }
    }
    proxied.expect(&[]);
}

/// Asserts that regpass itself replies to `/`, also under the registry's virtual host.
pub async fn assert_root(proxied: &ProxiedRegistry, registry: &str) {
    for host in ["localhost:5050", &format!("{registry}.localhost:5050")] {
        let reply = proxied.send(with_host(host, request(Method::GET, "/"))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!((&reply.json()["service"], &reply.json()["api"]), (&"regpass".into(), &"/v2/".into()));
        assert_no_upstream_headers(&reply);
        let head = proxied.send(with_host(host, request(Method::HEAD, "/"))).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let reply = proxied.send(with_host(host, request(method.clone(), "/"))).await;
            assert_eq!(reply.status_and_code(), "405 UNSUPPORTED", "{method}");
        }
    }
    proxied.expect(&[]);
}

/// Asserts that the reply has no header that concerns only regpass and the registry, and is not a 401.
#[track_caller]
pub fn assert_no_upstream_headers(reply: &Reply) {
    const NEVER: [&str; 8] = [
        "www-authenticate",
        "set-cookie",
        "strict-transport-security",
        "docker-ratelimit-source",
        "authorization",
        "x-trace-id",
        "connection",
        "keep-alive",
    ];
    for name in NEVER {
        assert_eq!(reply.header(name), None, "{name} reached the client: {reply:?}");
    }
    assert_ne!(reply.status, 401, "{reply:?}");
}

/// Asserts an error with this status and code (`403 DENIED`) whose message contains all of `words`.
#[track_caller]
pub fn assert_rejected(reply: &Reply, status_and_code: &str, words: &[&str]) {
    assert_eq!(reply.status_and_code(), status_and_code, "{reply:?}");
    assert_no_upstream_headers(reply);
    let (_, message) = reply.error();
    for word in words {
        assert!(message.contains(word), "'{word}' is missing in: {message}");
    }
}
