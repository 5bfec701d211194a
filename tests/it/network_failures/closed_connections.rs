//! Connections that a registry, or a load balancer in front of it, closes just when a request arrives: what may be sent
//! twice is sent once more, on a new connection.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request};
use regpass::base::clock::WallClock;
use regpass::net::dial::Network;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream};

use super::{TAGS, start_two};
use crate::harness::{Regpass, manifest_put, request, single_registry_config};
use crate::sim::{AuthMode, Entry, Fault, Image, ImageFormat, Preset, Registry, Sim, sha256};
use crate::uploads::clients::StreamedRequest;
use crate::uploads::{location_of, request_with_body, with_digest};

const UPLOADS: &str = "/v2/acme/app/blobs/uploads/";
const MANIFEST: &str = "/v2/acme/app/manifests/1";

/// An open registry with the image, regpass in front of it, and one connection between them that was used before.
struct Setup {
    sim: Sim,
    registry: Registry,
    regpass: Regpass,
    image: Image,
}

impl Setup {
    async fn start(sim: Sim) -> Self {
        let registry = sim.start(Preset::distribution(AuthMode::Open)).await;
        let image = Image::single("app", ImageFormat::Oci);
        registry.publish("acme/app", "1", &image);
        let regpass = Regpass::start(
            &sim,
            &single_registry_config(&registry, "profile = \"distribution\"\nallow = [\"pull\", \"push\", \"delete\"]"),
        );
        let setup = Self { sim, registry, regpass, image };
        setup.use_connection().await;
        setup
    }

    /// Leaves one unused connection in the pool.
    async fn use_connection(&self) {
        assert_eq!(self.regpass.get(MANIFEST).await.status, 200);
        self.sim.ledger().take();
    }

    async fn start_upload(&self) -> String {
        let location = location_of(&self.regpass.send(request(Method::POST, UPLOADS)).await);
        self.use_connection().await;
        location
    }

    /// The method and status of each request that reached the registry; empties the ledger.
    fn outcomes(&self) -> Vec<String> {
        let status = |entry: &Entry| entry.status.map_or("none".to_owned(), |status| status.as_u16().to_string());
        self.sim.ledger().take().iter().map(|entry| format!("{} {}", entry.method, status(entry))).collect()
    }

    /// The requests without a body, or with a small one, that regpass holds whole, with their status.
    async fn held_requests(&self) -> Vec<(Request<Bytes>, u16)> {
        let layer = &self.image.blobs[0].digest;
        let (upload, blob) = (self.start_upload().await, Bytes::from_static(b"a blob"));
        let patched = self.regpass.send(request_with_body(Method::PATCH, &upload, blob.clone())).await;
        let finish = request(Method::PUT, &with_digest(&location_of(&patched), &blob));
        let cancel = request(Method::DELETE, &self.start_upload().await);
        self.use_connection().await;
        vec![
            (request(Method::POST, UPLOADS), 202),
            (request(Method::POST, &format!("{UPLOADS}?mount={layer}&from=acme/app")), 201),
            (manifest_put("/v2/acme/app/manifests/2", &self.image), 201),
            (finish, 201),
            (cancel, 204),
            (request(Method::GET, MANIFEST), 200),
            (request(Method::DELETE, &format!("/v2/acme/app/manifests/{}", self.image.digest())), 202),
            (request(Method::DELETE, &format!("/v2/acme/app/blobs/{layer}")), 202),
        ]
    }
}

#[tokio::test(start_paused = true)]
async fn held_request_is_sent_once_more_on_a_new_connection() {
    let setup = Setup::start(Sim::memory()).await;
    for (request, status) in setup.held_requests().await {
        let case = format!("{} {}", request.method(), request.uri());
        let method = request.method().clone();
        setup.use_connection().await;
        let dials = setup.sim.network().dials().len();
        setup.registry.api().inject(Fault::close_before_head().times(1));
        assert_eq!(setup.regpass.send(request).await.status, status, "{case}");
        assert_eq!(setup.outcomes(), [format!("{method} none"), format!("{method} {status}")], "{case}");
        assert_eq!(setup.sim.network().dials().len(), dials + 1, "{case}");
        if setup.image.digest() == case.rsplit('/').next().unwrap() {
            setup.registry.publish("acme/app", "1", &setup.image);
        }
    }
    setup.sim.finish();
}

#[tokio::test]
async fn held_request_is_sent_once_more_after_a_close_over_tcp() {
    let setup = Setup::start(Sim::loopback()).await;
    let target = "/v2/acme/app/manifests/2";
    for _ in 0..20 {
        setup.use_connection().await;
        setup.registry.api().inject(Fault::close_before_head().times(1));
        assert_eq!(setup.regpass.send(manifest_put(target, &setup.image)).await.status, 201);
        assert_eq!(setup.outcomes(), ["PUT none", "PUT 201"]);
        // Closed before the request, without an announcement: the request is sent, and arrives nowhere.
        setup.registry.api().inject(Fault::close_after_answer().times(1));
        setup.use_connection().await;
        assert_eq!(setup.regpass.send(request(Method::POST, UPLOADS)).await.status, 202);
        assert_eq!(setup.outcomes(), ["POST 202"]);
    }
}

#[tokio::test(start_paused = true)]
async fn held_request_is_sent_no_third_time() {
    let setup = Setup::start(Sim::memory()).await;
    for (request, _) in setup.held_requests().await {
        let method = request.method().clone();
        // Reads are harmless and may be sent a third time.
        let sent = if method == Method::GET { 3 } else { 2 };
        setup.use_connection().await;
        let fault = setup.registry.api().inject(Fault::close_before_head());
        assert_eq!(setup.regpass.send(request).await.status_and_code(), "502 UNAVAILABLE", "{method}");
        assert_eq!(setup.outcomes(), vec![format!("{method} none"); sent]);
        fault.remove();
    }
}

#[tokio::test(start_paused = true)]
async fn write_on_a_new_connection_is_not_sent_again() {
    let setup = Setup::start(Sim::memory()).await;
    for (request, _) in setup.held_requests().await {
        let method = request.method().clone();
        setup.registry.api().cut_connections();
        tokio::time::sleep(Duration::from_secs(1)).await;
        setup.registry.api().inject(Fault::close_before_head().times(1));
        let reply = setup.regpass.send(request).await;
        if method == Method::GET {
            assert_eq!(
                (reply.status.as_u16(), setup.outcomes()),
                (200, vec!["GET none".to_owned(), "GET 200".to_owned()])
            );
        } else {
            assert_eq!(
                (&*reply.status_and_code(), setup.outcomes()),
                ("502 UNAVAILABLE", vec![format!("{method} none")])
            );
        }
    }
}

#[tokio::test(start_paused = true)]
async fn answer_to_a_repeated_delete_is_the_last_one() {
    // The registry deletes the blob, and the answer is lost. The content is gone, as the client wanted.
    let setup = Setup::start(Sim::memory()).await;
    let target = format!("/v2/acme/app/blobs/{}", setup.image.blobs[0].digest);
    setup.registry.store().write("acme/app", |repository| repository.blobs.clear());
    setup.registry.api().inject(Fault::close_before_head().times(1));
    assert_eq!(setup.regpass.send(request(Method::DELETE, &target)).await.status_and_code(), "404 BLOB_UNKNOWN");
    assert_eq!(setup.outcomes(), ["DELETE none", "DELETE 404"]);
}

#[tokio::test(start_paused = true)]
async fn streamed_body_is_sent_again_only_if_none_of_it_was_sent() {
    let blob = Bytes::from_static(b"a blob");
    for method in [Method::PATCH, Method::PUT] {
        let setup = Setup::start(Sim::memory()).await;
        let upload = setup.start_upload().await;
        let target = if method == Method::PUT { with_digest(&upload, &blob) } else { upload };
        // The connection closes before the client sends its body.
        setup.registry.api().inject(Fault::close_before_head().times(1));
        let upload = StreamedRequest::start(&setup.regpass, request(method.clone(), &target)).await;
        setup.sim.ledger().wait_for(2).await;
        upload.send_piece(blob.clone());
        let reply = upload.finish().await;
        let status = if method == Method::PUT { 201 } else { 202 };
        assert_eq!(reply.status, status, "{reply:?}");
        assert_eq!(setup.outcomes(), [format!("{method} none"), format!("{method} {status}")]);

        // The connection closes after some of it: the registry may have stored that part.
        let upload = setup.start_upload().await;
        let target = if method == Method::PUT { with_digest(&upload, &blob) } else { upload };
        setup.registry.api().inject(Fault::cut_upload(3).times(1));
        let reply = setup.regpass.send(request_with_body(method.clone(), &target, blob.clone())).await;
        assert_eq!(reply.status_and_code(), "502 UNAVAILABLE");
        assert_eq!(setup.outcomes(), [format!("{method} none")]);
    }
}

#[tokio::test(start_paused = true)]
async fn whole_blob_by_post_is_sent_again_because_it_is_stored_under_its_digest() {
    let preset = Preset::generic();
    let sim = Sim::memory();
    let registry = sim.start(preset).await;
    registry.add_user("alice", "alices password");
    let more = "allow = [\"pull\", \"push\"]\ncredential = { source = \"password\", username = \"alice\", password = \"alices password\" }";
    let regpass = Regpass::start(&sim, &single_registry_config(&registry, more));
    let blob = Bytes::from_static(b"a blob");
    assert_eq!(regpass.send(request(Method::POST, "/v2/alice/app/blobs/uploads/")).await.status, 202);
    sim.ledger().take();
    registry.api().inject(Fault::cut_upload(3).times(1));
    let target = with_digest("/v2/alice/app/blobs/uploads/", &blob);
    let reply = regpass.send(request_with_body(Method::POST, &target, blob.clone())).await;
    assert_eq!(reply.status, 201, "{reply:?}");
    let bodies: Vec<_> = sim.ledger().take().iter().map(|entry| (entry.body_len, entry.body_complete)).collect();
    assert_eq!(bodies, [(3, false), (6, true)]);
    let stored = registry.store().read("alice/app", |repository| repository.blobs.contains_key(&sha256(&blob)));
    assert_eq!(stored, Some(true));
}

/// What a hand-written registry does with the next request: the bytes to send before it closes the connection.
type NextAnswer = Arc<Mutex<Option<&'static str>>>;

/// Answers every request of a connection with a 202 but one, to which it sends the next answer.
async fn serve_by_hand(mut stream: DuplexStream, next: NextAnswer, requests: Arc<AtomicUsize>) {
    let mut request = [0; 4096];
    while stream.read(&mut request).await.unwrap() > 0 {
        requests.fetch_add(1, Ordering::AcqRel);
        let bytes = next.lock().unwrap().take();
        if let Some(bytes) = bytes {
            return stream.write_all(bytes.as_bytes()).await.unwrap();
        }
        let accepted = "HTTP/1.1 202 Accepted\r\nLocation: /v2/acme/app/blobs/uploads/1\r\nContent-Length: 0\r\n\r\n";
        stream.write_all(accepted.as_bytes()).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn write_is_not_sent_again_after_any_byte_of_an_answer() {
    let (next, requests) = (NextAnswer::default(), Arc::<AtomicUsize>::default());
    let network = {
        let (next, requests) = (next.clone(), requests.clone());
        Network::Memory(Arc::new(move |_host, _port| {
            let (ours, theirs) = tokio::io::duplex(64 * 1024);
            tokio::spawn(serve_by_hand(theirs, next.clone(), requests.clone()));
            Ok(ours)
        }))
    };
    let text = "default_registry = \"reg.test\"\n[registry.\"reg.test\"]\nurl = \"http://reg.test\"\nprofile = \"generic\"\nallow = [\"pull\", \"push\"]";
    let regpass = Regpass::start_on_network(&network, WallClock::tokio(Duration::ZERO), text);
    for (bytes, is_repeated) in [
        ("", true),
        ("H", false),
        ("HTTP/1.1 202 Accepted\r\n", false),
        ("HTTP/1.1 100 Continue\r\n\r\n", false),
        ("", true),
    ] {
        // Leaves a used connection in the pool.
        assert_eq!(regpass.send(request(Method::POST, UPLOADS)).await.status, 202);
        requests.store(0, Ordering::Release);
        *next.lock().unwrap() = Some(bytes);
        let reply = regpass.send(request(Method::POST, UPLOADS)).await;
        let sent = requests.load(Ordering::Acquire);
        assert_eq!((reply.status.as_u16(), sent), if is_repeated { (202, 2) } else { (502, 1) }, "{bytes:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn read_is_repeated_after_any_lost_connection() {
    for method in [Method::GET, Method::HEAD] {
        let sim = Sim::memory();
        let (one, _, regpass) = start_two(&sim).await;
        assert_eq!(regpass.get(TAGS).await.status, 200);
        sim.ledger().take();
        one.api().inject(Fault::hang_before_head().times(1));
        let sent = request(method.clone(), MANIFEST);
        let cut = async {
            sim.ledger().wait_for(1).await;
            one.api().cut_connections();
        };
        let (reply, ()) = tokio::join!(regpass.send(sent), cut);
        assert_eq!((reply.status.as_u16(), sim.ledger().take().len()), (200, 2), "{method}");
    }
}
