//! The source files of `src` as modules: their paths, their code without comments, and the modules they import.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::source_files::{crate_folder, rust_files};

/// A module's path below the crate: `["proxy", "upload", "session"]`.
pub(crate) type ModulePath = Vec<String>;

/// One source file, without its unit tests.
pub(crate) struct Module {
    /// The file, relative to `src`.
    pub(crate) file: PathBuf,
    /// The lines of code, without comments.
    pub(crate) code: String,
    /// The names from this crate that a `use` brings into scope, each with its full path.
    names: BTreeMap<String, ModulePath>,
    /// The full path of everything from this crate that a `use` or the code names.
    paths: Vec<ModulePath>,
    /// The names from this crate that a `pub use` re-exports, each with its full path.
    exports: BTreeMap<String, ModulePath>,
}

impl Module {
    /// The first path component below `src`, without `.rs`: `net` for `net/client.rs`.
    pub(crate) fn floor(&self) -> &str {
        let first = self.file.components().next().unwrap().as_os_str().to_str().unwrap();
        first.trim_end_matches(".rs")
    }
}

/// All modules of the crate by their path, unit tests left out.
pub(crate) struct Crate(pub(crate) BTreeMap<ModulePath, Module>);

impl Crate {
    pub(crate) fn read() -> Self {
        let root = crate_folder("src");
        let texts: BTreeMap<ModulePath, (PathBuf, String)> = rust_files(&root)
            .into_iter()
            .map(|path| (path.strip_prefix(&root).unwrap().to_owned(), path))
            .filter(|(file, _)| !file.with_extension("").iter().any(|part| part == "tests"))
            .map(|(file, path)| (module_path(&file), (file, without_comments(&fs::read_to_string(&path).unwrap()))))
            .collect();
        assert!(texts.len() > 30, "only {} source files were found", texts.len());
        let paths: BTreeSet<ModulePath> = texts.keys().cloned().collect();
        let modules = texts.into_iter().map(|(own, (file, code))| {
            let module = read_imports(file, code, &own, &paths);
            (own, module)
        });
        Self(modules.collect())
    }

    /// The modules that `module` imports something from; re-exports are followed to the file that has the item.
    pub(crate) fn imports(&self, module: &Module) -> BTreeSet<ModulePath> {
        module.paths.iter().filter_map(|path| self.owner(path, 8)).collect()
    }

    /// The module that has the item with this full path, after at most `hops` re-exports.
    fn owner(&self, path: &[String], hops: usize) -> Option<ModulePath> {
        let length = (1..=path.len()).rev().find(|length| self.0.contains_key(&path[..*length]))?;
        let (module, rest) = path.split_at(length);
        match rest.first().and_then(|name| self.0[module].exports.get(name)) {
            Some(target) if hops > 0 => self.owner(&[target, &rest[1..]].concat(), hops - 1),
            _ => Some(module.to_vec()),
        }
    }
}

fn read_imports(file: PathBuf, code: String, own: &ModulePath, modules: &BTreeSet<ModulePath>) -> Module {
    let mut module = Module { file, code, names: BTreeMap::new(), paths: Vec::new(), exports: BTreeMap::new() };
    for (is_public, tree) in use_trees(&module.code) {
        for (path, name) in leaves(&tree) {
            let Some(path) = full_path(&path, own, modules, &module.names) else { continue };
            if is_public {
                module.exports.insert(name.clone(), path.clone());
            }
            module.names.insert(name, path.clone());
            module.paths.push(path);
        }
    }
    let written = paths_in(&module.code).into_iter();
    let written: Vec<_> = written.filter_map(|path| full_path(&path, own, modules, &module.names)).collect();
    module.paths.extend(written);
    module
}

/// Resolves a path as it is written in the module `own`. `None` for paths into other crates, and for paths that start with
/// a name that no `use` brought into scope.
fn full_path(
    path: &[String],
    own: &ModulePath,
    modules: &BTreeSet<ModulePath>,
    names: &BTreeMap<String, ModulePath>,
) -> Option<ModulePath> {
    let (first, rest) = path.split_first()?;
    let supers = path.iter().take_while(|part| *part == "super").count();
    let child = [own.as_slice(), std::slice::from_ref(first)].concat();
    match first.as_str() {
        "crate" => Some(rest.to_vec()),
        "self" => Some([own, rest].concat()),
        "super" => Some([&own[..own.len().checked_sub(supers)?], &path[supers..]].concat()),
        _ if modules.contains(&child) => Some([&child, rest].concat()),
        name => names.get(name).map(|target| [target, rest].concat()),
    }
}

/// The text after `use` of all `use` items, without blanks, and whether the item is `pub`.
fn use_trees(code: &str) -> Vec<(bool, String)> {
    let items = code.split(';').filter_map(|item| {
        let (before, tree) =
            item.rsplit_once("use ").filter(|(before, _)| before.is_empty() || before.ends_with([' ', '\n']))?;
        let line = before.rsplit('\n').next().unwrap_or_default().trim();
        (line.is_empty() || line.starts_with("pub")).then(|| (line.starts_with("pub"), tree.replace(['\n', ' '], "")))
    });
    items.collect()
}

/// Splits the text of a `use` item, without blanks, into single paths, each with the name that it brings into scope. `as` is
/// not parsed.
fn leaves(tree: &str) -> Vec<(Vec<String>, String)> {
    if let Some((prefix, list)) = tree.split_once('{') {
        let list = list.strip_suffix('}').unwrap_or(list);
        return at_top_level(list).iter().flat_map(|part| leaves(&format!("{prefix}{part}"))).collect();
    }
    let mut path: Vec<String> = tree.split("::").filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect();
    path.pop_if(|last| last == "self");
    let name = path.last().cloned().unwrap_or_default();
    vec![(path, name)]
}

/// Splits a list at the commas outside its braces.
fn at_top_level(list: &str) -> Vec<&str> {
    let (mut depth, mut start, mut parts) = (0_u32, 0, Vec::new());
    for (at, character) in list.char_indices() {
        match character {
            '{' => depth += 1,
            '}' => depth -= 1,
            ',' if depth == 0 => {
                parts.push(&list[start..at]);
                start = at + 1;
            }
            _ => {}
        }
    }
    parts.push(&list[start..]);
    parts.into_iter().filter(|part| !part.is_empty()).collect()
}

/// Every `a::b::…` in the code.
fn paths_in(code: &str) -> Vec<Vec<String>> {
    let words = code.split(|c: char| !(c.is_ascii_alphanumeric() || c == '_' || c == ':'));
    let paths = words.filter(|word| word.contains("::") && !word.starts_with(':'));
    paths.map(|word| word.split("::").filter(|part| !part.is_empty()).map(ToOwned::to_owned).collect()).collect()
}

/// The module of a file: `proxy::upload` for `proxy/upload/mod.rs`, and the empty path for `lib.rs`.
fn module_path(file: &Path) -> ModulePath {
    let mut parts: ModulePath = file.with_extension("").iter().map(|part| part.to_str().unwrap().to_owned()).collect();
    parts.pop_if(|part| part == "mod" || part == "lib");
    parts
}

/// Code without comments and without the unit tests at the end of the file; line numbers stay as they are. A `//` within a
/// string counts as a comment.
fn without_comments(text: &str) -> String {
    let lines = text.lines().take_while(|line| *line != "#[cfg(test)]");
    lines.map(|line| line.split("//").next().unwrap_or_default()).collect::<Vec<_>>().join("\n")
}
