//! Verification of Signature Version 4, as the services do it ("Create a signed AWS API request", IAM user guide).

use std::time::Duration;

use aws_lc_rs::hmac;
use sha2::{Digest, Sha256};

use super::super::super::call::Call;
use super::super::super::clock::Clock;
use super::super::super::reply::Reply;
use super::Account;
use super::keys::Key;

/// Why the signature of a request is not accepted.
#[derive(Debug)]
pub(super) struct SigningError {
    pub(super) code: &'static str,
    /// The error code that STS sends, which for some errors is not the `code` of the other services.
    pub(super) query_code: &'static str,
    pub(super) message: String,
}

fn error(code: &'static str, query_code: &'static str, message: impl Into<String>) -> SigningError {
    SigningError { code, query_code, message: message.into() }
}

fn invalid(message: impl Into<String>) -> SigningError {
    error("InvalidSignatureException", "SignatureDoesNotMatch", message)
}

fn incomplete(message: &str) -> SigningError {
    error("IncompleteSignatureException", "IncompleteSignature", message)
}

/// The largest difference between the clocks of client and service, in seconds.
const SKEW: u64 = 15 * 60;

/// The key with which `call` is signed for a service in a region; an error if the signature is not valid.
pub(super) fn verify(
    account: &Account,
    call: &Call,
    body: &[u8],
    region: &str,
    service: &str,
) -> Result<Key, SigningError> {
    let text = |name: &str| call.header(name).map(str::trim).unwrap_or_default();
    if text("authorization").is_empty() {
        let code = "MissingAuthenticationToken";
        return Err(error("MissingAuthenticationTokenException", code, "Missing Authentication Token"));
    }
    let fields = text("authorization").strip_prefix("AWS4-HMAC-SHA256 ").unwrap_or_default();
    let field = |name: &str| {
        let found = fields.split(',').find_map(|field| field.trim().strip_prefix(name)?.strip_prefix('='));
        found.ok_or_else(|| incomplete(&format!("Authorization header requires '{name}' parameter.")))
    };
    let (credential, signed, signature) = (field("Credential")?, field("SignedHeaders")?, field("Signature")?);
    let scope: Vec<&str> = credential.split('/').collect();
    let [id, day, its_region, its_service, "aws4_request"] = scope[..] else {
        return Err(incomplete("Credential must have exactly 5 slash-delimited elements"));
    };
    let unknown = || {
        error(
            "UnrecognizedClientException",
            "InvalidClientTokenId",
            "The security token included in the request is invalid.",
        )
    };
    let key = account.keys.find(id).ok_or_else(unknown)?;
    if key.token.as_deref().unwrap_or_default() != text("x-amz-security-token") {
        return Err(unknown());
    }
    if key.expires.is_some_and(|expires| expires <= account.clock.since_1970()) {
        let message = "The security token included in the request is expired";
        return Err(error("ExpiredTokenException", "ExpiredToken", message));
    }
    if its_region != region {
        return Err(invalid(format!("Credential should be scoped to a valid region, not '{its_region}'. ")));
    }
    if its_service != service {
        return Err(invalid(format!("Credential should be scoped to correct service: '{service}'. ")));
    }
    check_date(account.clock, text("x-amz-date"), day)?;
    check_headers(call, signed)?;
    let hash = hex(&Sha256::digest(body));
    if text("x-amz-content-sha256") != hash {
        return Err(invalid("The provided 'x-amz-content-sha256' header does not match what was computed."));
    }
    let scope = format!("{day}/{region}/{service}/aws4_request");
    let hashed = hex(&Sha256::digest(canonical(call, signed, &hash)));
    let to_sign = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{hashed}", text("x-amz-date"));
    let mut signing = format!("AWS4{}", key.secret).into_bytes();
    for part in scope.split('/') {
        signing = mac(&signing, part);
    }
    if hex(&mac(&signing, &to_sign)) != signature {
        return Err(invalid(
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
        ));
    }
    Ok(key)
}

/// Checks that the request is dated within [`SKEW`] of now, and on the day of its credential scope. Compares the dates
/// as text, which in this form has the same order.
fn check_date(clock: Clock, date: &str, day: &str) -> Result<(), SigningError> {
    let basic = |unix: u64| Clock::iso(unix).replace(['-', ':'], "");
    let now = clock.unix();
    let (oldest, newest) = (basic(now - SKEW), basic(now + SKEW));
    if date.len() != newest.len() || !date.starts_with(day) {
        return Err(incomplete("Date in Credential scope does not match the date of the request."));
    }
    if date < &*oldest {
        let now = basic(now);
        return Err(invalid(format!("Signature expired: {date} is now earlier than {oldest} ({now} - 15 min.)")));
    }
    if date > &*newest {
        let now = basic(now);
        return Err(invalid(format!(
            "Signature not yet current: {date} is still later than {newest} ({now} + 15 min.)"
        )));
    }
    Ok(())
}

/// `host`, `content-type` and every `x-amz-` header have to be signed, and the list of signed headers has to be sorted.
fn check_headers(call: &Call, signed: &str) -> Result<(), SigningError> {
    let signed: Vec<&str> = signed.split(';').collect();
    if !signed.is_sorted() || signed.iter().any(|name| call.header(name).is_none()) {
        return Err(invalid("SignedHeaders are not in order, or not there."));
    }
    let must = |name: &str| name == "host" || name == "content-type" || name.starts_with("x-amz-");
    let missing = call.entry.headers.keys().find(|name| must(name.as_str()) && !signed.contains(&name.as_str()));
    match missing {
        Some(name) => Err(invalid(format!("'{name}' must be a 'SignedHeader' in the AWS Authorization."))),
        None => Ok(()),
    }
}

fn canonical(call: &Call, signed: &str, hash: &str) -> String {
    // Requests to these services have the path `/` and no query.
    let lines = signed.split(';').map(|name| {
        let words: Vec<&str> =
            call.header(name).unwrap_or_default().split(' ').filter(|word| !word.is_empty()).collect();
        format!("{name}:{}", words.join(" "))
    });
    let lines: Vec<String> = lines.collect();
    format!("{}\n/\n\n{}\n\n{signed}\n{hash}", call.entry.method, lines.join("\n"))
}

fn mac(key: &[u8], text: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text.as_bytes()).as_ref().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |text, byte| text + &format!("{byte:02x}"))
}

impl SigningError {
    /// The error reply of the services with JSON bodies.
    pub(super) fn json(&self) -> Reply {
        super::api::error(self.code, &self.message)
    }

    /// The error reply of STS, which is XML.
    pub(super) fn xml(&self) -> Reply {
        super::sts::error(403, self.query_code, &self.message)
    }
}

pub(super) const HOUR: Duration = Duration::from_secs(60 * 60);
