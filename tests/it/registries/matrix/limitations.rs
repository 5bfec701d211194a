//! What registries do not support, with the evidence for it.

use std::fmt;

use super::outcome::{Outcome, Rejection};
use super::row::Row;

/// Something that some registries do not support.
struct Limitation {
    /// Rows by their full name, or a profile for all of its rows.
    rows: &'static [&'static str],
    checks: &'static [&'static str],
    rejection: Rejection,
    reason: &'static str,
    source: &'static str,
}

const WRITES: &[&str] = &["push", "mount", "delete tag", "delete manifest", "delete blob"];
const DELETES: &[&str] = &["delete tag", "delete manifest", "delete blob"];

const LIMITATIONS: &[Limitation] = &[
    Limitation {
        rows: &["dhi", "digitalocean", "redhat"],
        checks: &["pull, anonymous"],
        rejection: Rejection::ByRegistry,
        reason: "nothing can be pulled without a credential",
        source: "getwud/wud#875; digitalocean/doctl; aboutbits/postgresql-operator#9",
    },
    Limitation {
        rows: &["ecr"],
        checks: &["pull, anonymous"],
        rejection: Rejection::ByRegistry,
        reason: "nothing is public: every request needs a credential",
        source: "NVIDIA/enroot#59",
    },
    Limitation {
        rows: &["distribution, htpasswd", "zot, htpasswd"],
        checks: &["pull, anonymous"],
        rejection: Rejection::ByRegistry,
        reason: "with a password file everything needs a credential",
        source: "distribution/distribution registry/auth/htpasswd; project-zot/zot pkg/api/authn.go",
    },
    Limitation {
        rows: &["kubernetes", "mcr", "distribution, open"],
        checks: &["pull, credential", "wrong password", "token expired"],
        rejection: Rejection::NotApplicable,
        reason: "the registry needs no credential: regpass sends a configured one nowhere, and pulls work",
        source: "kubernetes/registry.k8s.io cmd/archeio/internal/app/handlers.go; microsoft/containerregistry docs",
    },
    Limitation {
        rows: &["distribution, htpasswd", "zot, htpasswd", "zot, open in part"],
        checks: &["token expired"],
        rejection: Rejection::NotApplicable,
        reason: "there are no tokens, and passwords do not expire",
        source: "distribution/distribution registry/auth/htpasswd; project-zot/zot pkg/api/authn.go",
    },
    Limitation {
        rows: &["ecr-public"],
        checks: &["catalog"],
        rejection: Rejection::ByRegpass,
        reason: "none is documented; the gallery on the web can be searched",
        source: "gallery.ecr.aws",
    },
    Limitation {
        rows: &["kubernetes"],
        checks: &["catalog"],
        rejection: Rejection::ByRegpass,
        reason: "every request for it is a 404",
        source: "kubernetes/registry.k8s.io cmd/archeio/internal/app/handlers.go",
    },
    Limitation {
        rows: &["ngc"],
        checks: &["catalog"],
        rejection: Rejection::ByRegpass,
        reason: "none is documented; the vendor's catalog is a web site with its own API",
        source: "catalog.ngc.nvidia.com",
    },
    Limitation {
        rows: &["scarf"],
        checks: &["catalog"],
        rejection: Rejection::ByRegpass,
        reason: "a 404 of the gateway",
        source: "scarf-sh/gateway src/Scarf/Gateway/Rule/Docker.hs",
    },
    Limitation {
        rows: &["gitlab"],
        checks: &["referrers"],
        rejection: Rejection::ByRegistry,
        reason: "a 404: not implemented, and the referrers tag returns the image itself",
        source: "oras-project/oras-go#1396",
    },
    Limitation {
        rows: &["ecr", "ecr-public"],
        checks: &["mount"],
        rejection: Rejection::Replaced,
        reason: "needs a setting of the account and a manifest in the source; without them the client gets an upload, as in the specification",
        source: "docs.aws.amazon.com, BLOB_MOUNTING; hashicorp/terraform-provider-aws#46092; aws/containers-roadmap#2860",
    },
    Limitation {
        rows: &["kubernetes"],
        checks: WRITES,
        rejection: Rejection::ByRegpass,
        reason: "a 405 for every method but GET and HEAD",
        source: "kubernetes/registry.k8s.io cmd/archeio/internal/app/handlers.go",
    },
    Limitation {
        rows: &["mcr"],
        checks: WRITES,
        rejection: Rejection::ByRegpass,
        reason: "only its owner publishes there",
        source: "microsoft/containerregistry docs",
    },
    Limitation {
        rows: &["chainguard", "dhi", "elastic", "redhat", "scarf"],
        checks: WRITES,
        rejection: Rejection::ByRegistry,
        reason: "its publishers write in other ways; regpass forwards a write, and the registry rejects it",
        source: "getwud/wud#875; chainguard-dev/edu#3953; scarf-sh/gateway src/Scarf/Gateway/Rule/Docker.hs",
    },
    Limitation {
        rows: &["ngc"],
        checks: WRITES,
        rejection: Rejection::ByRegistry,
        reason: "no write is documented: regpass forwards it, and the registry rejects it",
        source: "NVIDIA/nvidia-container-toolkit#1945, sapcc/keppel#731",
    },
    Limitation {
        rows: &["ghcr"],
        checks: &["delete blob"],
        rejection: Rejection::ByRegpass,
        reason: "a 405 for every delete, and the vendor's API deletes manifests only",
        source: "toddysm.com, Authenticating with OCI Registries - GitHub Container Registry (GHCR) Implementation",
    },
    Limitation {
        rows: &["distribution, no deletes"],
        checks: DELETES,
        rejection: Rejection::ByRegistry,
        reason: "a 405 unless storage.delete.enabled is set",
        source: "distribution/distribution docs, configuration",
    },
    Limitation {
        rows: &["distribution, version 2"],
        checks: &["delete tag"],
        rejection: Rejection::ByRegistry,
        reason: "a 400 for the deletion of a tag, which the client gets as a 405: version 2 deletes manifests by digest only, and with them all their tags",
        source: "docker-registry 2.8.2, observed 2026-11-29; distribution/distribution registry/handlers/manifests.go",
    },
    Limitation {
        rows: &["quay"],
        checks: &["delete blob"],
        rejection: Rejection::ByRegistry,
        reason: "a 405: the registry removes blobs to which nothing refers",
        source: "quay/quay endpoints/v2/blob.py",
    },
];

impl Rejection {
    fn description(self) -> &'static str {
        match self {
            Self::ByRegpass => "regpass rejects it without a request to the registry.",
            Self::ByRegistry => "The client gets the registry's error in the common form.",
            Self::Replaced | Self::NotApplicable => "Nothing is rejected.",
        }
    }
}

/// The limitations that cells refer to, numbered in the order of the cells.
#[derive(Default)]
pub struct Notes {
    used: Vec<usize>,
    /// Failure messages for outcomes that no limitation explains, or whose rejection is not that of the limitation.
    unexplained: Vec<String>,
}

impl Notes {
    /// The text of a cell.
    pub fn cell_text(&mut self, row: &Row, check: &str, cell: &Outcome) -> String {
        let rejection = match cell {
            Outcome::Works(detail) if detail.is_empty() => return "yes".to_owned(),
            Outcome::Works(detail) => return format!("yes: {detail}"),
            Outcome::Unsupported(rejection) => *rejection,
        };
        let name = row.to_string();
        let applies = |reason: &Limitation, name: &str| reason.rows.contains(&name) && reason.checks.contains(&check);
        let find = |name: &str| LIMITATIONS.iter().position(|reason| applies(reason, name));
        let Some(index) = find(&name).or_else(|| find(row.profile)) else {
            self.unexplained.push(format!(
                "{name}, {check}: it is not supported ({rejection:?}), and there is no evidence of that"
            ));
            return "FAILS".to_owned();
        };
        let expected = LIMITATIONS[index].rejection;
        if rejection != expected {
            self.unexplained.push(format!("{name}, {check}: the rejection is {rejection:?}, not {expected:?}"));
        }
        let number = self.used.iter().position(|used| *used == index).unwrap_or_else(|| {
            self.used.push(index);
            self.used.len() - 1
        });
        format!("can't [{}]", number + 1)
    }

    /// Failure messages for outcomes that no limitation explains, and for limitations that no outcome has.
    pub fn faults(&self) -> Vec<String> {
        let unused = LIMITATIONS.iter().enumerate().filter(|(number, _)| !self.used.contains(number));
        let unused = unused.map(|(_, reason)| format!("no registry has this limitation: {}", reason.reason));
        self.unexplained.iter().cloned().chain(unused).collect()
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, used) in self.used.iter().enumerate() {
            let Limitation { reason, source, rejection, .. } = &LIMITATIONS[*used];
            writeln!(f, "{}. {}. {} ({source})", number + 1, capitalized(reason), rejection.description())?;
        }
        Ok(())
    }
}

fn capitalized(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
