//! How registries list: pages, links and referrers.

use super::super::reply::Reply;
use super::AskHook;

#[derive(Clone)]
pub struct Lists {
    pub tags: Paging,
    /// The tags of a repository that is not there.
    pub unknown: AskHook<Reply>,
    /// Members behind `tags`, each with a comma in front.
    pub tags_more: Option<AskHook<String>>,
    pub catalog: Option<Paging>,
    pub referrers: Referrers,
}

#[derive(Clone, Copy, Debug)]
pub struct Paging {
    /// Page length when `n` is missing; `None`: all.
    pub default: Option<usize>,
    /// The greatest `n`.
    pub most: Option<usize>,
    pub too_many: TooMany,
    /// What an `n` is that is no number.
    pub malformed: fn(&str) -> Result<usize, Reply>,
    /// The answer to a `last` that is not in the list.
    pub unknown_last: Option<fn() -> Reply>,
    /// Else oldest first.
    pub sorted: bool,
    pub link: LinkForm,
    pub chunked: bool,
}

/// What an `n` beyond the greatest gets.
#[derive(Clone, Copy, Debug)]
pub enum TooMany {
    Refused(fn(&str) -> Reply),
    /// As many as there may be, one at least.
    Clamped,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinkForm {
    None,
    /// `</v2/NAME/tags/list?last=…&n=…>`, with the real page length
    Relative,
    /// The same with the `n` of the request, `n=0` when it had none.
    EchoesN,
    /// `</v2/NAME/tags/list?n=…&last=…>`
    LeadsWithN,
    /// `</v2/NAME/tags/list?last=…&n=…&orderby=>`
    OrderBy,
    /// As `Relative`, without the first part of the repository's name
    Unprefixed,
    /// `<http://host/v2/_catalog?n=…&next_page=…>`, with a cursor that only the registry reads
    Sealed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Referrers {
    Missing,
    Index,
    /// A redirect to an HTML page.
    GitHubPage,
}
