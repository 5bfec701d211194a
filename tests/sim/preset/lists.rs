//! How a registry replies to requests for lists: pages, links to the next page, and referrers.

use super::super::reply::Reply;
use super::RequestHook;

/// How a registry lists tags, repositories and referrers.
#[derive(Clone)]
pub struct ListRules {
    pub tags: Paging,
    /// The reply to a list of tags of an unknown repository.
    pub unknown_repository: RequestHook<Reply>,
    /// JSON members after `tags`, each with a leading comma.
    pub extra_tag_members: Option<RequestHook<String>>,
    /// The pages of the catalog; `None` if the registry has no catalog.
    pub catalog: Option<Paging>,
    pub referrers: Referrers,
}

/// How a list is cut into pages.
#[derive(Clone, Copy, Debug)]
pub struct Paging {
    /// The page length without `n`; `None` for one page with all items.
    pub default_n: Option<usize>,
    /// The largest `n`; `None` for no limit.
    pub max_n: Option<usize>,
    pub n_too_large: NTooLarge,
    /// The page length for an `n` that is not a number; `Err` is the reply if it is rejected.
    pub n_malformed: fn(&str) -> Result<usize, Reply>,
    /// The reply to a `last` that is not in the list; `None` if it is accepted.
    pub unknown_last: Option<fn() -> Reply>,
    /// In alphabetical order; otherwise oldest first.
    pub sorted: bool,
    pub link: LinkForm,
    /// Sent in chunks, without Content-Length.
    pub chunked: bool,
}

/// What happens with an `n` above the maximum.
#[derive(Clone, Copy, Debug)]
pub enum NTooLarge {
    Rejected(fn(&str) -> Reply),
    /// The maximum is used instead, and 1 instead of 0.
    Clamped,
}

/// How the link to the next page is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkForm {
    /// There is no link, although there are more items.
    None,
    /// `</v2/NAME/tags/list?last=…&n=…>`, with the real page length
    Relative,
    /// As `Relative`, with the `n` of the request, or `n=0` if it had none
    RequestedN,
    /// `</v2/NAME/tags/list?n=…&last=…>`
    NFirst,
    /// `</v2/NAME/tags/list?last=…&n=…&orderby=>`
    OrderBy,
    /// As `Relative`, without the first component of the repository's name
    WithoutFirstComponent,
    /// `<http://host/v2/_catalog?n=…&next_page=…>`, with a cursor that clients cannot interpret
    OpaqueCursor,
}

/// The reply to the referrers API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrers {
    /// 404.
    Missing,
    Index,
    /// GHCR's redirect to an HTML page on github.com.
    GitHubPage,
}
