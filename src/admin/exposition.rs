//! The two ways to write metrics down: `OpenMetrics`, and Prometheus's own older text for whoever does not ask for it.

use std::collections::BTreeMap;

use http::HeaderMap;

use super::accepts;

/// The content type and the text that a scraper understands, from a text in `OpenMetrics`.
pub(super) fn of(open_metrics: String, headers: &HeaderMap) -> (&'static str, String) {
    if accepts(headers, "application/openmetrics-text") {
        return (OPEN_METRICS, open_metrics);
    }
    (PLAIN, plain(&open_metrics))
}

/// Counters and infos are named as their samples are, units are part of the name, and the end is not written.
fn plain(open_metrics: &str) -> String {
    let types = open_metrics.lines().filter_map(|line| line.strip_prefix("# TYPE ")?.split_once(' '));
    let types: BTreeMap<&str, &str> = types.collect();
    let mut text = String::with_capacity(open_metrics.len());
    for line in open_metrics.lines() {
        let Some(comment) = line.strip_prefix("# ") else {
            text.extend([line, "\n"]);
            continue;
        };
        let mut words = comment.splitn(3, ' ');
        let (Some(word @ ("HELP" | "TYPE")), Some(name), Some(rest)) = (words.next(), words.next(), words.next())
        else {
            continue;
        };
        let (suffix, kind) = match types.get(name) {
            Some(&"counter") => ("_total", "counter"),
            Some(&"info") => ("_info", "gauge"),
            _ => ("", rest),
        };
        text.extend(["# ", word, " ", name, suffix, " ", if word == "TYPE" { kind } else { rest }, "\n"]);
    }
    text
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
const PLAIN: &str = "text/plain; version=0.0.4; charset=utf-8";

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;

    use super::*;

    #[test]
    fn who_does_not_ask_for_open_metrics_gets_what_came_before_it() {
        let text = "# HELP a_b What a b is.\n# TYPE a_b counter\na_b_total{x=\"# y\"} 1\n# HELP c C.\n# TYPE c info\nc_info{v=\"1\"} 1\n\
                    # HELP d_seconds D.\n# TYPE d_seconds gauge\n# UNIT d_seconds seconds\nd_seconds 2.5\n# EOF\n";
        let expected = "# HELP a_b_total What a b is.\n# TYPE a_b_total counter\na_b_total{x=\"# y\"} 1\n# HELP c_info C.\n\
                        # TYPE c_info gauge\nc_info{v=\"1\"} 1\n# HELP d_seconds D.\n# TYPE d_seconds gauge\nd_seconds 2.5\n";
        for (accept, kind, told) in [
            (None, PLAIN, expected),
            (Some("*/*"), PLAIN, expected),
            (Some("text/plain;version=0.0.4;q=0.5,*/*;q=0.1"), PLAIN, expected),
            (Some("application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5"), OPEN_METRICS, text),
        ] {
            let headers = accept.map(|accept| (ACCEPT, http::HeaderValue::from_static(accept)));
            assert_eq!(of(text.to_owned(), &headers.into_iter().collect()), (kind, told.to_owned()), "{accept:?}");
        }
    }
}
