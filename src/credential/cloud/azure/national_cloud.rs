//! Azure's national clouds: the directory and the token audience that belong to a registry.

use crate::base::host::RegistryHost;
use crate::base::origin::Origin;

/// One national cloud.
#[derive(Debug)]
pub(super) struct NationalCloud {
    /// The suffix of the cloud's registry host names.
    registry_suffix: &'static str,
    /// The URL of the cloud's directory, which `AZURE_AUTHORITY_HOST` overrides.
    pub(super) authority: &'static str,
    /// The audience of a directory token for the cloud's registries.
    pub(super) audience: &'static str,
}

impl NationalCloud {
    /// The cloud of a registry by its name or its origin; the public cloud if neither has a known suffix.
    pub(super) fn of(registry: &RegistryHost, origin: &Origin) -> &'static Self {
        let is_in =
            |cloud: &&Self| [registry.as_str(), &origin.host].iter().any(|host| host.ends_with(cloud.registry_suffix));
        ALL.iter().find(is_in).unwrap_or(&ALL[0])
    }
}

/// From fluxcd/pkg, auth/azure, and clowdhaus/ocync, auth/acr.rs. The first is the public cloud.
const ALL: &[NationalCloud] = &[
    NationalCloud {
        registry_suffix: ".azurecr.io",
        authority: "https://login.microsoftonline.com",
        audience: "https://containerregistry.azure.net",
    },
    NationalCloud {
        registry_suffix: ".azurecr.cn",
        authority: "https://login.chinacloudapi.cn",
        audience: "https://containerregistry.azure.cn",
    },
    NationalCloud {
        registry_suffix: ".azurecr.us",
        authority: "https://login.microsoftonline.us",
        audience: "https://containerregistry.azure.us",
    },
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_host_name_determines_the_national_cloud() {
        let public = [
            ("team.azurecr.io", "team.azurecr.io"),
            ("team-f3c8a2b1d4e6f7a9.azurecr.io", "team-f3c8a2b1d4e6f7a9.azurecr.io"),
            ("team.westeurope.geo.azurecr.io", "team.westeurope.geo.azurecr.io"),
            ("images.corp", "images.corp"),
            ("azurecr.us.corp", "evilazurecr.us"),
        ];
        let china = [("team.azurecr.cn", "team.azurecr.cn")];
        let government = [("team.azurecr.us", "10.0.0.7"), ("images.corp", "team.azurecr.us")];
        for (audience, registries) in [
            ("https://containerregistry.azure.net", &public[..]),
            ("https://containerregistry.azure.cn", &china),
            ("https://containerregistry.azure.us", &government),
        ] {
            for (registry, origin) in registries {
                let origin = Origin::https(origin).unwrap();
                let cloud = NationalCloud::of(&RegistryHost::parse(registry).unwrap(), &origin);
                assert_eq!(cloud.audience, audience, "{registry} at {origin}");
            }
        }
    }
}
