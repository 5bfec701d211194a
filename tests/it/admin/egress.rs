//! The hosts for a firewall in `/status.json` and on the status page.

use serde_json::{Value, json};

use super::text_of;
use crate::blob_download::BlobDownload;
use crate::sim::{Hop, HopTarget, Preset, Sim};

#[tokio::test(start_paused = true)]
async fn hosts_that_were_connected_to_join_those_that_are_known() {
    let preset = Preset::docker_hub().blob_hops(&[Hop::new(307, HopTarget::BlobStore)]);
    let setup = BlobDownload::start(Sim::memory(), preset, 1000, "profile = \"mcr\"").await;
    let token_service = setup.registry.token_service().authority();
    let (api, storage) = (setup.registry.authority(), setup.registry.blob_store().authority());
    let entry = |host: &str, purpose: &str, seen: bool| json!({ "address": host, "purpose": purpose, "seen": seen });
    let known = [
        entry("*.data.mcr.microsoft.com:443", "blob store", false),
        entry("*.data.mcr.azure.cn:443", "blob store", false),
    ];
    let own = |seen| {
        let own =
            [entry(&format!("{api}:80"), "API", seen), entry(&format!("{token_service}:80"), "token service", seen)];
        [&own[..], &known].concat()
    };
    assert_eq!(egress(&setup).await, Value::from(own(false)), "before the first request");

    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    setup.assert_whole(&setup.regpass.send(setup.get()).await);
    let after = [&own(true)[..], &[entry(&format!("{storage}:80"), "blob store", true)]].concat();
    assert_eq!(egress(&setup).await, Value::from(after));
    let page = setup.regpass.get_admin("/").await;
    let text = text_of(std::str::from_utf8(&page.body).unwrap());
    assert!(text.contains(&format!("{storage}:80 blob store, connected to")), "{text}");
}

async fn egress(setup: &BlobDownload) -> Value {
    setup.regpass.status().await["registries"][0]["egress"].clone()
}
