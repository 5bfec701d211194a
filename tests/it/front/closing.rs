//! Connections that are to be closed: nobody who is about to ask something finds the door shut.

use std::time::Duration;

use bytes::Bytes;
use http::{Method, Version};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use regpass::net::listen::{Close, Service};
use regpass::net::peer::Peer;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use super::start;
use crate::harness::{Regpass, request};

/// A client's connection, the end that can close it, and whether regpass is done with it.
async fn connect(regpass: &Regpass) -> (SendRequest<Full<Bytes>>, Close, JoinHandle<()>) {
    let (ours, theirs) = tokio::io::duplex(64 * 1024);
    let (close, closing) = Close::new();
    let service = Service::from(regpass.handle());
    let serving = tokio::spawn(async move { service.connection(theirs, Peer::default(), closing).await.unwrap() });
    let (sender, driving) = handshake(TokioIo::new(ours)).await.unwrap();
    tokio::spawn(driving);
    (sender, close, serving)
}

async fn ask(sender: &mut SendRequest<Full<Bytes>>) -> Option<String> {
    let reply = sender.send_request(request(Method::GET, "/v2/").map(Full::new)).await.unwrap();
    assert_eq!((reply.status().as_u16(), reply.version()), (200, Version::HTTP_11));
    let says = reply.headers().get("connection").map(|value| value.to_str().unwrap().to_owned());
    reply.into_body().collect().await.unwrap();
    says
}

#[tokio::test(start_paused = true)]
async fn who_comes_once_more_is_answered_and_told_that_it_was_the_last_time() {
    let (_sim, _, regpass) = start("").await;
    let (mut sender, close, serving) = connect(&regpass).await;
    assert_eq!(ask(&mut sender).await, None);
    close.close();
    sleep(Duration::from_millis(900)).await;
    assert_eq!(ask(&mut sender).await.as_deref(), Some("close"));
    serving.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn who_does_not_come_again_is_waited_for_only_shortly() {
    let (_sim, _, regpass) = start("").await;
    let (mut sender, close, serving) = connect(&regpass).await;
    ask(&mut sender).await;
    let begun = Instant::now();
    close.close();
    serving.await.unwrap();
    assert!(begun.elapsed() <= Duration::from_secs(2), "{:?}", begun.elapsed());
}
