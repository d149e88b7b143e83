//! The order of the modules, as code: who may use whom, and who may touch the outside world.
//!
//! Two readings of each file. `syn` reads `lib.rs`, whose shape is fixed. Everything else is read token by token, so
//! that a path inside a macro counts as well as one in a `use`; doc comments are literals there and do not count.

use std::path::{Path, PathBuf};
use std::str::FromStr;

use proc_macro2::{Delimiter, TokenStream, TokenTree};
use syn::Item;
use syn::spanned::Spanned;

/// The modules in their order, each with the modules it may use.
const LAYERS: &[(&str, &[&str])] = &[
    ("fork", &[]),
    ("words", &[]),
    ("error", &["words"]),
    ("codes", &["error"]),
    ("data", &["error"]),
    ("dsp", &[]),
    ("media", &["error", "data"]),
    ("manifest", &["error", "words", "data"]),
    ("node", &["error", "words", "data"]),
    ("graph", &["error", "words", "data", "manifest", "node"]),
    ("builtin", &["error", "data", "dsp", "node"]),
    ("ipc", &["fork", "error", "data", "node", "VERSION"]),
    ("engine", &["error", "words", "data", "manifest::OnError", "node", "graph"]),
    ("runtime", &["error", "words", "data", "manifest", "node", "graph", "builtin", "ipc", "engine"]),
    ("cli", &["error", "codes", "words", "data", "media", "manifest", "node", "graph", "engine", "runtime", "VERSION"]),
    // The two edges: `ffi` stands after `cli` because the Python package starts the command line through it.
    // `ipc` for the calls of a worker and of a Python in this process, which are the library's and not a pipeline's.
    (
        "ffi",
        &[
            "fork", "error", "words", "data", "media", "manifest", "node", "graph", "ipc", "engine", "runtime", "cli",
            "VERSION",
        ],
    ),
    ("main", &["remotemedia::cli"]),
];

/// Crates that only some modules may name.
const CRATES: &[(&str, &[&str])] = &[
    ("uniffi", &["ffi"]),
    ("iceoryx2", &["ipc"]),
    ("iceoryx2_cal", &["ipc"]),
    ("iceoryx2_bb_elementary_traits", &["ipc"]),
    ("iceoryx2_bb_lock_free", &["ipc"]),
    ("iceoryx2_bb_memory", &["ipc"]),
    ("iceoryx2_bb_posix", &["ipc"]),
    ("iceoryx2_bb_system_types", &["ipc"]),
    ("tokio", &["engine", "runtime", "ffi", "cli"]),
    ("tracing_subscriber", &["ffi", "cli"]),
    ("clap", &["cli"]),
    ("indicatif", &["cli"]),
    ("rustfft", &["dsp"]),
    ("miniz_oxide", &["dsp"]),
    ("remotemedia_dsp", &["lib"]),
    ("symphonia", &["media"]),
    ("hound", &["media"]),
    ("flacenc", &["media"]),
    ("earshot", &["builtin"]),
    ("libc", &["data", "ipc"]),
    ("fast_image_resize", &["builtin"]),
];

const PRINTING: &[&str] = &["print", "println", "eprint", "eprintln", "dbg"];

/// Files, network, clocks, threads: not for these modules.
const PURE: &[&str] = &["error", "codes", "words", "data", "dsp", "manifest", "node", "graph"];
const OUTSIDE: &[&str] =
    &["std::fs", "std::net", "std::process", "std::env", "std::thread", "std::time::Instant", "std::time::SystemTime"];

/// The one file of a pure module that reads a clock.
const CLOCK: &str = "node/clock.rs";
/// The files that may say `unsafe`.
const UNSAFE: [&str; 11] = [
    "ffi/raw.rs",
    "ffi/c_abi.rs",
    "ffi/interpreter.rs",
    "dsp/simd.rs",
    "data/pages.rs",
    "data/denormals.rs",
    "ipc/shm.rs",
    "ipc/os.rs",
    "ipc/memory.rs",
    "ipc/storage.rs",
    "ipc/service.rs",
];

/// A path as it is written, from the root of the crate when it leaves its module: `crate::data::Pts`.
struct Mention {
    line: usize,
    path: String,
}

/// What is wrong in a file, one line each.
fn violations(file: &str, code: &str) -> Vec<String> {
    let tokens = TokenStream::from_str(code).unwrap_or_else(|error| panic!("{file}: {error}"));
    let mut module: Vec<&str> = file.trim_end_matches(".rs").split('/').collect();
    if module.last() == Some(&"mod") {
        module.pop();
    }
    let top = module[0];
    let mut mentions = Vec::new();
    paths(&tokens.into_iter().collect::<Vec<_>>(), &[], module.len(), &mut mentions);
    mentions
        .iter()
        .filter_map(|mention| Some((mention, forbidden(file, top, &mention.path)?)))
        .map(|(mention, why)| format!("{file}:{}: `{}`: {why}", mention.line, mention.path))
        .collect()
}

/// Why this path may not stand in this file.
fn forbidden(file: &str, top: &str, path: &str) -> Option<String> {
    let first = path.split("::").next().unwrap_or(path);
    if path.split("::").any(|name| name == "unsafe" || name == "unsafe_code") {
        return (!UNSAFE.contains(&file)).then(|| format!("`unsafe` belongs into {} alone", UNSAFE.join(" and ")));
    }
    if let Some(name) = path.strip_suffix('!').filter(|name| PRINTING.contains(&name.trim_start_matches("std::"))) {
        return (top != "cli").then(|| format!("{name} belongs into `cli` alone"));
    }
    if let Some((_, users)) = CRATES.iter().find(|(name, _)| *name == first) {
        let fine = users.contains(&top) || file == "lib.rs" && path == "uniffi::setup_scaffolding!";
        return (!fine).then(|| format!("`{first}` is for {} alone", users.join(", ")));
    }
    if PURE.contains(&top)
        && file != CLOCK
        && let Some(outside) = OUTSIDE.iter().find(|outside| begins(path, outside))
    {
        return Some(format!("`{top}` uses no {outside}"));
    }
    let inside = path.strip_prefix("crate::").or_else(|| path.starts_with("remotemedia::").then_some(path))?;
    let Some((_, uses)) = LAYERS.iter().find(|(name, _)| *name == top) else {
        return (file != "lib.rs").then(|| format!("module `{top}` has no place in the order"));
    };
    let fine = begins(inside, top) || uses.iter().any(|used| begins(inside, used));
    (!fine).then(|| format!("`{top}` may use only {}", if uses.is_empty() { "itself".into() } else { uses.join(", ") }))
}

/// Whether the path is this one or one inside of it.
fn begins(path: &str, prefix: &str) -> bool {
    path.strip_prefix(prefix).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Gathers every path. `depth` is how many `super` lead out of the crate's root.
fn paths(tokens: &[TokenTree], prefix: &[String], depth: usize, found: &mut Vec<Mention>) {
    let mut at = 0;
    while at < tokens.len() {
        let TokenTree::Ident(ident) = &tokens[at] else {
            if let TokenTree::Group(group) = &tokens[at] {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let is_module = group.delimiter() == Delimiter::Brace && at >= 2 && is_ident(&tokens[at - 2], "mod");
                paths(&inner, &[], depth + usize::from(is_module), found);
            }
            at += 1;
            continue;
        };
        let line = ident.span().start().line;
        let mut path = prefix.to_vec();
        path.push(ident.to_string());
        at += 1;
        let mut tree = None;
        while is_colons(tokens, at) {
            match tokens.get(at + 2) {
                Some(TokenTree::Ident(next)) => path.push(next.to_string()),
                Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace => {
                    tree = Some(group.stream().into_iter().collect::<Vec<_>>());
                }
                _ => break,
            }
            at += 3;
        }
        if let Some(tree) = tree {
            // `use a::{b, c::d}`: each part goes on from `a`.
            for part in tree.split(|token| is_punct(token, ',')) {
                paths(part, &path, depth, found);
            }
            continue;
        }
        if let Some(name) = path.last_mut()
            && tokens.get(at).is_some_and(|token| is_punct(token, '!'))
        {
            name.push('!');
        }
        found.push(Mention { line, path: absolute(path, depth).join("::") });
    }
}

/// `super::super::x`, where that reaches the root, is `crate::x`.
fn absolute(path: Vec<String>, depth: usize) -> Vec<String> {
    let ups = path.iter().take_while(|name| *name == "super").count();
    if ups == 0 || ups < depth {
        return path;
    }
    std::iter::once("crate".to_owned()).chain(path.into_iter().skip(ups)).collect()
}

fn is_ident(token: &TokenTree, name: &str) -> bool {
    matches!(token, TokenTree::Ident(ident) if ident == name)
}

fn is_punct(token: &TokenTree, mark: char) -> bool {
    matches!(token, TokenTree::Punct(punct) if punct.as_char() == mark)
}

fn is_colons(tokens: &[TokenTree], at: usize) -> bool {
    tokens.len() > at + 1 && is_punct(&tokens[at], ':') && is_punct(&tokens[at + 1], ':')
}

fn source() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("src")
}

/// Every file below `src`, by its path from there.
fn files(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path.strip_prefix(source()).unwrap().to_str().unwrap().replace('\\', "/"));
        }
    }
}

#[test]
fn every_module_keeps_to_its_place() {
    let mut all = Vec::new();
    files(&source(), &mut all);
    all.sort();
    assert!(all.len() > 50, "only {} files were found", all.len());
    let wrong: Vec<String> =
        all.iter().flat_map(|file| violations(file, &std::fs::read_to_string(source().join(file)).unwrap())).collect();
    assert!(wrong.is_empty(), "\n{}\n", wrong.join("\n"));
}

/// A table that lets a module use one below it would say nothing.
#[test]
fn the_table_itself_only_points_upwards() {
    for (index, (name, uses)) in LAYERS.iter().enumerate() {
        for used in uses.iter().filter(|used| **used != "VERSION") {
            let module = used.trim_start_matches("remotemedia::").split("::").next().unwrap();
            assert!(LAYERS[..index].iter().any(|(above, _)| *above == module), "`{name}` uses `{used}` from below");
        }
    }
}

#[test]
fn lib_rs_has_modules_and_exports_and_no_logic() {
    let code = std::fs::read_to_string(source().join("lib.rs")).unwrap();
    let mut scaffolding = 0;
    for item in syn::parse_file(&code).unwrap().items {
        match item {
            Item::Mod(module) => {
                assert!(module.content.is_none(), "lib.rs: `mod {}` has a body", module.ident);
                let name = module.ident.to_string();
                assert!(LAYERS.iter().any(|(known, _)| *known == name), "lib.rs: `{name}` has no place in the order");
            }
            Item::Use(_) | Item::Const(_) => {}
            Item::Macro(_) => scaffolding += 1,
            other => {
                let line = other.span().start().line;
                panic!("lib.rs:{line}: something other than modules, exports and constants");
            }
        }
    }
    assert_eq!(scaffolding, 1, "lib.rs has one line for UniFFI");
}

/// Code with one fault must be found with its line; the same code in the right place must pass.
#[test]
fn planted_faults_are_found() {
    let planted: &[(&str, &str, usize, &str)] = &[
        ("dsp/new.rs", "use crate::data::Pts;", 1, "crate::data::Pts"),
        ("data/new.rs", "\nuse crate::{error::Result, engine::Job};", 2, "crate::engine::Job"),
        ("builtin/audio/new.rs", "fn f() { crate::graph::check(); }", 1, "crate::graph::check"),
        ("builtin/audio/new.rs", "use super::super::super::graph::Graph;", 1, "crate::graph::Graph"),
        ("builtin/new.rs", "mod a { use super::super::super::engine; }", 1, "crate::engine"),
        ("graph/new.rs", "fn f() { g!(\n crate::builtin::register()); }", 2, "crate::builtin::register"),
        ("engine/new.rs", "use crate::manifest::{OnError, Manifest};", 1, "crate::manifest::Manifest"),
        ("runtime.rs", "use crate::ffi::item;", 1, "crate::ffi::item"),
        ("node/new.rs", "type P = crate::Pipeline;", 1, "crate::Pipeline"),
        ("unheard.rs", "use crate::data::Pts;", 1, "crate::data::Pts"),
        ("data/new.rs", "#[derive(uniffi::Record)] struct R;", 1, "uniffi::Record"),
        ("lib.rs", "#[uniffi::export] fn f() {}", 1, "uniffi::export"),
        ("builtin/new.rs", "use tokio::{sync::Notify, time};", 1, "tokio::sync::Notify"),
        ("builtin/new.rs", "fn f() { println!(\"x\"); }", 1, "println!"),
        ("engine/new.rs", "fn f() { std::eprintln!(\"x\"); }", 1, "std::eprintln!"),
        ("ffi/new.rs", "fn f() { dbg!(1); }", 1, "dbg!"),
        ("ffi/new.rs", "fn f() {\n unsafe { g() } }", 2, "unsafe"),
        ("data/new.rs", "#![allow(unsafe_code)]", 1, "unsafe_code"),
        ("data/new.rs", "use std::{fmt, fs::File};", 1, "std::fs::File"),
        ("manifest/new.rs", "fn f() { let t = std::time::Instant::now(); }", 1, "std::time::Instant::now"),
        ("graph/new.rs", "use std::time::{Duration, SystemTime};", 1, "std::time::SystemTime"),
        ("dsp/new.rs", "fn f() { std::thread::yield_now(); }", 1, "std::thread::yield_now"),
        ("node/new.rs", "use std::time::Instant;", 1, "std::time::Instant"),
        ("main.rs", "fn main() { remotemedia::runtime::run() }", 1, "remotemedia::runtime::run"),
    ];
    for (file, code, line, path) in planted {
        let found = violations(file, code);
        let expected = format!("{file}:{line}: `{path}`: ");
        assert!(found.iter().any(|fault| fault.starts_with(&expected)), "{file}: {code}: {found:?}");
    }
    let fine: &[(&str, &str)] = &[
        ("data/new.rs", "use crate::error::{Error, Result}; use std::time::Duration; mod t { use super::super::Pts; }"),
        ("engine/new.rs", "use crate::manifest::OnError; use std::thread; use tokio::sync::Notify;"),
        ("builtin/audio/new.rs", "/// `crate::engine` println!\nuse super::super::x; const A: &str = \"unsafe\";"),
        ("node/clock.rs", "use std::time::Instant;"),
        ("ffi/raw.rs", "#![allow(unsafe_code)] fn f() { unsafe { g() } }"),
        ("lib.rs", "pub use runtime::Pipeline; uniffi::setup_scaffolding!();"),
        ("cli/new.rs", "fn f() { println!(\"{}\", crate::VERSION); }"),
    ];
    for (file, code) in fine {
        assert_eq!(violations(file, code), Vec::<String>::new(), "{code}");
    }
}

/// `docs/architecture.md` names every folder of the repository and every page of documentation.
#[test]
fn the_tree_in_the_documentation_is_whole() {
    let root = source().parent().unwrap().to_owned();
    let page = std::fs::read_to_string(root.join("docs/architecture.md")).unwrap();
    let tree = page.split("```").nth(1).unwrap();
    let names = |folder: &Path, wanted: fn(&Path) -> bool| -> Vec<String> {
        let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        let wanted = entries.filter(|path| wanted(path));
        wanted.map(|path| path.file_name().unwrap().to_string_lossy().into_owned()).collect()
    };
    for folder in names(&root, Path::is_dir) {
        let ours = !folder.starts_with('.') && folder != "target" && !folder.starts_with("__");
        assert!(
            !ours || tree.lines().any(|line| line.starts_with(&format!("{folder}/ "))),
            "{folder}/ is not in the tree"
        );
    }
    for file in names(&root.join("docs"), Path::is_file) {
        assert!(tree.contains(&file) || file == "architecture.md", "{file} is not in the tree");
    }
}
