//! Tags, repositories and referrers.

use std::collections::BTreeSet;

use super::cell::Cell;
use super::pull::requests;
use super::row::{Login, Row, World};
use crate::sim::{Catalog, Image, LinkForm};
use crate::stage::{assert_clean, assert_refused};

/// More than any registry puts on a page.
const MANY: usize = 230;

/// The pages of a list, from `first` on: each entry once, and `Link` in regpass's one form.
async fn pages(world: &World, first: &str, key: &str) -> (Vec<String>, usize) {
    let path = first.split('?').next().unwrap();
    let (mut entries, mut pages, mut next) = (Vec::new(), 0, first.to_owned());
    loop {
        let reply = world.get(&next).await;
        assert_eq!(reply.status, 200, "{next}: {reply:?}");
        assert_clean(&reply);
        let json = reply.json();
        entries.extend(json[key].as_array().unwrap().iter().map(|entry| entry.as_str().unwrap().to_owned()));
        pages += 1;
        assert!(pages <= MANY, "the list comes to an end: {next}");
        let Some(link) = reply.header("link") else { break };
        let target = link.strip_prefix('<').and_then(|link| link.strip_suffix(">; rel=\"next\""));
        next = target.map_or_else(|| panic!("a link in the one form: {link}"), ToOwned::to_owned);
        let query = next.strip_prefix(path).and_then(|rest| rest.strip_prefix('?'));
        let query = query.unwrap_or_else(|| panic!("a link below the path that was asked for: {link}"));
        let bad = |pair: &str| pair == "n=0" || pair.ends_with('=') || !pair.contains('=');
        assert!(!query.split('&').any(bad), "no parameter without a meaning: {link}");
    }
    let distinct: BTreeSet<&String> = entries.iter().collect();
    assert_eq!(distinct.len(), entries.len(), "every entry once: {entries:?}");
    (entries, pages)
}

pub async fn tags(row: &Row) -> Cell {
    let world = row.world(Login::Good).await;
    for number in 2..=MANY {
        world.registry.keep(world.repository(), &number.to_string(), &world.image);
    }
    world.warm().await;
    let list = world.target("tags/list");
    let (all, of_itself) = pages(&world, &list, "tags").await;
    assert_eq!(all.len(), MANY);
    let seen = world.seen();
    // What lists tags may be more than what pulls.
    let further = usize::from(seen.tokens() == 1);
    assert_eq!(seen.count() - seen.hops(), of_itself + further, "{seen:?}");
    seen.assert_unrefused();
    let (size, cut) = if world.registry.preset().lists.tags.link == LinkForm::None {
        // It takes `n`, and gives no way to go on: who asks for a page gets that page.
        ("", of_itself)
    } else {
        let (all, cut) = pages(&world, &format!("{list}?n=100"), "tags").await;
        assert_eq!(all.len(), MANY);
        (" of 100", cut)
    };
    Cell::yes(if cut == 1 { "1 page".to_owned() } else { format!("{cut} pages{size}") })
}

pub async fn catalog(row: &Row) -> Cell {
    let (login, listed) = match row.preset.can.catalog {
        Catalog::Never => (Login::Good, false),
        Catalog::Everyone => (Login::None, true),
        Catalog::Login => (Login::Good, true),
        Catalog::Admin { user } | Catalog::AdminByBasic { user } => (Login::Admin(user), true),
    };
    let world = row.world(login).await;
    if !listed {
        let reply = world.get("/v2/_catalog").await;
        assert_refused(&reply, "405 UNSUPPORTED", &[]);
        let cell = Cell::refused(world.seen().count());
        assert_eq!(cell, Cell::refused(0), "what a registry never does is not asked of it");
        return cell;
    }
    let (names, _) = pages(&world, "/v2/_catalog?n=1", "repositories").await;
    for name in [world.can.public, world.can.private] {
        assert!(names.iter().any(|listed| listed == name), "{name} is missing in {names:?}");
    }
    world.seen();
    let reply = world.get("/v2/_catalog").await;
    assert_eq!(reply.status, 200, "{reply:?}");
    world.seen().assert_warm();
    Cell::yes(match row.preset.can.catalog {
        Catalog::Everyone | Catalog::Never => "for all",
        Catalog::Login => {
            refuse_without(row, Login::None).await;
            "with a login"
        }
        Catalog::Admin { .. } | Catalog::AdminByBasic { .. } => {
            refuse_without(row, Login::Good).await;
            "as administrator"
        }
    })
}

/// Who may not see it gets a refusal in the one form.
async fn refuse_without(row: &Row, login: Login) {
    let world = row.world(login).await;
    let reply = world.get("/v2/_catalog").await;
    assert_refused(&reply, "403 DENIED", &[]);
}

pub async fn referrers(row: &Row) -> Cell {
    let world = row.world(Login::Good).await;
    let artifact = Image::artifact("application/vnd.example.signature", world.image.top());
    world.registry.store().put(world.repository(), "signature", &artifact);
    world.warm().await;
    let reply = world.get(&world.target(&format!("referrers/{}", world.image.digest()))).await;
    let seen = world.seen();
    if !world.can.referrers {
        assert_refused(&reply, "404 UNSUPPORTED", &["referrers"]);
        return Cell::refused(seen.count());
    }
    assert_eq!(reply.status, 200, "{reply:?}");
    assert_eq!(reply.json()["manifests"][0]["digest"], artifact.digest(), "{reply:?}");
    assert_clean(&reply);
    seen.assert_warm();
    Cell::yes(requests(seen.count()))
}
