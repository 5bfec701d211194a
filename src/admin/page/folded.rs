//! Long lists: the newest are shown, the rest is folded away.

use maud::{Markup, html};

/// `all`, as `list` writes down its parts; `id` is the fold's.
pub(super) fn folded<T>(id: &str, all: &[T], shown: usize, list: impl Fn(&[T]) -> Markup) -> Markup {
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
