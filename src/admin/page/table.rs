//! The head of a table on the status page.

use maud::{Markup, html};

/// The head row of a table; `columns` has the class (empty for none) and the title of each column.
pub(super) fn head(columns: &[(&str, &str)]) -> Markup {
    html! {
        thead { tr {
            @for (class, title) in columns {
                th class=[(!class.is_empty()).then_some(class)] scope="col" { (title) }
            }
        } }
    }
}
