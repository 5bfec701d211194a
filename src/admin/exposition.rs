//! The two text formats of `/metrics`: `OpenMetrics`, and the older Prometheus text format for scrapers that do not
//! accept `OpenMetrics`.

use std::collections::BTreeMap;

use http::HeaderMap;

use super::accepts;

/// Converts `OpenMetrics` text to the format that the `Accept` header asks for; returns the content type and the text.
pub(super) fn negotiate(open_metrics: String, headers: &HeaderMap) -> (&'static str, String) {
    if accepts(headers, "application/openmetrics-text") {
        return (OPEN_METRICS, open_metrics);
    }
    (PROMETHEUS, to_prometheus(&open_metrics))
}

/// Converts `OpenMetrics` to the Prometheus text format: `# HELP` and `# TYPE` name counters and infos with the suffix
/// of their samples (`_total`, `_info`), an info has the type `gauge`, and `# UNIT` and `# EOF` are left out.
fn to_prometheus(open_metrics: &str) -> String {
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
const PROMETHEUS: &str = "text/plain; version=0.0.4; charset=utf-8";

#[cfg(test)]
mod tests {
    use http::header::ACCEPT;

    use super::*;

    #[test]
    fn scrapers_that_do_not_accept_open_metrics_get_the_prometheus_format() {
        let text = "# HELP a_b What a b is.\n# TYPE a_b counter\na_b_total{x=\"# y\"} 1\n# HELP c C.\n# TYPE c info\nc_info{v=\"1\"} 1\n\
                    # HELP d_seconds D.\n# TYPE d_seconds gauge\n# UNIT d_seconds seconds\nd_seconds 2.5\n# EOF\n";
        let expected = "# HELP a_b_total What a b is.\n# TYPE a_b_total counter\na_b_total{x=\"# y\"} 1\n# HELP c_info C.\n\
                        # TYPE c_info gauge\nc_info{v=\"1\"} 1\n# HELP d_seconds D.\n# TYPE d_seconds gauge\nd_seconds 2.5\n";
        let negotiated = |accept: Option<&'static str>| {
            let headers = accept.map(|accept| (ACCEPT, http::HeaderValue::from_static(accept)));
            negotiate(text.to_owned(), &headers.into_iter().collect())
        };
        for accept in [None, Some("*/*"), Some("text/plain;version=0.0.4;q=0.5,*/*;q=0.1")] {
            assert_eq!(negotiated(accept), (PROMETHEUS, expected.to_owned()), "{accept:?}");
        }
        let open_metrics = "application/openmetrics-text;version=1.0.0;q=0.8,text/plain;q=0.5";
        assert_eq!(negotiated(Some(open_metrics)), (OPEN_METRICS, text.to_owned()));
    }
}
