//! A requirement of the specification as requests and expected responses.

/// The version of the specification that has a requirement: 1.1.1, or only the main branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Version {
    V1_1 = 0,
    Dev = 1,
}

/// One requirement. Each case has a repository of its own, and its own content.
#[derive(Debug)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) version: Version,
    pub(super) steps: Vec<Step>,
    /// Why a registry without this feature cannot pass through regpass either.
    pub(super) beyond_regpass: Option<&'static str>,
}

/// One request and what its response must be. Texts contain variables in braces: see [`super::run`].
#[derive(Clone, Debug)]
pub(super) struct Step {
    pub(super) method: &'static str,
    /// A path below `/v2/{repository}/`, an absolute path, or `{location}` and `+key=value` for its query.
    pub(super) path: &'static str,
    pub(super) headers: Vec<(&'static str, &'static str)>,
    pub(super) body: Body,
    pub(super) statuses: &'static [u16],
    /// Headers that the response must have; the value `*` is any.
    pub(super) wants: Vec<(&'static str, &'static str)>,
    pub(super) content: Content,
    /// The variable that also gets the `Location` of the response.
    pub(super) save: Option<&'static str>,
}

/// The body of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Empty,
    /// The config of images, `{}`.
    Config,
    /// The case's blob, whole or from one byte to before another.
    Blob,
    FirstHalf,
    SecondHalf,
    Image,
    /// A manifest whose subject is the image.
    Artifact,
    /// The index of a referrers tag that lists the artifact.
    ReferrersList,
    Text(&'static str),
}

/// What the body of a response must be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Content {
    Any,
    Same(Body),
    /// An error document, with this code if there is one.
    Error(Option<&'static str>),
    Tags(&'static [&'static str]),
    /// These tags in any order.
    TagsInAnyOrder(&'static [&'static str]),
    /// A list of referrers with these digests.
    Referrers(&'static [&'static str]),
}

pub(super) fn case(name: &'static str, steps: impl IntoIterator<Item = Step>) -> Case {
    Case { name, version: Version::V1_1, steps: steps.into_iter().collect(), beyond_regpass: None }
}

impl Case {
    pub(super) fn dev(mut self) -> Self {
        self.version = Version::Dev;
        self
    }

    /// The case fails because the registry lacks something that regpass does not add.
    pub(super) fn beyond_regpass(mut self, reason: &'static str) -> Self {
        self.beyond_regpass = Some(reason);
        self
    }

    /// These steps come first.
    pub(super) fn after(mut self, steps: impl IntoIterator<Item = Step>) -> Self {
        self.steps.splice(0..0, steps);
        self
    }
}

pub(super) fn request(method: &'static str, path: &'static str, statuses: &'static [u16]) -> Step {
    let body = if matches!(method, "POST" | "PUT" | "PATCH") { Body::Empty } else { Body::None };
    Step { method, path, headers: Vec::new(), body, statuses, wants: Vec::new(), content: Content::Any, save: None }
}

pub(super) fn get(path: &'static str, statuses: &'static [u16]) -> Step {
    request("GET", path, statuses)
}

pub(super) fn head(path: &'static str, statuses: &'static [u16]) -> Step {
    request("HEAD", path, statuses)
}

pub(super) fn post(path: &'static str, statuses: &'static [u16]) -> Step {
    request("POST", path, statuses)
}

pub(super) fn put(path: &'static str, body: Body, statuses: &'static [u16]) -> Step {
    request("PUT", path, statuses).body(body)
}

pub(super) fn patch(path: &'static str, body: Body, statuses: &'static [u16]) -> Step {
    request("PATCH", path, statuses).body(body)
}

pub(super) fn delete(path: &'static str, statuses: &'static [u16]) -> Step {
    request("DELETE", path, statuses)
}

impl Step {
    pub(super) fn body(mut self, body: Body) -> Self {
        self.body = body;
        match body {
            Body::None => self,
            Body::Image | Body::Artifact => self.header("Content-Type", "application/vnd.oci.image.manifest.v1+json"),
            Body::ReferrersList => self.header("Content-Type", "application/vnd.oci.image.index.v1+json"),
            _ => self.header("Content-Type", "application/octet-stream"),
        }
    }

    pub(super) fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    pub(super) fn wants(mut self, name: &'static str, value: &'static str) -> Self {
        self.wants.push((name, value));
        self
    }

    pub(super) fn content(mut self, content: Content) -> Self {
        self.content = content;
        self
    }

    pub(super) fn save(mut self, variable: &'static str) -> Self {
        self.save = Some(variable);
        self
    }
}

/// Uploads the case's blob.
pub(super) fn push_blob() -> Vec<Step> {
    vec![
        post("blobs/uploads/", &[202]).wants("location", "*"),
        put("{location}+digest={blob}", Body::Blob, &[201]).wants("location", "*"),
    ]
}

/// Pushes the case's image as the tag `one`.
pub(super) fn push_image() -> Vec<Step> {
    let mut steps = push_config();
    steps.push(put("manifests/one", Body::Image, &[201]).wants("location", "*"));
    steps
}

/// Uploads the config of images and artifacts.
pub(super) fn push_config() -> Vec<Step> {
    vec![post("blobs/uploads/", &[202]), put("{location}+digest={config}", Body::Config, &[201])]
}

/// Pushes the image under the tags `b`, `a`, `d` and `c`.
pub(super) fn push_tags() -> Vec<Step> {
    let mut steps = push_config();
    let tags = ["manifests/b", "manifests/a", "manifests/d", "manifests/c"];
    steps.extend(tags.map(|path| put(path, Body::Image, &[201])));
    steps
}
