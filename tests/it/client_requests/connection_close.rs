//! Graceful close of idle client connections: a request that is on its way is still answered.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use regpass::listen::peer::Peer;
use regpass::listen::{connection::ListenerService, shutdown::ShutdownTrigger};
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::start;
use crate::harness::{Regpass, request};

/// A client's connection, the trigger of its graceful close, and the task that serves it.
async fn connect(regpass: &Regpass) -> (SendRequest<Full<Bytes>>, ShutdownTrigger, JoinHandle<()>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (close, closing) = ShutdownTrigger::new();
    let service = ListenerService::from(regpass.handle());
    let serving =
        tokio::spawn(async move { service.serve_connection(theirs, Peer::default(), closing).await.unwrap() });
    let (sender, driving) = handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(driving);
    (sender, close, serving)
}

/// Sends a request; returns the `Connection` header of the reply.
async fn send_ping(sender: &mut SendRequest<Full<Bytes>>) -> Option<String> {
    let reply = sender.send_request(request(Method::GET, "/v2/").map(Full::new)).await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.version()), (200, Version::HTTP_11));
    let connection = reply.headers().get("connection").map(|value| value.to_str().unwrap().to_owned());
    reply.into_body().collect().await.unwrap();
    connection
}

#[tokio::test(start_paused = true)]
async fn request_during_the_close_is_answered_with_connection_close() {
    let (_sim, _, regpass) = start("").await;
    let (mut sender, close, serving) = connect(&regpass).await;
    assert_eq!(send_ping(&mut sender).await, None);
    close.start();
    sleep(Duration::from_millis(900)).await;
    assert_eq!(send_ping(&mut sender).await.as_deref(), Some("close"));
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn idle_connection_is_closed_within_two_seconds() {
    let (_sim, _, regpass) = start("").await;
    let (mut sender, close, serving) = connect(&regpass).await;
    send_ping(&mut sender).await;
    let started = Instant::now();
    close.start();
    serving.await.unwrap();
    assert!(started.elapsed() <= Duration::from_secs(2), "{:?}", started.elapsed());
}
