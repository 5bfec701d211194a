//! The API endpoints that issue passwords for an ECR registry, derived from the registry's host name.

use crate::base::host::RegistryHost;
use crate::config::cloud::is_aws_region;

/// The ECR or ECR Public API of one region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct EcrEndpoint {
    pub(super) kind: Kind,
    pub(super) region: Box<str>,
    is_fips: bool,
    is_dual_stack: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in super::super) enum Kind {
    Private,
    Public,
}

impl EcrEndpoint {
    /// The endpoint for a registry with one of AWS's own names: `ACCOUNT.dkr.ecr.REGION.SUFFIX` or
    /// `ACCOUNT.dkr-ecr.REGION.on.aws`, each also with `-fips` (awslabs/amazon-ecr-credential-helper,
    /// `ecr-login/api/client.go`), or one of ECR Public's two names.
    pub(super) fn of_registry(registry: &RegistryHost) -> Option<Self> {
        let public = |is_dual_stack| Self { is_dual_stack, ..Self::public() };
        let labels: Vec<&str> = registry.as_str().split('.').collect();
        let (is_fips, is_dual_stack, region, suffix) = match labels.as_slice() {
            ["public", "ecr", "aws"] => return Some(public(false)),
            ["ecr-public", "aws", "com"] => return Some(public(true)),
            [_, "dkr", "ecr", region, suffix @ ..] => (false, false, region, suffix),
            [_, "dkr", "ecr-fips", region, suffix @ ..] => (true, false, region, suffix),
            [_, "dkr-ecr", region, suffix @ ..] => (false, true, region, suffix),
            [_, "dkr-ecr-fips", region, suffix @ ..] => (true, true, region, suffix),
            _ => return None,
        };
        let is_account = labels[0].len() == 12 && labels[0].bytes().all(|digit| digit.is_ascii_digit());
        let suffix = suffix.join(".");
        let is_known = if is_dual_stack {
            DUAL_STACK_SUFFIXES.contains(&&*suffix)
        } else {
            PARTITIONS.iter().any(|partition| partition.suffix == suffix)
        };
        let endpoint = Self { is_fips, is_dual_stack, ..Self::private(region) };
        (is_account && is_known && is_aws_region(region)).then_some(endpoint)
    }

    /// ECR Public in its only region.
    pub(super) fn public() -> Self {
        Self { kind: Kind::Public, ..Self::private(PUBLIC_REGION) }
    }

    /// Private ECR in this region.
    pub(super) fn private(region: &str) -> Self {
        Self { kind: Kind::Private, region: region.into(), is_fips: false, is_dual_stack: false }
    }

    /// Changes the region of a private registry to `region`, if there is one. ECR Public has only one region.
    pub(super) fn with_region(self, region: Option<&str>) -> Self {
        match (self.kind, region) {
            (Kind::Private, Some(region)) => Self { region: region.into(), ..self },
            _ => self,
        }
    }

    /// The service's name in signatures.
    pub(super) fn service_name(&self) -> &'static str {
        match self.kind {
            Kind::Private => "ecr",
            Kind::Public => "ecr-public",
        }
    }

    /// The host of the ECR API (endpoint rules of AWS's SDKs).
    pub(super) fn api_host(&self) -> String {
        let Self { region, is_fips, is_dual_stack, .. } = self;
        let Partition { suffix, dual_stack, .. } = self.partition();
        match (self.kind, is_fips, is_dual_stack) {
            (Kind::Public, _, false) => format!("api.ecr-public.{region}.{suffix}"),
            (Kind::Public, _, true) => format!("ecr-public.{region}.{dual_stack}"),
            (Kind::Private, false, false) => format!("api.ecr.{region}.{suffix}"),
            (Kind::Private, true, false) => format!("ecr-fips.{region}.{suffix}"),
            (Kind::Private, false, true) => format!("ecr.{region}.{dual_stack}"),
            (Kind::Private, true, true) => format!("ecr-fips.{region}.{dual_stack}"),
        }
    }

    /// The host of STS in the same region, where roles are assumed.
    pub(super) fn sts_host(&self) -> String {
        format!("sts.{}.{}", self.region, self.partition().suffix)
    }

    fn partition(&self) -> &'static Partition {
        let is_in = |partition: &&Partition| self.region.starts_with(partition.region_prefix);
        PARTITIONS.iter().find(is_in).unwrap_or(&PARTITIONS[PARTITIONS.len() - 1])
    }
}

/// A group of regions with host names of their own.
#[derive(Debug)]
struct Partition {
    /// The prefix of the names of the group's regions.
    region_prefix: &'static str,
    /// The suffix of the group's host names.
    suffix: &'static str,
    /// The suffix of the group's dual-stack API hosts.
    dual_stack: &'static str,
}

/// From `partitions.json` of AWS's SDKs. The last one is for every other region.
const PARTITIONS: [Partition; 7] = [
    Partition { region_prefix: "cn-", suffix: "amazonaws.com.cn", dual_stack: "api.amazonwebservices.com.cn" },
    Partition { region_prefix: "eusc-", suffix: "amazonaws.eu", dual_stack: "api.amazonwebservices.eu" },
    Partition { region_prefix: "us-iso-", suffix: "c2s.ic.gov", dual_stack: "api.aws.ic.gov" },
    Partition { region_prefix: "us-isob-", suffix: "sc2s.sgov.gov", dual_stack: "api.aws.scloud" },
    Partition { region_prefix: "eu-isoe-", suffix: "cloud.adc-e.uk", dual_stack: "api.cloud-aws.adc-e.uk" },
    Partition { region_prefix: "us-isof-", suffix: "csp.hci.ic.gov", dual_stack: "api.aws.hci.ic.gov" },
    Partition { region_prefix: "", suffix: "amazonaws.com", dual_stack: "api.aws" },
];

/// The suffixes of dual-stack registries' names.
const DUAL_STACK_SUFFIXES: [&str; 2] = ["on.aws", "on.amazonwebservices.com.cn"];

const PUBLIC_REGION: &str = "us-east-1";

#[cfg(test)]
mod tests {
    use super::*;

    fn endpoint_of(registry: &str) -> Option<EcrEndpoint> {
        EcrEndpoint::of_registry(&RegistryHost::parse(registry).unwrap())
    }

    fn assert_hosts(registry: &str, api: &str, sts: &str) {
        let endpoint = endpoint_of(registry).unwrap_or_else(|| panic!("{registry}"));
        assert_eq!((&*endpoint.api_host(), &*endpoint.sts_host()), (api, sts), "{registry}");
    }

    #[test]
    fn registry_names_determine_the_api_and_sts_hosts() {
        for suffix in [
            "eu-west-2.amazonaws.com",
            "cn-north-1.amazonaws.com.cn",
            "eusc-de-east-1.amazonaws.eu",
            "us-iso-east-1.c2s.ic.gov",
            "us-isob-east-1.sc2s.sgov.gov",
            "eu-isoe-west-1.cloud.adc-e.uk",
            "us-isof-south-1.csp.hci.ic.gov",
        ] {
            let registry = format!("123456789012.dkr.ecr.{suffix}");
            assert_hosts(&registry, &format!("api.ecr.{suffix}"), &format!("sts.{suffix}"));
        }
        for (registry, api, sts) in [
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                "ecr-fips.us-gov-west-1.amazonaws.com",
                "sts.us-gov-west-1.amazonaws.com",
            ),
            ("123456789012.dkr-ecr.us-west-2.on.aws", "ecr.us-west-2.api.aws", "sts.us-west-2.amazonaws.com"),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "ecr-fips.us-east-1.api.aws", "sts.us-east-1.amazonaws.com"),
            (
                "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
                "ecr.cn-north-1.api.amazonwebservices.com.cn",
                "sts.cn-north-1.amazonaws.com.cn",
            ),
            ("public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com"),
            ("ecr-public.aws.com", "ecr-public.us-east-1.api.aws", "sts.us-east-1.amazonaws.com"),
        ] {
            assert_hosts(registry, api, sts);
        }
    }

    #[test]
    fn other_names_have_no_endpoint() {
        for registry in [
            "registry.example",
            "12345678901.dkr.ecr.eu-west-2.amazonaws.com",
            "12345678901x.dkr.ecr.eu-west-2.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-2.amazonaws.com.evil.example",
            "123456789012.dkr.ecr.eu-west-2.evil.example",
            "123456789012.dkr.ecr.-eu.amazonaws.com",
            "123456789012.dkr.ecr.amazonaws.com",
            "123456789012.dkr.ecr.eu-west-2.amazonaws.com:8443",
            "123456789012.dkr-ecr.eu-west-2.amazonaws.com",
        ] {
            assert_eq!(endpoint_of(registry), None, "{registry}");
        }
    }

    #[test]
    fn a_region_can_be_set_for_private_registries_only() {
        let moved = |registry: &str| endpoint_of(registry).unwrap().with_region(Some("us-west-2")).api_host();
        assert_eq!(moved("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com"), "ecr-fips.us-west-2.amazonaws.com");
        assert_eq!(moved("public.ecr.aws"), "api.ecr-public.us-east-1.amazonaws.com");
        assert_eq!(EcrEndpoint::private("cn-north-1").api_host(), "api.ecr.cn-north-1.amazonaws.com.cn");
        for bad in ["", "eu", "eu-west-2.evil.example", "EU-WEST-2", "a/b", "-eu-west", "eu-west-"] {
            assert!(!is_aws_region(bad), "{bad}");
        }
    }
}
