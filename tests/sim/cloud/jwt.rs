//! Signed statements, verified for real.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// A service account's key, as Google makes one.
pub struct ServiceKey {
    pub id: String,
    pub pem: String,
    public: Vec<u8>,
}

impl ServiceKey {
    pub fn new(id: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("a key can be made");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("a key has a form");
        let text = BASE64_STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        Self { id: id.to_owned(), pem, public: pair.public_key().as_ref().to_vec() }
    }

    /// The claims of a statement that this key signed, and nothing else did.
    pub(super) fn verified(&self, statement: &str) -> Option<Value> {
        let (signed, signature) = statement.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public);
        key.verify(signed.as_bytes(), &signature).ok()?;
        let (header, claims) = signed.split_once('.')?;
        let header = decoded(header)?;
        let fits = header["alg"] == "RS256" && header["typ"] == "JWT" && header["kid"] == self.id.as_str();
        if fits { decoded(claims) } else { None }
    }
}

/// Header and claims are real; the signature is not, since no client checks it.
pub(super) fn unsigned(claims: &Value) -> String {
    let encode = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "simulator" });
    format!("{}.{}.{}", encode(&header.to_string()), encode(&claims.to_string()), encode("not a signature"))
}

fn decoded(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
