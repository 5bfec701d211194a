//! Long lists: the newest entries are shown, the older ones collapsed.

use maud::{Markup, html};

/// Renders the first `shown` entries of `all` with `list`, and the others, also with `list`, inside a closed
/// `<details>` element whose id is `id`.
pub(super) fn collapsible<T>(id: &str, all: &[T], shown: usize, list: impl Fn(&[T]) -> Markup) -> Markup {
    let (first, older) = all.split_at(all.len().min(shown));
    html! {
        (list(first))
        @if !older.is_empty() {
            details.older id=(id) {
                summary { (older.len()) " older" }
                (list(older))
            }
        }
    }
}
