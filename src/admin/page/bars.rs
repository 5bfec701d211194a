//! Bars, drawn as SVG: lengths are attributes there, which the page's policy allows where it forbids inline styles.

use maud::{Markup, html};

use super::super::status::Request;
use super::words::took;

/// Where the time of a request went. Its length grows with the logarithm of the time, against `longest`, so that
/// milliseconds and minutes can be told apart in one list; within it the parts are as they were.
pub(super) fn times(request: &Request, longest: f64) -> Markup {
    let whole = request.auth_ms + request.upstream_ms + request.transfer_ms;
    let length = (100.0 * request.total_ms.ln_1p() / longest.ln_1p().max(1.0)).clamp(2.0, 100.0);
    let parts = [("auth", request.auth_ms), ("upstream", request.upstream_ms), ("transfer", request.transfer_ms)];
    let words = format!(
        "authorization {}, registry {}, transfer {}",
        took(request.auth_ms),
        took(request.upstream_ms),
        took(request.transfer_ms)
    );
    let mut from = 0.0;
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(words) {
            title { (words) }
            @if whole > 0.0 {
                @for (class, part) in parts {
                    @let width = length * part / whole;
                    @if width > 0.0 {
                        rect class=(class) x=(format!("{from:.2}")) width=(format!("{width:.2}")) height="6" {}
                    }
                    @let () = from += width;
                }
            }
        }
    }
}

/// How much is left of something.
pub(super) fn left(of: u64, left: u64, words: &str) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "a bar of a hundred steps")]
    let share = if of == 0 { 0.0 } else { (100.0 * left as f64 / of as f64).min(100.0) };
    let class = match share {
        share if share < 10.0 => "out",
        share if share < 30.0 => "low",
        _ => "enough",
    };
    html! {
        svg.bar.budget viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(words) {
            rect.empty width="100" height="6" {}
            rect class=(class) width=(format!("{share:.2}")) height="6" {}
        }
    }
}
