//! The rules of `src/lib.rs`, checked on the sources: import order, what only some files may use, file headers and sizes.

use std::{collections::BTreeSet, fs, path::Path};

use syn::visit::{self, Visit};
use walkdir::WalkDir;

const MAX_LINES: usize = 450;

/// A source file by its path below `src/`.
struct Source {
    path: String,
    text: String,
}

fn sources() -> Vec<Source> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let files = WalkDir::new(&root).sort_by_file_name().into_iter().map(Result::unwrap);
    files
        .filter(|entry| entry.path().extension().is_some_and(|extension| extension == "rs"))
        .map(|entry| Source {
            path: entry.path().strip_prefix(&root).unwrap().to_str().unwrap().to_owned(),
            text: fs::read_to_string(entry.path()).unwrap(),
        })
        .collect()
}

/// The modules of `lib.rs`, in import order.
fn order() -> Vec<String> {
    let library = sources().into_iter().find(|source| source.path == "lib.rs").unwrap();
    let items = syn::parse_file(&library.text).unwrap().items;
    let modules = items.into_iter().filter_map(|item| match item {
        syn::Item::Mod(module) => Some(module.ident.to_string()),
        _ => None,
    });
    modules.collect()
}

/// Every path of a file, in `use` trees, expressions, types and macros, as its segments.
#[derive(Default)]
struct Paths(Vec<Vec<String>>);

impl Paths {
    fn of(text: &str) -> Vec<Vec<String>> {
        let mut paths = Self::default();
        paths.visit_file(&syn::parse_file(text).unwrap());
        paths.0
    }

    fn walk(&mut self, prefix: &[String], tree: &syn::UseTree) {
        let with = |ident: &syn::Ident| [prefix, &[ident.to_string()]].concat();
        match tree {
            syn::UseTree::Path(path) => self.walk(&with(&path.ident), &path.tree),
            syn::UseTree::Name(name) => self.0.push(with(&name.ident)),
            syn::UseTree::Rename(name) => self.0.push(with(&name.ident)),
            syn::UseTree::Glob(_) => self.0.push(prefix.to_vec()),
            syn::UseTree::Group(group) => group.items.iter().for_each(|tree| self.walk(prefix, tree)),
        }
    }

    /// Macros are not parsed: their paths are found in the tokens.
    fn tokens(&mut self, tokens: &str) {
        let mut words = tokens.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == ':' || c == ' '));
        words.by_ref().for_each(|text| {
            let text = text.replace(" :: ", "::").replace(":: ", "::").replace(" ::", "::");
            let paths = text.split_whitespace().filter(|word| word.contains("::"));
            self.0.extend(paths.map(|path| path.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect()));
        });
    }
}

impl<'ast> Visit<'ast> for Paths {
    fn visit_item_use(&mut self, item: &'ast syn::ItemUse) {
        self.walk(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        self.0.push(path.segments.iter().map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, item: &'ast syn::Macro) {
        self.tokens(&item.tokens.to_string());
        visit::visit_macro(self, item);
    }

    fn visit_attribute(&mut self, attribute: &'ast syn::Attribute) {
        if let syn::Meta::List(list) = &attribute.meta {
            self.tokens(&list.tokens.to_string());
        }
        visit::visit_attribute(self, attribute);
    }
}

/// The module of `lib.rs` that a file belongs to; `None` for `lib.rs` and `main.rs`.
fn module(path: &str) -> Option<&str> {
    let first = path.split('/').next().unwrap_or(path);
    Some(first.strip_suffix(".rs").unwrap_or(first)).filter(|module| !matches!(*module, "lib" | "main"))
}

/// Files that speak GraphQL or compose those that do.
fn may_speak_graphql(path: &str) -> bool {
    let of_module =
        module(path).is_some_and(|module| matches!(module, "graphql" | "compose" | "http" | "server" | "cli"));
    of_module || path.split('/').any(|part| matches!(part, "graphql" | "graphql.rs")) || path == "main.rs"
}

fn is_aws(name: &str) -> bool {
    name.starts_with("aws_sdk_")
        || name.starts_with("aws_smithy")
        || name == "aws_config"
        || name == "aws_credential_types"
}

/// Everything a file does that the rules forbid.
fn violations(order: &[String], source: &Source) -> Vec<String> {
    let Source { path, text } = source;
    let mut found = BTreeSet::new();
    let place = |name: &str| order.iter().position(|module| module == name);
    let graphql_file = path.split('/').any(|part| matches!(part, "graphql" | "graphql.rs"));
    for segments in Paths::of(text) {
        let root = segments.first().map_or("", String::as_str);
        let target = segments.get(1).map(String::as_str).filter(|_| root == "crate");
        if let (Some(own), Some(target)) = (module(path), target)
            && let (Some(from), Some(to)) = (place(own), place(target))
            && to > from
        {
            found.insert(format!("{path}: {own} uses crate::{target}, which comes later in lib.rs"));
        }
        if !may_speak_graphql(path) && (root.starts_with("async_graphql") || target == Some("graphql")) {
            found.insert(format!("{path}: the domain does not know GraphQL"));
        }
        if is_aws(root) && module(path) != Some("adapters") {
            found.insert(format!("{path}: {root} is for adapters/ alone"));
        }
        if root == "sea_orm" && (graphql_file || module(path) == Some("http")) {
            found.insert(format!("{path}: queries are for stores, not for resolvers and HTTP"));
        }
    }
    if !text.starts_with("//! ") {
        found.insert(format!("{path}: say in a //! line what lives here"));
    }
    let lines = text.lines().count();
    if lines > MAX_LINES {
        found.insert(format!("{path}: {lines} lines, more than {MAX_LINES}"));
    }
    found.into_iter().collect()
}

#[test]
fn the_sources_keep_the_rules() {
    let order = order();
    let sources = sources();
    assert!(order.len() > 15 && sources.len() > 100, "the checker must see the sources");
    let known: BTreeSet<&str> = order.iter().map(String::as_str).collect();
    let strays: Vec<_> =
        sources.iter().filter_map(|source| module(&source.path)).filter(|m| !known.contains(m)).collect();
    assert_eq!(strays, Vec::<&str>::new(), "every module stands in lib.rs");
    assert_eq!(order.last().map(String::as_str), Some("cli"));
    let found: Vec<_> = sources.iter().flat_map(|source| violations(&order, source)).collect();
    assert!(found.is_empty(), "{found:#?}");
}

/// A rule is worth something only if it catches who breaks it.
#[test]
fn a_planted_violation_is_reported() {
    let order: Vec<String> = ["db", "adapters", "graphql", "jobs", "files", "http"].map(str::to_owned).into();
    let long = format!("//! Long.\n{}", "// x\n".repeat(MAX_LINES));
    for (path, text, reason) in [
        ("jobs/mod.rs", "//! X.\nuse crate::files::File;", "jobs uses crate::files"),
        ("jobs/mod.rs", "//! X.\nuse crate::{db::Db, files::{self, File}};", "jobs uses crate::files"),
        ("jobs.rs", "//! X.\nfn f() { crate::files::trash(); }", "jobs uses crate::files"),
        ("jobs.rs", "//! X.\nfn f(file: Option<crate::files::File>) {}", "jobs uses crate::files"),
        ("jobs.rs", "//! X.\nfn f() { let _ = vec![1, crate::files::COUNT]; }", "jobs uses crate::files"),
        ("files/trash.rs", "//! X.\nuse async_graphql::ID;", "does not know GraphQL"),
        ("files/trash.rs", "//! X.\n#[derive(async_graphql::Enum)]\nenum E { A }", "does not know GraphQL"),
        ("files/store.rs", "//! X.\nuse crate::graphql::NodeKind;", "does not know GraphQL"),
        ("files/mod.rs", "//! X.\nuse aws_sdk_s3::Client;", "for adapters/ alone"),
        ("files/mod.rs", "//! X.\nfn f() { aws_config::load(); }", "for adapters/ alone"),
        ("files/graphql/types.rs", "//! X.\nuse sea_orm::DbErr;", "not for resolvers"),
        ("http/server.rs", "//! X.\nfn f(e: sea_orm::DbErr) {}", "not for resolvers"),
        ("db.rs", "use std::fmt;", "say in a //! line"),
        ("db.rs", &long, "more than 450"),
    ] {
        let found = violations(&order, &Source { path: path.to_owned(), text: text.to_owned() });
        assert!(found.iter().any(|line| line.contains(reason)), "{text}: {found:?}");
        assert_eq!(found.len(), 1, "{found:?}");
    }
    for (path, text) in [
        ("files/graphql/types.rs", "//! X.\nuse async_graphql::ID;\nuse crate::{graphql::NodeKind, files::File};"),
        ("adapters/s3.rs", "//! X.\nuse aws_sdk_s3::Client;\nuse crate::db::Db;"),
        ("files/store.rs", "//! X.\nuse sea_orm::DbErr;\nuse crate::jobs;"),
    ] {
        assert_eq!(violations(&order, &Source { path: path.to_owned(), text: text.to_owned() }), Vec::<String>::new());
    }
}
