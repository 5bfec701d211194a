//! Bars, drawn as SVG: their lengths are attributes, because the page's Content-Security-Policy forbids inline styles.

use maud::{Markup, html};

use super::super::status::Request;
use super::format::duration;

/// A bar for the duration of a request, divided into authorization, registry and transfer. Its length is logarithmic,
/// relative to `longest` (ms), so that milliseconds and minutes are distinguishable in one list; the division is
/// linear.
pub(super) fn times(request: &Request, longest: f64) -> Markup {
    let whole = request.auth_ms + request.upstream_ms + request.transfer_ms;
    let length = (100.0 * request.total_ms.ln_1p() / longest.ln_1p().max(1.0)).clamp(2.0, 100.0);
    let parts = [("auth", request.auth_ms), ("upstream", request.upstream_ms), ("transfer", request.transfer_ms)];
    let label = format!(
        "authorization {}, registry {}, transfer {}",
        duration(request.auth_ms),
        duration(request.upstream_ms),
        duration(request.transfer_ms)
    );
    let mut start = 0.0;
    html! {
        svg.bar viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(label) {
            title { (label) }
            @if whole > 0.0 {
                @for (class, part) in parts {
                    @let width = length * part / whole;
                    @if width > 0.0 {
                        rect class=(class) x=(format!("{start:.2}")) width=(format!("{width:.2}")) height="6" {}
                    }
                    @let () = start += width;
                }
            }
        }
    }
}

/// A bar for the share of a rate limit that remains; its class marks less than 10 % and less than 30 %.
pub(super) fn remaining(remaining: u64, limit: u64, label: &str) -> Markup {
    #[expect(clippy::cast_precision_loss, reason = "the bar has only a hundred steps")]
    let share = if limit == 0 { 0.0 } else { (100.0 * remaining as f64 / limit as f64).min(100.0) };
    let class = match share {
        share if share < 10.0 => "out",
        share if share < 30.0 => "low",
        _ => "enough",
    };
    html! {
        svg.bar.budget viewBox="0 0 100 6" preserveAspectRatio="none" role="img" aria-label=(label) {
            rect.empty width="100" height="6" {}
            rect class=(class) width=(format!("{share:.2}")) height="6" {}
        }
    }
}
