//! Alibaba Cloud Container Registry.

use super::GENERIC;
use crate::profile::{Evidence, Profile};

pub(super) const ALIBABA: Profile = Profile {
    name: "alibaba",
    hosts: &[
        "registry.aliyuncs.com",
        "registry.cn-hangzhou.aliyuncs.com",
        "registry.cn-shanghai.aliyuncs.com",
        "registry.cn-beijing.aliyuncs.com",
        "registry.cn-shenzhen.aliyuncs.com",
    ],
    host_patterns: &[
        "registry.*.aliyuncs.com",
        "registry-intl.*.aliyuncs.com",
        "registry-vpc.*.aliyuncs.com",
        "*.*.cr.aliyuncs.com",
        "*.*.personal.cr.aliyuncs.com",
    ],
    // A pattern would be unsafe: the customers' buckets have names under the same domain.
    realm_hosts: &["dockerauth.cn-hangzhou.aliyuncs.com"],
    evidence: &[Evidence {
        what: "the realm is dockerauth.cn-hangzhou.aliyuncs.com/auth, also for other regions; the service is registry.aliyuncs.com:REGION:26842",
        source: "replies quoted in public threads",
        date: "2026",
    }],
    ..GENERIC
};
