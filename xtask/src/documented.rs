//! Every public item has documentation: the exports, and the hand-written layers of Kotlin and Swift. Rust's compiler
//! sees to the crate, the linter to Python, and Dokka to Kotlin once more where Maven is.

use crate::library::{self, Flavour};
use crate::{bindings, files, paths};
use anyhow::{Result, bail};
use camino::Utf8Path;
use uniffi_bindgen::ComponentInterface;

pub fn check() -> Result<()> {
    let mut missing = exports(&bindings::interface(&library::build(Flavour::Full)?)?);
    for (folder, extension, find) in [
        (paths::kotlin()?.join("src/main"), "kt", kotlin as fn(&str) -> Vec<usize>),
        (paths::swift()?.join("Sources"), "swift", swift),
    ] {
        let skip = |path: &Utf8Path| path.extension().is_some_and(|other| other != extension);
        for path in files::walk(&folder, &skip)? {
            let text = files::text(&folder.join(&path))?;
            missing.extend(find(&text).into_iter().map(|line| format!("{}:{line}", folder.join(&path))));
        }
    }
    match missing.as_slice() {
        [] => Ok(()),
        names => bail!("public and without documentation: {}", names.join(", ")),
    }
}

/// Names of exports without a docstring.
fn exports(interface: &ComponentInterface) -> Vec<String> {
    let mut found = Vec::new();
    let mut see = |name: String, text: Option<&str>| {
        if text.is_none_or(|text| text.trim().is_empty()) {
            found.push(name);
        }
    };
    for item in interface.function_definitions() {
        see(item.name().to_owned(), item.docstring());
    }
    for item in interface.object_definitions() {
        see(item.name().to_owned(), item.docstring());
        for one in item.constructors() {
            see(format!("{}.{}", item.name(), one.name()), one.docstring());
        }
        for one in item.methods() {
            see(format!("{}.{}", item.name(), one.name()), one.docstring());
        }
    }
    for item in interface.record_definitions() {
        see(item.name().to_owned(), item.docstring());
        for one in item.fields() {
            see(format!("{}.{}", item.name(), one.name()), one.docstring());
        }
    }
    for item in interface.enum_definitions() {
        see(item.name().to_owned(), item.docstring());
        for one in item.variants() {
            see(format!("{}.{}", item.name(), one.name()), one.docstring());
        }
    }
    found
}

/// Lines, from 1, that declare something public after no comment. What the compiler wants to be said `public` is.
fn kotlin(text: &str) -> Vec<usize> {
    let declares = |line: &str| {
        // Parameters of a constructor stand in the class's comment.
        line.starts_with("public ") && !line.starts_with("public companion object") && !line.ends_with(',')
    };
    undocumented(text, declares, |line| line.ends_with("*/"))
}

/// The same for Swift. The cases of a `switch` begin with a point or have a colon, those of an `enum` do not.
fn swift(text: &str) -> Vec<usize> {
    let declares = |line: &str| {
        let case =
            line.strip_prefix("case ").is_some_and(|rest| !rest.starts_with(['.', '"']) && !rest.contains([':', '=']));
        line.starts_with("public ") && !line.starts_with("public extension") || case
    };
    undocumented(text, declares, |line| line.starts_with("///"))
}

fn undocumented(text: &str, declares: impl Fn(&str) -> bool, is_comment: impl Fn(&str) -> bool) -> Vec<usize> {
    let lines: Vec<&str> = text.lines().map(str::trim).collect();
    let alone = |at: &usize| {
        let above = lines[..*at].iter().rev().find(|line| !line.starts_with('@'));
        declares(lines[*at]) && !above.is_some_and(|line| is_comment(line))
    };
    (0..lines.len()).filter(alone).map(|at| at + 1).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_public_line_without_a_comment_is_found() {
        let text = "/** A. */\n@JvmStatic\npublic fun a() = 1\n\npublic fun b() = 2\npublic companion object {\n";
        assert_eq!(kotlin(text), [5]);
        assert_eq!(kotlin("/** A. */\npublic class A(\n    public val x: Int,\n)\n"), Vec::<usize>::new());
        let text = "/// A.\n@discardableResult\npublic func a() {}\npublic func b() {}\n    case one(Int)\n  case .two: 2\n  case .three,\n";
        assert_eq!(swift(text), [4, 5]);
    }
}
