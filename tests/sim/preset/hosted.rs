//! Public registries that behave like CNCF Distribution as far as is known, and differ in their challenge and their token
//! service: section B4 of field-2026.md.

use std::sync::Arc;
use std::time::Duration;

use super::super::query;
use super::super::registry::{Denial, DenialReason, Policy, Scope, TokenRequest};
use super::super::reply::Reply;
use super::plain::reject_writes;
use super::{Capabilities, MountSource, Preset, TokenHost};

/// One of these registries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hosted {
    Alibaba,
    Chainguard,
    Dhi,
    DigitalOcean,
    Elastic,
    Huawei,
    Ibm,
    Oracle,
    RedHat,
    Scaleway,
}

/// How the challenge and the token service differ.
struct Facts {
    /// The in-memory host name, without `.test`.
    host: &'static str,
    /// Where the token service is, and its path.
    realm: (TokenHost, &'static str),
    /// `None` if the service is the registry's own host.
    service: Option<&'static str>,
    credential: (&'static str, &'static str),
    anonymous_pull: bool,
    push: bool,
    lifetime: u64,
}

impl Hosted {
    fn facts(self) -> Facts {
        use TokenHost::{OwnHost, Registry};
        let plain = Facts {
            host: "hosted",
            realm: (Registry, "/token"),
            service: None,
            credential: ("acme", "password"),
            anonymous_pull: true,
            push: true,
            lifetime: 300,
        };
        match self {
            Self::Alibaba => Facts {
                host: "alibaba",
                realm: (OwnHost, "/auth"),
                service: Some("registry.aliyuncs.com:cn-shanghai:26842"),
                ..plain
            },
            Self::Chainguard => {
                Facts { host: "chainguard", credential: ("_token", "a pull token"), push: false, ..plain }
            }
            Self::Dhi => Facts {
                host: "dhi",
                service: Some("registry.docker.io"),
                credential: ("alice", "alices password"),
                anonymous_pull: false,
                push: false,
                ..plain
            },
            Self::DigitalOcean => Facts {
                host: "digitalocean",
                realm: (OwnHost, "/v2/registry/auth"),
                service: Some("registry.digitalocean.com"),
                credential: ("dop_v1_token", "dop_v1_token"),
                anonymous_pull: false,
                ..plain
            },
            Self::Elastic => Facts {
                host: "elastic",
                realm: (OwnHost, "/auth"),
                service: Some("token-service"),
                push: false,
                ..plain
            },
            Self::Huawei => Facts {
                host: "huawei",
                realm: (Registry, "/swr/auth/v2/registry/auth/"),
                service: Some("dockyard"),
                credential: ("cn-north-4@AK", "a computed key"),
                lifetime: 900,
                ..plain
            },
            Self::Ibm => Facts {
                host: "ibm",
                realm: (Registry, "/oauth/token"),
                service: Some("registry"),
                credential: ("iamapikey", "an API key"),
                ..plain
            },
            Self::Oracle => Facts {
                host: "oracle",
                realm: (Registry, "/20180419/docker/token"),
                credential: ("acme/ci", "an auth token"),
                lifetime: 3600,
                ..plain
            },
            Self::RedHat => Facts {
                host: "redhat",
                realm: (Registry, "/auth/realms/rhcc/protocol/redhat-docker-v2/auth"),
                service: Some("docker-registry"),
                credential: ("1234567|robot", "a token"),
                anonymous_pull: false,
                push: false,
                ..plain
            },
            Self::Scaleway => Facts {
                host: "scaleway",
                realm: (OwnHost, "/registry-internal/v1/regions/fr-par/tokens"),
                service: Some("registry"),
                credential: ("nologin", "a secret key"),
                ..plain
            },
        }
    }
}

impl Preset {
    pub fn hosted(registry: Hosted) -> Self {
        let Facts { host, realm: (token_host, path), service, credential, anonymous_pull, push, lifetime } =
            registry.facts();
        let mut preset = Self::plain(&format!("{host}.test"));
        preset.policy = Policy::Users;
        preset.access.reject = Arc::new(move |denial| reject(denial, registry));
        preset.tokens.host = token_host;
        preset.tokens.path = path.into();
        preset.tokens.service = service.map(str::to_owned);
        preset.tokens.grant = Arc::new(move |request| grant(request, registry, anonymous_pull));
        preset.tokens.lifetime = Duration::from_secs(lifetime);
        preset.tokens.expires_in = i64::try_from(lifetime).ok();
        match registry {
            Hosted::DigitalOcean => preset.tokens.post_rejection = Some(Reply::new(405)),
            Hosted::Ibm => preset.tokens.post_rejection = Some(Reply::new(405).text("Method Not Allowed\n")),
            Hosted::Elastic => preset.tokens.reply_with_only("access_token"),
            Hosted::Chainguard => preset.tokens.reply_with_only("token"),
            _ => {}
        }
        preset.push.mounts.source = MountSource::Optional;
        let capabilities = Capabilities { credential: Some(credential), anonymous_pull, ..Capabilities::plain() };
        preset.capabilities = if push { capabilities } else { capabilities.read_only() };
        if !push {
            preset.early_reply = Arc::new(reject_writes);
        }
        preset
    }
}

fn reject(denial: &Denial<'_>, registry: Hosted) -> Reply {
    let (realm, service) = (&denial.realm, &denial.service);
    let challenge = match registry {
        Hosted::Ibm => {
            let scope = denial.scope().map(|scope| format!(", scope={scope}")).unwrap_or_default();
            format!("Bearer realm={realm}, service={service}{scope}")
        }
        Hosted::Huawei => {
            let name = denial.required.first().map(|scope| format!("repository:{}:", scope.name));
            denial.bearer_challenge_without_error(name.as_deref())
        }
        _ => denial.bearer_challenge(denial.scope().as_deref()),
    };
    // A token for one repository is a 403 at another, without a challenge.
    if registry == Hosted::Chainguard && denial.reason == DenialReason::InsufficientScope {
        return Reply::error(403, "DENIED", "Forbidden");
    }
    Reply::error(401, "UNAUTHORIZED", "authentication required").header("www-authenticate", challenge)
}

fn grant(request: &TokenRequest<'_>, registry: Hosted, anonymous_pull: bool) -> Result<Vec<Scope>, Reply> {
    let unauthorized = || Reply::error(401, "UNAUTHORIZED", "authentication required");
    if request.user.is_none() && !anonymous_pull {
        return Err(unauthorized());
    }
    let names: Vec<Scope> = request.scopes.iter().filter_map(|scope| Scope::parse(scope)).collect();
    let is_known = |scope: &Scope| {
        let namespace = scope.name.split('/').next().unwrap_or_default();
        scope.kind != "repository"
            || request.registry.store().names().iter().any(|name| name.split('/').next() == Some(namespace))
    };
    match registry {
        Hosted::DigitalOcean if !names.iter().all(is_known) => {
            Err(Reply::new(400).json(r#"{"id":"bad_request","message":"invalid registry name"}"#))
        }
        Hosted::Scaleway if !names.iter().all(is_known) => {
            Err(Reply::new(404)
                .json(r#"{"message":"resource is not found","resource":"namespace","type":"not_found"}"#))
        }
        Hosted::Huawei if query::value(&request.entry.query, "scope").is_none() => Err(unauthorized()),
        // All of one scope, or nothing.
        Hosted::Chainguard if names.len() > 1 || names != request.permitted_scopes() => {
            Err(Reply::error(403, "DENIED", "Forbidden"))
        }
        _ => Ok(request.permitted_scopes()),
    }
}
