//! Azure's clouds, one for each jurisdiction: whom to ask for a token, and what for.

use crate::base::host::RegistryHost;
use crate::base::origin::Origin;

#[derive(Debug)]
pub(super) struct National {
    /// What the hosts of its registries end with.
    registries: &'static str,
    /// Where its directory is, when the surroundings do not say.
    pub(super) authority: &'static str,
    /// What a token has to be for.
    pub(super) audience: &'static str,
}

impl National {
    /// The registry's, by its name or by where it is; Azure's public cloud where neither tells.
    pub(super) fn of(registry: &RegistryHost, origin: &Origin) -> &'static Self {
        let is_at =
            |cloud: &&Self| [registry.as_str(), &origin.host].iter().any(|host| host.ends_with(cloud.registries));
        ALL.iter().find(is_at).unwrap_or(&ALL[0])
    }
}

/// fluxcd/pkg auth/azure, clowdhaus/ocync auth/acr.rs.
const ALL: &[National] = &[
    National {
        registries: ".azurecr.io",
        authority: "https://login.microsoftonline.com",
        audience: "https://containerregistry.azure.net",
    },
    National {
        registries: ".azurecr.cn",
        authority: "https://login.chinacloudapi.cn",
        audience: "https://containerregistry.azure.cn",
    },
    National {
        registries: ".azurecr.us",
        authority: "https://login.microsoftonline.us",
        audience: "https://containerregistry.azure.us",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_registry_s_host_tells_its_cloud() {
        for (registry, origin, audience) in [
            ("team.azurecr.io", "team.azurecr.io", "https://containerregistry.azure.net"),
            ("team.azurecr.cn", "team.azurecr.cn", "https://containerregistry.azure.cn"),
            ("team.azurecr.us", "10.0.0.7", "https://containerregistry.azure.us"),
            ("images.corp", "team.azurecr.us", "https://containerregistry.azure.us"),
            ("images.corp", "images.corp", "https://containerregistry.azure.net"),
            ("azurecr.us.corp", "evilazurecr.us", "https://containerregistry.azure.net"),
        ] {
            let origin = Origin::https(origin).unwrap();
            let national = National::of(&RegistryHost::parse(registry).unwrap(), &origin);
            assert_eq!(national.audience, audience, "{registry} at {origin}");
        }
    }
}
