//! JWTs: verification of those that clients sign, and unsigned ones that clouds issue.

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der};
use aws_lc_rs::rsa::{KeyPair, KeySize};
use aws_lc_rs::signature::{KeyPair as _, RSA_PKCS1_2048_8192_SHA256, UnparsedPublicKey};
use base64::Engine as _;
use base64::prelude::{BASE64_STANDARD, BASE64_URL_SAFE_NO_PAD};
use serde_json::{Value, json};

/// The RSA key of a service account, with its private part as PEM as in Google's key files.
pub struct ServiceKey {
    pub id: String,
    pub pem: String,
    public: Vec<u8>,
}

impl ServiceKey {
    pub fn new(id: &str) -> Self {
        let pair = KeyPair::generate(KeySize::Rsa2048).expect("generating an RSA key does not fail");
        let der: Pkcs8V1Der<'_> = pair.as_der().expect("an RSA key has a PKCS #8 form");
        let text = BASE64_STANDARD.encode(der.as_ref());
        let lines: Vec<&str> = text.as_bytes().chunks(64).map(|line| str::from_utf8(line).expect("ASCII")).collect();
        let pem = format!("-----BEGIN PRIVATE KEY-----\n{}\n-----END PRIVATE KEY-----\n", lines.join("\n"));
        Self { id: id.to_owned(), pem, public: pair.public_key().as_ref().to_vec() }
    }

    /// The claims of a JWT that was signed with this key; `None` for any other text.
    pub(super) fn verify(&self, jwt: &str) -> Option<Value> {
        let (signed, signature) = jwt.rsplit_once('.')?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).ok()?;
        let key = UnparsedPublicKey::new(&RSA_PKCS1_2048_8192_SHA256, &self.public);
        key.verify(signed.as_bytes(), &signature).ok()?;
        let (header, claims) = signed.split_once('.')?;
        let header = decode(header)?;
        let fits = header["alg"] == "RS256" && header["typ"] == "JWT" && header["kid"] == self.id.as_str();
        if fits { decode(claims) } else { None }
    }
}

/// A JWT with valid header and claims. The signature is a placeholder, since no client checks it.
pub fn unsigned(claims: &Value) -> String {
    let encode = |part: &str| BASE64_URL_SAFE_NO_PAD.encode(part);
    let header = json!({ "alg": "RS256", "typ": "JWT", "kid": "simulator" });
    format!("{}.{}.{}", encode(&header.to_string()), encode(&claims.to_string()), encode("not a signature"))
}

fn decode(part: &str) -> Option<Value> {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}
