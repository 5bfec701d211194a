//! The content of a blob, or the ranges of it that a request asks for.

use std::ops::RangeInclusive;

use bytes::Bytes;
use http::header;

use super::super::content::Blob;
use super::super::ledger::Entry;
use super::super::preset::SeveralRanges;
use super::super::reply::Reply;

const MEDIA_TYPE: &str = "application/octet-stream";
/// Go's `mime/multipart` takes 60 random digits.
const BOUNDARY: &str = "400bc61d24d6f236f682cbcf9f0d3e367c57f1110f22f946fe358ade73d0";

/// The reply with a blob's content, which obeys `Range`, `If-Range` and `If-None-Match`.
pub(super) fn content_reply(entry: &Entry, blob: &Blob, several: SeveralRanges) -> Reply {
    let etag = format!(r#""{}""#, blob.digest);
    if entry.headers.get(header::IF_NONE_MATCH).is_some_and(|known| known.as_bytes() == etag.as_bytes()) {
        return Reply::new(304).header("etag", etag);
    }
    let range = entry.headers.get(header::RANGE).and_then(|value| value.to_str().ok());
    // RFC 9110, 13.1.5: when If-Range does not match, the whole content is sent.
    let same = entry.headers.get(header::IF_RANGE).is_none_or(|known| known.as_bytes() == etag.as_bytes());
    // RFC 9110, 14.2 lets a server send the whole content for a malformed range.
    let Some(requested) = range.filter(|_| same).and_then(|range| parse_ranges(range, blob.len())) else {
        return whole(blob).header("etag", etag);
    };
    let is_several = requested.len() > 1;
    let ranges: Vec<_> = requested.into_iter().filter(|range| *range.start() < blob.len()).collect();
    let reply = match &*ranges {
        _ if is_several && several == SeveralRanges::Whole => whole(blob),
        [] => Reply::new(416).header("content-range", format!("bytes */{}", blob.len())),
        [range] => Reply::new(206)
            .slice(MEDIA_TYPE, blob.slice().part(*range.start(), *range.end()))
            .header("content-range", content_range(range, blob.len())),
        // Go sends the whole content if the ranges have more bytes.
        ranges if ranges.iter().map(length).sum::<u64>() > blob.len() => whole(blob),
        ranges => multipart(ranges, blob),
    };
    reply.header("etag", etag).header("accept-ranges", "bytes")
}

fn whole(blob: &Blob) -> Reply {
    Reply::new(200).slice(MEDIA_TYPE, blob.slice()).header("accept-ranges", "bytes")
}

/// As Go's `mime/multipart` writes it.
fn multipart(ranges: &[RangeInclusive<u64>], blob: &Blob) -> Reply {
    let mut body = Vec::new();
    for (number, range) in ranges.iter().enumerate() {
        let gap = if number == 0 { "" } else { "\r\n" };
        let content_range = content_range(range, blob.len());
        let head = format!("{gap}--{BOUNDARY}\r\nContent-Range: {content_range}\r\nContent-Type: {MEDIA_TYPE}\r\n\r\n");
        body.extend_from_slice(head.as_bytes());
        body.extend_from_slice(&blob.slice().part(*range.start(), *range.end()).to_bytes());
    }
    body.extend_from_slice(format!("\r\n--{BOUNDARY}--\r\n").as_bytes());
    Reply::new(206).body(&format!("multipart/byteranges; boundary={BOUNDARY}"), Bytes::from(body))
}

fn content_range(range: &RangeInclusive<u64>, len: u64) -> String {
    format!("bytes {}-{}/{len}", range.start(), range.end())
}

fn length(range: &RangeInclusive<u64>) -> u64 {
    range.end() + 1 - range.start()
}

/// The requested ranges of a blob with `len` bytes. One that begins after its end is empty. `None` if the header is
/// malformed.
fn parse_ranges(text: &str, len: u64) -> Option<Vec<RangeInclusive<u64>>> {
    let ranges = text.strip_prefix("bytes=")?.split(',').map(str::trim).filter(|range| !range.is_empty());
    ranges.map(|range| parse_range(range, len)).collect()
}

fn parse_range(text: &str, len: u64) -> Option<RangeInclusive<u64>> {
    let (first, last) = text.split_once('-')?;
    let end = len.saturating_sub(1);
    Some(match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), Ok(last)) if first <= last => first..=last.min(end),
        (Ok(first), Err(_)) if last.is_empty() => first..=end,
        (Err(_), Ok(suffix)) if first.is_empty() && suffix > 0 => len.saturating_sub(suffix)..=end,
        _ => return None,
    })
}
