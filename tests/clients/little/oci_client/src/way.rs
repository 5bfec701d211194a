//! How the client reaches the registry, and content for it.

use std::error::Error;

use oci_client::client::{ClientConfig, ClientProtocol, Config, ImageLayer};
use oci_client::manifest::{OCI_IMAGE_INDEX_MEDIA_TYPE, OCI_IMAGE_MEDIA_TYPE, OciImageManifest};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference};
use serde_json::Value;
use sha2::{Digest, Sha256};

pub type Result<T = ()> = std::result::Result<T, Box<dyn Error>>;

/// Through regpass without credentials, or directly with them.
pub struct Way {
    name: &'static str,
    host: String,
    pub auth: RegistryAuth,
    testbed: Value,
}

impl Way {
    pub fn through_regpass(testbed: &Value) -> Self {
        let host = text(&testbed["regpass"]["http"]);
        Self { name: "through", host, auth: RegistryAuth::Anonymous, testbed: testbed.clone() }
    }

    pub fn direct(testbed: &Value) -> Self {
        let host = text(&testbed["registries"]["token"]);
        let auth = RegistryAuth::Basic(text(&testbed["username"]), text(&testbed["password"]));
        Self { name: "direct", host, auth, testbed: testbed.clone() }
    }

    pub fn client(&self, in_one_piece: bool) -> Client {
        let protocol = ClientProtocol::Http;
        Client::new(ClientConfig { protocol, use_monolithic_push: in_one_piece, ..ClientConfig::default() })
    }

    /// The image that every registry has.
    pub fn image(&self, tag: &str) -> Reference {
        self.reference(&text(&self.testbed["repository"]), tag)
    }

    /// A repository for one operation.
    pub fn new_image(&self, operation: &str, tag: &str) -> Reference {
        self.reference(&format!("little/oci-client-{}-{operation}", self.name), tag)
    }

    pub fn reference(&self, repository: &str, tag: &str) -> Reference {
        Reference::with_tag(self.host.clone(), repository.to_owned(), tag.to_owned())
    }

    /// The digest of `index`, `manifest`, `config` or `layer`.
    pub fn digest(&self, name: &str) -> String {
        text(&self.testbed["image"][name])
    }

    /// Content that no other operation or way has.
    pub fn bytes(&self, seed: &str) -> Vec<u8> {
        format!("oci-client {} {seed}\n", self.name).into_bytes().repeat(4000)
    }

    pub fn config(&self, seed: &str) -> Config {
        let text = format!(r#"{{"architecture":"amd64","os":"linux","author":"{} {seed}"}}"#, self.name);
        Config::oci_v1(text.into_bytes(), None)
    }

    /// Pushes a new image through regpass, without credentials.
    pub async fn store(&self, image: &Reference) -> Result<OciImageManifest> {
        let layer = ImageLayer::oci_v1(self.bytes(image.repository()), None);
        let config = self.config(image.repository());
        let manifest = OciImageManifest::build(std::slice::from_ref(&layer), &config, None);
        let client = self.client(true);
        client.push(&self.check(image), &[layer], config, &RegistryAuth::Anonymous, Some(manifest.clone())).await?;
        Ok(manifest)
    }

    /// Checks, through regpass, that the registry has a manifest with this layer.
    pub async fn expect_image(&self, image: &Reference, layer: &[u8]) -> Result {
        let client = self.client(true);
        let accepted = vec!["application/vnd.oci.image.layer.v1.tar"];
        let pulled = client.pull(&self.check(image), &RegistryAuth::Anonymous, accepted).await?;
        expect(&*pulled.layers[0].data, layer)
    }

    /// Checks, through regpass, that the registry has a blob.
    pub async fn expect_blob(&self, image: &Reference, content: &[u8]) -> Result {
        let mut pulled = Vec::new();
        self.client(true).pull_blob(&self.check(image), &*digest(content), &mut pulled).await?;
        expect(&*pulled, content)
    }

    /// The digest of a manifest, read through regpass.
    pub async fn stored_digest(&self, image: &Reference) -> Result<String> {
        let accepted = [OCI_IMAGE_MEDIA_TYPE, OCI_IMAGE_INDEX_MEDIA_TYPE];
        let client = self.client(true);
        let (_, digest) = client.pull_manifest_raw(&self.check(image), &RegistryAuth::Anonymous, &accepted).await?;
        Ok(digest)
    }

    /// The reference by which regpass serves the image of the registry with tokens.
    fn check(&self, image: &Reference) -> Reference {
        let repository = format!("token/{}", image.repository());
        Reference::with_tag(
            text(&self.testbed["regpass"]["http"]),
            repository,
            image.tag().unwrap_or("latest").to_owned(),
        )
    }
}

pub fn digest(content: &[u8]) -> String {
    Sha256::digest(content).iter().fold("sha256:".to_owned(), |hex, byte| format!("{hex}{byte:02x}"))
}

pub fn expect<T: PartialEq + std::fmt::Debug>(actual: T, expected: T) -> Result {
    if actual == expected {
        return Ok(());
    }
    let short = |value: &T| format!("{value:?}").chars().take(200).collect::<String>();
    Err(format!("{} instead of {}", short(&actual), short(&expected)).into())
}

fn text(value: &Value) -> String {
    value.as_str().expect("a string").to_owned()
}
