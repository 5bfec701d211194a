//! One of the two registries of the seed articles with regpass in front, and what the tests of both have in common.

use bytes::Bytes;
use http::{HeaderValue, Method, Request};

use crate::harness::{Regpass, Reply, put, request, with};
use crate::sim::{Blob, Family, Image, Preset, Registry, Sim};

pub struct Stage {
    pub sim: Sim,
    pub registry: Registry,
    pub regpass: Regpass,
    /// The one image that is published.
    pub image: Image,
}

impl Stage {
    /// Docker Hub with `library/python:3.10`; `more` goes into its table.
    pub async fn docker_hub(more: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::docker_hub()).await;
        let image = Image::multi_arch("python", Family::Oci);
        registry.publish("library/python", "3.10", &image);
        registry.user("alice", "alices password");
        registry.keep("alice/app", "1", &image);
        let (url, realm) = (registry.origin(), registry.token().authority());
        let text = format!("[registry.\"docker.io\"]\nurl = \"{url}\"\nrealm_hosts = [\"{realm}\"]\n{more}\n");
        Self { regpass: Regpass::start(&sim, &text), sim, registry, image }
    }

    /// GHCR with `toddysm/python:3.10`; `more` goes into its table. Its token service needs no mention there: it is at
    /// the registry's own origin.
    pub async fn ghcr(more: &str) -> Self {
        let sim = Sim::memory();
        let registry = sim.start(Preset::ghcr()).await;
        let image = Image::single("python", Family::Docker);
        registry.publish("toddysm/python", "3.10", &image);
        registry.user("toddysm", "ghp_toddysm");
        registry.keep("toddysm/private", "1", &image);
        let text = format!("[registry.\"ghcr.io\"]\nurl = \"{}\"\n{more}\n", registry.origin());
        Self { regpass: Regpass::start(&sim, &text), sim, registry, image }
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

    /// GET with one more header.
    pub async fn get_with(&self, target: &str, name: &'static str, value: &str) -> Reply {
        self.send(with(request(Method::GET, target), name, value)).await
    }

    pub async fn put_manifest(&self, target: &str) -> Reply {
        let top = self.image.top();
        let request = request(Method::PUT, target).map(|_| top.bytes.clone());
        self.send(with(request, "content-type", &top.media_type)).await
    }

    /// Pushes an image as docker does: each blob by POST, one PATCH and an empty PUT, then the manifest.
    pub async fn push(&self, repository: &str, tag: &str, image: &Image) {
        for blob in &image.blobs {
            let begun = self.method(&Method::POST, &format!("{repository}/blobs/uploads/")).await;
            assert_eq!(begun.status, 202, "{begun:?}");
            let location = begun.header("location").unwrap();
            assert!(location.starts_with(repository), "{location}");
            let patch = request(Method::PATCH, location).map(|_| blob.slice().to_bytes());
            let sent = self.send(with(patch, "transfer-encoding", "chunked")).await;
            assert_eq!(sent.status, 202, "{sent:?}");
            let target = format!("{}?digest={}", sent.header("location").unwrap(), blob.digest);
            let ended = self.method(&Method::PUT, &target).await;
            assert_eq!((ended.status.as_u16(), ended.header("docker-content-digest")), (201, Some(&*blob.digest)));
            assert_eq!(ended.header("location"), Some(&*format!("{repository}/blobs/{}", blob.digest)));
        }
        let reply = self.send(put(&format!("{repository}/manifests/{tag}"), image)).await;
        assert_eq!((reply.status.as_u16(), reply.body.len()), (201, 0), "{reply:?}");
        assert_eq!(reply.header("docker-content-digest"), Some(image.digest()));
        assert_eq!(reply.header("location"), Some(&*format!("{repository}/manifests/{}", image.digest())));
    }

    /// The registry has the image, byte for byte.
    #[track_caller]
    pub fn assert_has(&self, name: &str, tag: &str, image: &Image) {
        let has = self.registry.store().read(name, |repository| {
            let manifest = repository.manifest(tag).is_some_and(|manifest| manifest.bytes == image.top().bytes);
            let has_blob = |blob: &Blob| {
                let kept = repository.blobs.get(&blob.digest).map(|kept| kept.slice().to_bytes());
                kept == Some(blob.slice().to_bytes())
            };
            manifest && image.blobs.iter().all(has_blob)
        });
        assert_eq!(has, Some(true), "{name}:{tag}");
    }

    /// Pulls the manifest at `target` and forgets what it cost, so that challenge and token are known.
    pub async fn warm(&self, target: &str) {
        let reply = self.get(target).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        self.sim.ledger().take();
    }

    /// What reached the registry since the last time, and nothing else.
    #[track_caller]
    pub fn expect(&self, lines: &[&str]) {
        self.sim.ledger().expect(lines);
    }

    /// The digest of the image's first layer.
    pub fn layer(&self) -> String {
        self.image.blobs[0].digest.clone()
    }
}

/// The request, addressed to another `Host`.
pub fn at(host: &str, mut request: Request<Bytes>) -> Request<Bytes> {
    request.headers_mut().insert("host", HeaderValue::from_str(host).unwrap());
    request
}

/// `/v2/` and `/v2`, alone and by every way of naming the registry: answered by regpass alone, whatever the method.
pub async fn assert_ping(stage: &Stage, registry: &str) {
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
            let reply = stage.send(at(host, request(method.clone(), target))).await;
            assert_eq!(reply.status, 200, "{method} {host} {target}: {reply:?}");
            assert_eq!(reply.header("docker-distribution-api-version"), Some("registry/2.0"));
            assert_eq!(reply.header("content-type"), Some("application/json"));
            assert_eq!(reply.header("content-length"), Some("2"), "{method} {target}");
            assert_eq!(reply.body, if method == Method::GET { "{}" } else { "" }, "{method} {target}");
            assert_clean(&reply);
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let reply = stage.send(at(host, request(method.clone(), target))).await;
            assert_eq!(reply.verdict(), "405 UNSUPPORTED", "{method} {host} {target}");
            assert_eq!(reply.header("allow"), Some("GET, HEAD"));
            assert_clean(&reply);
        }
    }
    stage.expect(&[]);
}

/// `/`, also under the registry's virtual host: answered by regpass alone.
pub async fn assert_root(stage: &Stage, registry: &str) {
    for host in ["localhost:5050", &format!("{registry}.localhost:5050")] {
        let reply = stage.send(at(host, request(Method::GET, "/"))).await;
        assert_eq!(reply.status, 200, "{reply:?}");
        assert_eq!((&reply.json()["service"], &reply.json()["api"]), (&"regpass".into(), &"/v2/".into()));
        assert_clean(&reply);
        let head = stage.send(at(host, request(Method::HEAD, "/"))).await;
        assert_eq!((head.status.as_u16(), head.body.len()), (200, 0));
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH, Method::OPTIONS] {
            let reply = stage.send(at(host, request(method.clone(), "/"))).await;
            assert_eq!(reply.verdict(), "405 UNSUPPORTED", "{method}");
        }
    }
    stage.expect(&[]);
}

/// Nothing of what is between regpass and the registry only.
#[track_caller]
pub fn assert_clean(reply: &Reply) {
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

/// A refusal: status and code in one, nothing that starts a login, and a message that holds all of `words`.
#[track_caller]
pub fn assert_refused(reply: &Reply, verdict: &str, words: &[&str]) {
    assert_eq!(reply.verdict(), verdict, "{reply:?}");
    assert_clean(reply);
    let (_, message) = reply.error();
    for word in words {
        assert!(message.contains(word), "'{word}' is missing in: {message}");
    }
}
