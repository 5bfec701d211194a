//! Where a registry's login comes from: what its name tells, and the endpoints that follow from it.

use crate::base::host::RegistryHost;
use crate::config::cloud::is_aws_region;

/// A service that gives out the passwords of registries, in one region.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(in super::super) struct Place {
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

impl Place {
    /// What a registry's own name tells: `ACCOUNT.dkr.ecr.REGION.SUFFIX`, `ACCOUNT.dkr-ecr.REGION.on.aws`, each with
    /// `-fips` or without (awslabs/amazon-ecr-credential-helper, `ecr-login/api/client.go`), and ECR Public's two.
    pub(super) fn named_by(registry: &RegistryHost) -> Option<Self> {
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
            DUAL_STACK.contains(&&*suffix)
        } else {
            PARTITIONS.iter().any(|partition| partition.suffix == suffix)
        };
        let place = Self { is_fips, is_dual_stack, ..Self::private(region) };
        (is_account && is_known && is_aws_region(region)).then_some(place)
    }

    pub(super) fn public() -> Self {
        Self { kind: Kind::Public, ..Self::private(PUBLIC_REGION) }
    }

    /// A region that somebody named.
    pub(super) fn private(region: &str) -> Self {
        Self { kind: Kind::Private, region: region.into(), is_fips: false, is_dual_stack: false }
    }

    /// The same with another region; ECR Public has one only.
    pub(super) fn with_region(self, region: Option<&str>) -> Self {
        match (self.kind, region) {
            (Kind::Private, Some(region)) => Self { region: region.into(), ..self },
            _ => self,
        }
    }

    /// The name the service goes by in signatures.
    pub(super) fn service(&self) -> &'static str {
        match self.kind {
            Kind::Private => "ecr",
            Kind::Public => "ecr-public",
        }
    }

    /// The host of its API (rules of the vendor's SDKs for endpoints).
    pub(super) fn api(&self) -> String {
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

    /// The host where roles are assumed.
    pub(super) fn sts(&self) -> String {
        format!("sts.{}.{}", self.region, self.partition().suffix)
    }

    fn partition(&self) -> &'static Partition {
        let is_in = |partition: &&Partition| self.region.starts_with(partition.regions);
        PARTITIONS.iter().find(is_in).unwrap_or(&PARTITIONS[PARTITIONS.len() - 1])
    }
}

#[derive(Debug)]
struct Partition {
    /// How the names of its regions begin.
    regions: &'static str,
    suffix: &'static str,
    dual_stack: &'static str,
}

/// The last one is for every other region (`partitions.json` of the vendor's SDKs).
const PARTITIONS: [Partition; 7] = [
    Partition { regions: "cn-", suffix: "amazonaws.com.cn", dual_stack: "api.amazonwebservices.com.cn" },
    Partition { regions: "eusc-", suffix: "amazonaws.eu", dual_stack: "api.amazonwebservices.eu" },
    Partition { regions: "us-iso-", suffix: "c2s.ic.gov", dual_stack: "api.aws.ic.gov" },
    Partition { regions: "us-isob-", suffix: "sc2s.sgov.gov", dual_stack: "api.aws.scloud" },
    Partition { regions: "eu-isoe-", suffix: "cloud.adc-e.uk", dual_stack: "api.cloud-aws.adc-e.uk" },
    Partition { regions: "us-isof-", suffix: "csp.hci.ic.gov", dual_stack: "api.aws.hci.ic.gov" },
    Partition { regions: "", suffix: "amazonaws.com", dual_stack: "api.aws" },
];

/// What the names of dual-stack registries end with.
const DUAL_STACK: [&str; 2] = ["on.aws", "on.amazonwebservices.com.cn"];

const PUBLIC_REGION: &str = "us-east-1";

#[cfg(test)]
mod tests {
    use super::*;

    fn named(registry: &str) -> Option<Place> {
        Place::named_by(&RegistryHost::parse(registry).unwrap())
    }

    #[test]
    fn names_of_registries_tell_where_their_logins_come_from() {
        for (registry, api, sts) in [
            (
                "123456789012.dkr.ecr.eu-west-2.amazonaws.com",
                "api.ecr.eu-west-2.amazonaws.com",
                "sts.eu-west-2.amazonaws.com",
            ),
            (
                "123456789012.dkr.ecr-fips.us-gov-west-1.amazonaws.com",
                "ecr-fips.us-gov-west-1.amazonaws.com",
                "sts.us-gov-west-1.amazonaws.com",
            ),
            ("123456789012.dkr-ecr.us-west-2.on.aws", "ecr.us-west-2.api.aws", "sts.us-west-2.amazonaws.com"),
            ("123456789012.dkr-ecr-fips.us-east-1.on.aws", "ecr-fips.us-east-1.api.aws", "sts.us-east-1.amazonaws.com"),
            (
                "123456789012.dkr.ecr.cn-north-1.amazonaws.com.cn",
                "api.ecr.cn-north-1.amazonaws.com.cn",
                "sts.cn-north-1.amazonaws.com.cn",
            ),
            (
                "123456789012.dkr-ecr.cn-north-1.on.amazonwebservices.com.cn",
                "ecr.cn-north-1.api.amazonwebservices.com.cn",
                "sts.cn-north-1.amazonaws.com.cn",
            ),
            (
                "123456789012.dkr.ecr.eusc-de-east-1.amazonaws.eu",
                "api.ecr.eusc-de-east-1.amazonaws.eu",
                "sts.eusc-de-east-1.amazonaws.eu",
            ),
            (
                "123456789012.dkr.ecr.us-iso-east-1.c2s.ic.gov",
                "api.ecr.us-iso-east-1.c2s.ic.gov",
                "sts.us-iso-east-1.c2s.ic.gov",
            ),
            (
                "123456789012.dkr.ecr.us-isob-east-1.sc2s.sgov.gov",
                "api.ecr.us-isob-east-1.sc2s.sgov.gov",
                "sts.us-isob-east-1.sc2s.sgov.gov",
            ),
            (
                "123456789012.dkr.ecr.eu-isoe-west-1.cloud.adc-e.uk",
                "api.ecr.eu-isoe-west-1.cloud.adc-e.uk",
                "sts.eu-isoe-west-1.cloud.adc-e.uk",
            ),
            (
                "123456789012.dkr.ecr.us-isof-south-1.csp.hci.ic.gov",
                "api.ecr.us-isof-south-1.csp.hci.ic.gov",
                "sts.us-isof-south-1.csp.hci.ic.gov",
            ),
            ("public.ecr.aws", "api.ecr-public.us-east-1.amazonaws.com", "sts.us-east-1.amazonaws.com"),
            ("ecr-public.aws.com", "ecr-public.us-east-1.api.aws", "sts.us-east-1.amazonaws.com"),
        ] {
            let place = named(registry).unwrap_or_else(|| panic!("{registry}"));
            assert_eq!((&*place.api(), &*place.sts()), (api, sts), "{registry}");
        }
    }

    #[test]
    fn other_names_tell_nothing() {
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
            assert_eq!(named(registry), None, "{registry}");
        }
    }

    #[test]
    fn a_region_may_be_set_for_private_registries_only() {
        let moved = |registry: &str| named(registry).unwrap().with_region(Some("us-west-2")).api();
        assert_eq!(moved("123456789012.dkr.ecr-fips.us-east-1.amazonaws.com"), "ecr-fips.us-west-2.amazonaws.com");
        assert_eq!(moved("public.ecr.aws"), "api.ecr-public.us-east-1.amazonaws.com");
        assert_eq!(Place::private("cn-north-1").api(), "api.ecr.cn-north-1.amazonaws.com.cn");
        for bad in ["", "eu", "eu-west-2.evil.example", "EU-WEST-2", "a/b", "-eu-west", "eu-west-"] {
            assert!(!is_aws_region(bad), "{bad}");
        }
    }
}
