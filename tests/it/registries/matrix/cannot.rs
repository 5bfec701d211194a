//! What registries can't, and where that can be read.

use std::fmt;

use super::cell::{Cell, Told};
use super::row::Row;

/// One thing that some registries can't.
struct Reason {
    /// Rows by their whole name, or all of a profile.
    rows: &'static [&'static str],
    behaviours: &'static [&'static str],
    told: Told,
    why: &'static str,
    source: &'static str,
}

const WRITES: &[&str] = &["push", "mount", "delete tag", "delete manifest", "delete blob"];
const DELETES: &[&str] = &["delete tag", "delete manifest", "delete blob"];

const REASONS: &[Reason] = &[
    Reason {
        rows: &["ecr"],
        behaviours: &["pull, anonymous"],
        told: Told::ByRegistry,
        why: "nothing there is public: whoever has no login is asked for one",
        source: "NVIDIA/enroot#59",
    },
    Reason {
        rows: &["distribution, htpasswd", "zot, htpasswd"],
        behaviours: &["pull, anonymous"],
        told: Told::ByRegistry,
        why: "with a password file everything needs a login",
        source: "distribution/distribution registry/auth/htpasswd; project-zot/zot pkg/api/authn.go",
    },
    Reason {
        rows: &["kubernetes", "mcr", "distribution, open"],
        behaviours: &["pull, login", "wrong password", "token over"],
        told: Told::Never,
        why: "nobody logs in there; a configured login is shown to nobody, and pulls work as without",
        source: "kubernetes/registry.k8s.io cmd/archeio/internal/app/handlers.go; microsoft/containerregistry docs",
    },
    Reason {
        rows: &["distribution, htpasswd", "zot, htpasswd", "zot, open in part"],
        behaviours: &["token over"],
        told: Told::Never,
        why: "there are no tokens, and passwords have no end",
        source: "distribution/distribution registry/auth/htpasswd; project-zot/zot pkg/api/authn.go",
    },
    Reason {
        rows: &["docker-hub"],
        behaviours: &["catalog"],
        told: Told::ByRegpass,
        why: "the token service answers 400 to registry:catalog:*",
        source: "toddysm.com, Authenticating with OCI Registries - Docker Hub Implementation",
    },
    Reason {
        rows: &["ecr-public"],
        behaviours: &["catalog"],
        told: Told::ByRegpass,
        why: "none is on record; the gallery on the web is what is searched",
        source: "gallery.ecr.aws",
    },
    Reason {
        rows: &["kubernetes"],
        behaviours: &["catalog"],
        told: Told::ByRegpass,
        why: "404 for every query of it",
        source: "kubernetes/registry.k8s.io cmd/archeio/internal/app/handlers.go",
    },
    Reason {
        rows: &["ngc"],
        behaviours: &["catalog"],
        told: Told::ByRegpass,
        why: "none is on record; the vendor's catalog is a web site with an API of its own",
        source: "catalog.ngc.nvidia.com",
    },
    Reason {
        rows: &["ghcr"],
        behaviours: &["referrers"],
        told: Told::ByRegistry,
        why: "a 303 to a web page, which is told as 404, so that clients use the referrers tag",
        source: "artifacthub/hub#4785",
    },
    Reason {
        rows: &["distribution", "generic"],
        behaviours: &["referrers"],
        told: Told::ByRegistry,
        why: "404: not implemented, and clients use the referrers tag",
        source: "distribution/distribution#4828",
    },
    Reason {
        rows: &["gitlab"],
        behaviours: &["referrers"],
        told: Told::ByRegistry,
        why: "404: not implemented, and clients use the referrers tag",
        source: "oras-project/oras-go#1396",
    },
    Reason {
        rows: &["artifactory", "google, gcr.io", "mcr", "ngc", "quay"],
        behaviours: &["referrers"],
        told: Told::ByRegistry,
        why: "404, as of versions without it and of registries of which no other answer is on record; one that has it is passed on",
        source: "distribution-spec, Listing Referrers; oras-project/oras#2047; quay/quay endpoints/v2/referrers.py",
    },
    Reason {
        rows: &["ecr", "ecr-public"],
        behaviours: &["mount"],
        told: Told::Otherwise,
        why: "needs a setting of the account and a manifest in the source; without them an upload begins, as the specification has it",
        source: "clowdhaus/ocync docs/design; docs.aws.amazon.com, BLOB_MOUNTING",
    },
    Reason {
        rows: &["google"],
        behaviours: &["mount"],
        told: Told::Otherwise,
        why: "mounts were not seen to succeed, and a token is for one scope: an upload begins, as the specification has it",
        source: "clowdhaus/ocync docs gar.md; containerd/containerd#4379",
    },
    Reason {
        rows: &["kubernetes"],
        behaviours: WRITES,
        told: Told::ByRegpass,
        why: "405 for everything but GET and HEAD",
        source: "kubernetes/registry.k8s.io cmd/archeio/internal/app/handlers.go",
    },
    Reason {
        rows: &["mcr"],
        behaviours: WRITES,
        told: Told::ByRegpass,
        why: "only its owner publishes there",
        source: "microsoft/containerregistry docs",
    },
    Reason {
        rows: &["ngc"],
        behaviours: WRITES,
        told: Told::ByRegistry,
        why: "no write is on record, so none is promised: the registry is asked, and its refusal told",
        source: "NVIDIA/nvidia-container-toolkit#1945, sapcc/keppel#731",
    },
    Reason {
        rows: &["ghcr"],
        behaviours: DELETES,
        told: Told::ByRegpass,
        why: "405 for every delete, whatever the login may do",
        source: "toddysm.com, Authenticating with OCI Registries - GitHub Container Registry (GHCR) Implementation",
    },
    Reason {
        rows: &["distribution, no deletes"],
        behaviours: DELETES,
        told: Told::ByRegistry,
        why: "405 unless storage.delete.enabled is set",
        source: "distribution/distribution docs, configuration",
    },
    Reason {
        rows: &["quay"],
        behaviours: &["delete blob"],
        told: Told::ByRegistry,
        why: "405: blobs go when nothing refers to them",
        source: "quay/quay endpoints/v2/blob.py",
    },
];

impl Told {
    fn words(self) -> &'static str {
        match self {
            Self::ByRegpass => "Refused without asking the registry.",
            Self::ByRegistry => "The registry's own refusal, in the one form.",
            Self::Otherwise | Self::Never => "Nothing is refused.",
        }
    }
}

/// The reasons that cells referred to, numbered as they came.
#[derive(Default)]
pub struct Notes {
    used: Vec<usize>,
    /// Cells whose reason is missing or another.
    strays: Vec<String>,
}

impl Notes {
    /// What stands in the table.
    pub fn word(&mut self, row: &Row, behaviour: &str, cell: &Cell) -> String {
        let told = match cell {
            Cell::Yes(fact) if fact.is_empty() => return "yes".to_owned(),
            Cell::Yes(fact) => return format!("yes: {fact}"),
            Cell::Cannot(told) => *told,
        };
        let name = row.to_string();
        let is_its =
            |reason: &Reason, name: &str| reason.rows.contains(&name) && reason.behaviours.contains(&behaviour);
        let find = |name: &str| REASONS.iter().position(|reason| is_its(reason, name));
        let Some(found) = find(&name).or_else(|| find(row.profile)) else {
            self.strays.push(format!("{name}, {behaviour}: it can't ({told:?}), and there is no evidence of that"));
            return "FAILS".to_owned();
        };
        let expected = REASONS[found].told;
        if told != expected {
            self.strays.push(format!("{name}, {behaviour}: the refusal is told {told:?}, not {expected:?}"));
        }
        let number = self.used.iter().position(|used| *used == found).unwrap_or_else(|| {
            self.used.push(found);
            self.used.len() - 1
        });
        format!("can't [{}]", number + 1)
    }

    /// Cells without evidence, and evidence without a cell.
    pub fn faults(&self) -> Vec<String> {
        let unused = REASONS.iter().enumerate().filter(|(number, _)| !self.used.contains(number));
        let unused = unused.map(|(_, reason)| format!("no registry is like this any more: {}", reason.why));
        self.strays.iter().cloned().chain(unused).collect()
    }
}

impl fmt::Display for Notes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, used) in self.used.iter().enumerate() {
            let Reason { why, source, told, .. } = &REASONS[*used];
            writeln!(f, "{}. {}. {} ({source})", number + 1, capital(why), told.words())?;
        }
        Ok(())
    }
}

fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
