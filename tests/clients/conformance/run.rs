//! Runs a case against the registry or regpass.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use super::case::{Body, Case, Content, Step};
use crate::curl::{Reply, curl, parse};
use crate::image::digest_of;
use crate::process::unchecked_output;

/// `Err` says which step failed, and why.
pub(super) type Outcome = Result<(), String>;

/// Where the requests go.
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) host: String,
    pub(super) credential: Option<(&'static str, &'static str)>,
}

/// What one case uploads to one target.
struct Documents {
    blob: String,
    image: String,
    artifact: String,
    referrers: String,
}

/// The values of the variables, by name.
type Variables = BTreeMap<&'static str, String>;

const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
const ACCEPT: &str = "Accept: application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json";
const CONFIG: &str = "{}";

pub(super) async fn run(case: &Case, number: usize, target: &Target) -> Outcome {
    let home = tempfile::tempdir().expect("a directory for curl");
    let repository = format!("conformance/{}/case{number}", target.name);
    let documents = Documents::new(&format!("{} at {}", case.name, target.name));
    let mut variables = documents.variables();
    variables.insert("other", format!("{repository}/other"));
    variables.insert("repository", repository);
    for (number, step) in case.steps.iter().enumerate() {
        let at = |why: String| format!("step {} ({} {}): {why}", number + 1, step.method, step.path);
        let reply = send(step, target, &documents, &variables, home.path()).await.map_err(at)?;
        check(step, &reply, &documents, &variables).map_err(at)?;
        if let Some(location) = reply.header("location") {
            let absolute = if location.starts_with('/') {
                format!("http://{}{location}", target.host)
            } else {
                location.to_owned()
            };
            if let Some(variable) = step.save {
                variables.insert(variable, absolute.clone());
            }
            variables.insert("location", absolute);
        }
    }
    Ok(())
}

/// The response; `Err` if the transfer is not complete.
async fn send(
    step: &Step,
    target: &Target,
    documents: &Documents,
    variables: &Variables,
    home: &Path,
) -> Result<Reply, String> {
    let (path, query) = step.path.split_once('+').map_or((step.path, None), |(path, query)| (path, Some(query)));
    let mut url = expand(path, variables);
    if !url.starts_with("http://") {
        let path = if url.starts_with('/') { url } else { format!("/v2/{}/{url}", variables["repository"]) };
        url = format!("http://{}{path}", target.host);
    }
    if let Some(query) = query {
        url = format!("{url}{}{}", if url.contains('?') { '&' } else { '?' }, expand(query, variables));
    }
    let mut curl = curl(home);
    curl.args(["--path-as-is", "--header", ACCEPT]);
    if let Some((user, password)) = target.credential {
        curl.arg("--user").arg(format!("{user}:{password}"));
    }
    match step.method {
        "HEAD" => curl.arg("--head"),
        method => curl.args(["--request", method]),
    };
    // A later header of the same name replaces an earlier one.
    let headers: BTreeMap<&str, &str> = step.headers.iter().copied().collect();
    for (name, value) in headers {
        curl.arg("--header").arg(format!("{name}: {}", expand(value, variables)));
    }
    if step.body != Body::None {
        let file = home.join("body");
        std::fs::write(&file, documents.bytes(step.body)).expect("the body is written");
        curl.arg("--data-binary").arg(format!("@{}", file.display()));
    }
    let output = unchecked_output(curl.arg(url)).await;
    if output.status.success() {
        Ok(parse(&output.stdout))
    } else {
        Err(String::from_utf8_lossy(&output.stderr).trim().to_owned())
    }
}

fn check(step: &Step, reply: &Reply, documents: &Documents, variables: &Variables) -> Outcome {
    if !step.statuses.contains(&reply.status) {
        return Err(format!("status {} instead of {:?}: {}", reply.status, step.statuses, reply.text()));
    }
    for (name, value) in &step.wants {
        let (expected, found) = (expand(value, variables), reply.header(name));
        if found.is_none() || (*value != "*" && found != Some(&*expected)) {
            return Err(format!("{name} is {found:?} instead of {expected}"));
        }
    }
    let document = || serde_json::from_slice::<Value>(&reply.body).unwrap_or_default();
    let texts = |list: &Value, key: Option<&str>| -> Vec<String> {
        let entries = list.as_array().map(Vec::as_slice).unwrap_or_default().iter();
        entries.map(|entry| key.map_or(entry, |key| &entry[key]).as_str().unwrap_or_default().to_owned()).collect()
    };
    let (found, expected) = match step.content {
        Content::Any => return Ok(()),
        Content::Same(body) => (reply.text(), documents.bytes(body).to_owned()),
        Content::Error(code) => {
            let found = document()["errors"][0]["code"].as_str().unwrap_or_default().to_owned();
            let expected = code.map_or_else(|| found.clone(), ToOwned::to_owned);
            if found.is_empty() {
                return Err(format!("no error document: {}", reply.text()));
            }
            (found, expected)
        }
        Content::Tags(tags) => (texts(&document()["tags"], None).join(" "), tags.join(" ")),
        Content::TagsInAnyOrder(tags) => {
            let mut found = texts(&document()["tags"], None);
            found.sort_unstable();
            (found.join(" "), tags.join(" "))
        }
        Content::Referrers(digests) => {
            let expected: Vec<String> = digests.iter().map(|digest| expand(digest, variables)).collect();
            (texts(&document()["manifests"], Some("digest")).join(" "), expected.join(" "))
        }
    };
    if found == expected { Ok(()) } else { Err(format!("the body is {found:?} instead of {expected:?}")) }
}

/// Replaces the variables in braces.
fn expand(text: &str, variables: &Variables) -> String {
    variables.iter().fold(text.to_owned(), |text, (name, value)| text.replace(&format!("{{{name}}}"), value))
}

impl Documents {
    fn new(name: &str) -> Self {
        let blob = format!("the blob of the case {name}");
        let config = json!({ "mediaType": "application/vnd.oci.empty.v1+json", "digest": digest_of(CONFIG.as_bytes()), "size": 2 });
        let manifest = json!({
            "schemaVersion": 2, "mediaType": MANIFEST, "config": config, "layers": [config], "annotations": { "case": name },
        });
        let image = manifest.to_string();
        let mut artifact = manifest;
        artifact["artifactType"] = json!("application/vnd.example.signature");
        artifact["subject"] =
            json!({ "mediaType": MANIFEST, "digest": digest_of(image.as_bytes()), "size": image.len() });
        let artifact = artifact.to_string();
        let referrers = json!({
            "schemaVersion": 2,
            "mediaType": "application/vnd.oci.image.index.v1+json",
            "manifests": [{
                "mediaType": MANIFEST,
                "digest": digest_of(artifact.as_bytes()),
                "size": artifact.len(),
                "artifactType": "application/vnd.example.signature",
            }],
        });
        Self { blob, image, artifact, referrers: referrers.to_string() }
    }

    fn bytes(&self, body: Body) -> &str {
        let middle = self.blob.len() / 2;
        match body {
            Body::None | Body::Empty => "",
            Body::Config => CONFIG,
            Body::Blob => &self.blob,
            Body::FirstHalf => &self.blob[..middle],
            Body::SecondHalf => &self.blob[middle..],
            Body::Image => &self.image,
            Body::Artifact => &self.artifact,
            Body::ReferrersList => &self.referrers,
            Body::Text(text) => text,
        }
    }

    fn variables(&self) -> Variables {
        let middle = self.blob.len() / 2;
        let image = digest_of(self.image.as_bytes());
        Variables::from([
            ("blob", digest_of(self.blob.as_bytes())),
            ("blob512", sha512_of(&self.blob)),
            ("empty", digest_of(b"")),
            ("missing", digest_of(format!("not {}", self.blob).as_bytes())),
            ("config", digest_of(CONFIG.as_bytes())),
            ("size", self.blob.len().to_string()),
            ("mid", middle.to_string()),
            ("mid1", (middle - 1).to_string()),
            ("end", (self.blob.len() - 1).to_string()),
            ("referrers tag", image.replace(':', "-")),
            ("image", image),
            ("image size", self.image.len().to_string()),
            ("image512", sha512_of(&self.image)),
            ("artifact", digest_of(self.artifact.as_bytes())),
        ])
    }
}

fn sha512_of(text: &str) -> String {
    use sha2::Digest as _;
    let digest = sha2::Sha512::digest(text);
    digest.iter().fold("sha512:".to_owned(), |text, byte| format!("{text}{byte:02x}"))
}
