//! The section of the status page with the last pulls and pushes of images.

use maud::{Markup, html};

use super::super::status::{Image, Status};
use super::collapsible::collapsible;
use super::format::{ago, duration, shortened, size, time};
use super::table::head;

pub(super) fn section(status: &Status) -> Markup {
    html! {
        section #images aria-labelledby="images-title" {
            @if !status.images.is_empty() {
                h2 #images-title { "Images" }
                (collapsible("older-images", &status.images, SHOWN, |images| table(images, status.at)))
            }
        }
    }
}

fn table(images: &[Image], now: f64) -> Markup {
    html! {
        table.requests.images {
            (head(COLUMNS))
            tbody { @for image in images { (row(image, now)) } }
        }
    }
}

fn row(image: &Image, now: f64) -> Markup {
    let class = match (image.outcome, &image.failure) {
        ("ok", _) => "good",
        (_, Some(failure)) if failure.blame != "client" => "broken",
        _ => "refused",
    };
    html! {
        tr data-key=(format!("image-{}", image.number)) data-class=(class) {
            td.when { (time(image.at, &ago(now, image.at))) }
            td.status { span.code { (image.outcome) } }
            td.what {
                span.operation { (image.direction) } " " (name(&image.image))
                @if let Some(digest) = image.digest.as_deref().filter(|digest| !image.image.ends_with(*digest)) {
                    " " small.digest title=(digest) { (shortened(digest)) }
                }
                @if image.other_tags > 0 { " " small { "and " (image.other_tags) " more " (tags(image.other_tags)) } }
                @if let Some(failure) = &image.failure {
                    p.message { (failure.message) }
                    p.advice { (failure.advice) }
                }
            }
            td.number.size { @if image.bytes > 0 { (size(image.bytes)) } }
            td.grant { (authorization(image)) }
            td.number.took { (duration(image.total_ms)) }
        }
    }
}

/// An image name. Its digest is shortened, because a whole one would take up most of the line.
fn name(image: &str) -> Markup {
    html! {
        span.name title=(image) {
            @match image.split_once('@') {
                Some((repository, digest)) => { (repository) span.reference { "@" (shortened(digest)) } }
                None => { (image) }
            }
        }
    }
}

fn authorization(image: &Image) -> String {
    let fetched = match image.token_fetches {
        0 => "no token fetched".to_owned(),
        1 => "1 token fetched".to_owned(),
        many => format!("{many} tokens fetched"),
    };
    format!("{fetched}, {}", duration(image.auth_ms))
}

fn tags(number: usize) -> &'static str {
    if number == 1 { "tag" } else { "tags" }
}

const COLUMNS: &[(&str, &str)] =
    &[("", "When"), ("", "Outcome"), ("", "Image"), ("number", "Size"), ("", "Authorization"), ("number", "Duration")];
/// Images shown without expanding; more would push the requests out of view.
const SHOWN: usize = 8;
