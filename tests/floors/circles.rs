//! Checks that source files do not import each other in a circle: no file that a file imports, directly or through
//! others, imports it back.

use std::collections::{BTreeMap, BTreeSet};

use crate::source::{Crate, ModulePath};

type Imports = BTreeMap<ModulePath, BTreeSet<ModulePath>>;

#[test]
fn no_files_import_each_other_in_a_circle() {
    let circles = circles(&file_imports(&Crate::read()));
    let listed: Vec<String> = circles.iter().map(names).collect();
    assert!(listed.is_empty(), "files that import each other in a circle:\n{}", listed.join("\n"));
}

/// Tests [`circles`]: of six files it returns the three on the circle, not those that only import one of them or are only
/// imported by one.
#[test]
fn a_circle_is_found_without_its_neighbours() {
    let edges = [("way_in", "a"), ("a", "b"), ("b", "c"), ("c", "a"), ("c", "way_out"), ("way_out", "end")];
    let mut imports = Imports::new();
    for (from, to) in edges {
        imports.entry(vec![from.to_owned()]).or_default().insert(vec![to.to_owned()]);
    }
    let found: Vec<String> = circles(&imports).iter().map(names).collect();
    assert_eq!(found, ["a, b, c"]);
}

/// The files that each file imports. Imports between a `mod.rs` and the files below its folder do not count.
fn file_imports(sources: &Crate) -> Imports {
    let imports = sources.0.iter().map(|(own, module)| {
        let is_other = |target: &ModulePath| !target.starts_with(own) && !own.starts_with(target);
        (own.clone(), sources.imports(module).into_iter().filter(is_other).collect())
    });
    imports.collect()
}

/// The groups of files in which each file imports every other, directly or through others.
fn circles(imports: &Imports) -> BTreeSet<BTreeSet<ModulePath>> {
    let reached: Imports = imports.keys().map(|module| (module.clone(), reached_from(module, imports))).collect();
    let on_circles = reached.iter().filter(|(module, targets)| targets.contains(*module));
    let circle = |module: &ModulePath, targets: &BTreeSet<ModulePath>| {
        let back = targets.iter().filter(|target| reached.get(*target).is_some_and(|targets| targets.contains(module)));
        back.cloned().collect()
    };
    on_circles.map(|(module, targets)| circle(module, targets)).collect()
}

/// Everything that a file imports, directly or through others.
fn reached_from(module: &ModulePath, imports: &Imports) -> BTreeSet<ModulePath> {
    let mut reached = BTreeSet::new();
    let mut open = vec![module];
    while let Some(next) = open.pop() {
        open.extend(imports.get(next).into_iter().flatten().filter(|target| reached.insert((*target).clone())));
    }
    reached
}

fn names(modules: &BTreeSet<ModulePath>) -> String {
    modules.iter().map(|module| module.join("::")).collect::<Vec<_>>().join(", ")
}
