//! Keeps the arrows between the rooms of `host/src` (docs/architecture.md): who may name whom, and which rooms may
//! name the crates that only they deal with. It reads every path in the sources, not only the `use` lines.

#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::path::{Path, PathBuf};

use kennel_tests::source_root;
use syn::visit::Visit;

/// Each room and the rooms it may name, besides itself. Whoever stands further left may know those further right:
/// cli → transport → mcp → catalog → plugin → sandbox; config, grants and observe are the shelves on the wall, of
/// which config knows the grants it reads, and observe those it tells of; escape is the nail they hang on.
const ROOMS: [(&str, &[&str]); 10] = [
    ("cli", &["transport", "mcp", "catalog", "plugin", "sandbox", "grants", "config", "observe"]),
    ("transport", &["mcp", "observe"]),
    ("mcp", &["catalog", "observe"]),
    ("catalog", &["plugin", "sandbox", "grants", "config", "observe"]),
    ("plugin", &["sandbox", "grants", "config", "observe"]),
    ("sandbox", &["grants", "observe"]),
    ("config", &["grants", "escape"]),
    ("observe", &["grants", "escape"]),
    ("grants", &["escape"]),
    ("escape", &[]),
];

/// Crates that only some rooms may name.
const CRATES: [(&str, &[&str]); 4] = [
    ("wasmtime", &["sandbox"]),
    ("wasmtime_wasi", &["sandbox"]),
    ("wasmtime_wasi_http", &["sandbox"]),
    ("rmcp", &["mcp", "transport"]),
];

/// The paths that a file names, as lists of segments; `super` is resolved, `crate` comes first.
struct Paths {
    /// Where we are: the file's module, then inline modules.
    module: Vec<String>,
    found: Vec<Vec<String>>,
}

impl Paths {
    fn of(module: &[&str], source: &str) -> Vec<Vec<String>> {
        let mut paths =
            Self { module: module.iter().map(|name| (*name).to_owned()).collect(), found: Vec::new() };
        paths.visit_file(&syn::parse_file(source).expect("the source parses"));
        paths.found
    }

    fn add(&mut self, segments: &[String]) {
        let supers = segments.iter().take_while(|segment| *segment == "super").count();
        let mut path = segments.to_vec();
        if supers > 0 {
            let keep = self.module.len().saturating_sub(supers);
            path = self.module[..keep].iter().chain(&segments[supers..]).cloned().collect();
            path.insert(0, "crate".to_owned());
        }
        self.found.push(path);
    }

    fn add_tree(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |name: &syn::Ident| [prefix, &[name.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.add_tree(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.add(&with(&name.ident)),
            syn::UseTree::Rename(name) => self.add(&with(&name.ident)),
            syn::UseTree::Glob(_) => self.add(prefix),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.add_tree(prefix, tree)),
        }
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.add_tree(&[], &item.tree);
    }

    fn visit_item_mod(&mut self, item: &'ast syn::ItemMod) {
        self.module.push(item.ident.to_string());
        syn::visit::visit_item_mod(self, item);
        self.module.pop();
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(&segments);
        syn::visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        // What stands in a macro is not parsed: take every `a::b::c` in its text.
        let text = item.tokens.to_string().replace(" :: ", "::").replace(":: ", "::");
        for word in text.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':')) {
            let segments: Vec<String> =
                word.split("::").filter(|part| !part.is_empty()).map(str::to_owned).collect();
            if segments.len() > 1 {
                self.add(&segments);
            }
        }
        syn::visit::visit_macro(self, item);
    }
}

/// What a file of this module breaks.
fn faults(module: &[&str], source: &str) -> Vec<String> {
    let room = module[0];
    let Some((_, may_know)) = ROOMS.iter().find(|(name, _)| *name == room) else {
        return vec![format!(
            "{room} is not one of the rooms; add it to docs/architecture.md and to this test"
        )];
    };
    let mut faults = Vec::new();
    for path in Paths::of(module, source) {
        let shown = path.join("::");
        if let [first, named, ..] = path.as_slice()
            && first == "crate"
            && named != room
            && ROOMS.iter().any(|(name, _)| name == named)
            && !may_know.contains(&named.as_str())
        {
            faults.push(format!("{room} names {shown}; it may know {may_know:?}"));
        }
        if let Some((name, rooms)) =
            CRATES.iter().find(|(name, _)| path.first().is_some_and(|first| first == name))
            && !rooms.contains(&room)
        {
            faults.push(format!("{room} names {shown}; only {rooms:?} may name {name}"));
        }
    }
    faults.sort_unstable();
    faults.dedup();
    faults
}

fn rust_files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder of the sources") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            rust_files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

#[test]
fn the_rooms_know_only_whom_they_may() {
    let src = source_root().join("host/src");
    let mut files = Vec::new();
    rust_files(&src, &mut files);
    let mut seen = std::collections::BTreeSet::new();
    let mut found = Vec::new();
    for file in &files {
        let relative = file.strip_prefix(&src).expect("in there").with_extension("");
        let module: Vec<&str> = relative.iter().map(|part| part.to_str().expect("a text")).collect();
        let module: Vec<&str> = module.iter().copied().filter(|part| *part != "mod").collect();
        // The two roots name every room, and the names of guards are of all rooms.
        if matches!(module.as_slice(), ["lib" | "main" | "guard"]) {
            continue;
        }
        seen.insert(module[0].to_owned());
        let source = std::fs::read_to_string(file).expect("readable");
        found
            .extend(faults(&module, &source).into_iter().map(|fault| format!("{}: {fault}", file.display())));
    }
    for (room, _) in ROOMS {
        assert!(seen.contains(room), "the room {room} is gone; change docs/architecture.md and this test");
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn the_arrows_have_no_circle() {
    let at = |room: &str| ROOMS.iter().position(|(name, _)| *name == room).expect("a room");
    for (room, knows) in ROOMS {
        for known in knows {
            assert!(at(room) < at(known), "{room} → {known} points left");
        }
    }
}

#[test]
fn every_way_of_naming_a_room_is_seen() {
    let seen = |module: &[&str], source: &str| !faults(module, source).is_empty();
    assert!(seen(&["sandbox"], "use crate::catalog::Catalog;"));
    assert!(seen(&["sandbox"], "use crate::{grants::Grants, catalog as c};"));
    assert!(seen(&["sandbox", "capability", "http"], "use super::super::super::mcp::Handler;"));
    assert!(seen(&["grants", "lock"], "use super::super::sandbox::*;"));
    assert!(seen(&["grants"], "fn f() { let x: Vec<crate::config::Home> = Vec::new(); }"));
    assert!(seen(&["config"], "fn f() { println!(\"{}\", crate::sandbox::NAME); }"));
    assert!(seen(&["observe"], "mod tests { use super::super::config::Home; }"));
    assert!(seen(&["plugin"], "fn f(engine: &wasmtime::Engine) {}"));
    assert!(seen(&["catalog"], "wasmtime::component::bindgen!(\"x\");"));
    assert!(seen(&["catalog"], "use rmcp::model::Tool;"));
    assert!(seen(&["elsewhere"], ""));

    assert!(!seen(&["sandbox"], "use crate::grants::Grants; use wasmtime::Engine; use super::sandbox::x;"));
    assert!(!seen(
        &["sandbox", "http"],
        "use super::store::Call; mod tests { use super::*; use super::super::engine; }"
    ));
    assert!(!seen(&["mcp"], "use rmcp::ServerHandler; use crate::catalog::Catalog;"));
}

/// The names by which the conformance suite knows its fixtures: the plugin `everything`'s tools, prompts and resources.
fn fixture_names() -> Vec<String> {
    let mut names = Vec::new();
    let mut files = Vec::new();
    rust_files(&source_root().join("plugins/everything/src"), &mut files);
    for file in files {
        let source = syn::parse_file(&std::fs::read_to_string(file).expect("readable")).expect("it parses");
        for item in source.items {
            let syn::Item::Fn(function) = item else { continue };
            for attribute in &function.attrs {
                if attribute.path().is_ident("tool") || attribute.path().is_ident("prompt") {
                    // Its own name, unless another is written.
                    let options = attribute.meta.require_list().map(|list| list.tokens.to_string());
                    let other = options.ok().and_then(|options| {
                        let (_, after) = options.split_once("name = \"")?;
                        Some(after.split('"').next()?.to_owned())
                    });
                    names.push(other.unwrap_or_else(|| function.sig.ident.to_string()));
                }
                if attribute.path().is_ident("resource") {
                    let options = attribute.meta.require_list().expect("options").tokens.to_string();
                    names.push(options.split('"').nth(1).expect("a URI").to_owned());
                }
            }
        }
    }
    names
}

/// Nothing in the host is made for the suite: it does not know the name of a single fixture.
#[test]
fn the_host_knows_no_fixture() {
    let mut names = fixture_names();
    // One word of English alone says nothing.
    names.retain(|name| name.contains(['_', ':', '-']));
    for known in ["test_simple_text", "slow_compute", "test_simple_prompt", "test://static-text"] {
        assert!(names.iter().any(|name| name == known), "{known} is not among {names:?}");
    }
    let mut files = Vec::new();
    rust_files(&source_root().join("host"), &mut files);
    assert!(files.len() > 50, "host/ has only {} files?", files.len());
    let mut found = Vec::new();
    for file in files {
        let source = std::fs::read_to_string(&file).expect("readable");
        let known = |name: &&String| words_of(&source).any(|word| word == name.as_str());
        found.extend(names.iter().filter(known).map(|name| format!("{}: {name}", file.display())));
    }
    assert!(found.is_empty(), "the host knows fixtures:\n{}", found.join("\n"));
}

/// The words of a source; a URI is one.
fn words_of(source: &str) -> impl Iterator<Item = &str> {
    source.split(|c: char| !(c.is_alphanumeric() || matches!(c, '_' | ':' | '/' | '-' | '{' | '}')))
}
