//! The rules of `deny.toml`, held: by cargo-deny where it is installed, by the same rules read here otherwise.

use crate::linked::{self, list};
use crate::{files, paths, run};
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::iter::Peekable;

pub fn check() -> Result<()> {
    if run::probe(std::process::Command::new("cargo").args(["deny", "--version"])).is_some() {
        println!("by cargo-deny: licences, bans, sources");
        let mut cargo = run::cargo();
        cargo.current_dir(paths::root()?).args(["deny", "--offline", "check", "licenses", "bans", "sources"]);
        return run::quietly(&mut cargo);
    }
    println!("cargo-deny is not installed: licences, wildcards and sources by xtask, from the same deny.toml");
    let rules = Rules::read(&files::text(&paths::root()?.join("deny.toml"))?)?;
    let wrong = rules.violations(&linked::metadata()?);
    match wrong.is_empty() {
        true => Ok(()),
        false => bail!("against deny.toml:\n  {}", wrong.join("\n  ")),
    }
}

struct Rules {
    licences: BTreeSet<String>,
    registries: Vec<String>,
}

impl Rules {
    fn read(text: &str) -> Result<Self> {
        let table: toml::Table = text.parse().context("deny.toml")?;
        let words = |section: &str, key: &str| -> Result<Vec<String>> {
            let list = table.get(section).and_then(|one| one.get(key)).and_then(toml::Value::as_array);
            let list = list.with_context(|| format!("deny.toml has no {section}.{key}"))?;
            Ok(list.iter().filter_map(|one| one.as_str().map(str::to_owned)).collect())
        };
        let licences = words("licenses", "allow")?.into_iter().collect();
        Ok(Self { licences, registries: words("sources", "allow-registry")? })
    }

    /// One line for each package that breaks a rule.
    fn violations(&self, metadata: &Value) -> Vec<String> {
        let mut wrong = Vec::new();
        for package in list(&metadata["packages"]) {
            let word = |key: &str| package[key].as_str().unwrap_or_default();
            let title = format!("{} {}", word("name"), word("version"));
            let licence = word("license").replace('/', " OR ");
            if !self.allows(&licence) {
                wrong.push(format!("{title}: the licence `{licence}` is not allowed"));
            }
            let source = word("source");
            let known = self.registries.iter().any(|one| source == format!("registry+{one}"));
            // A package of this workspace has no source.
            if !source.is_empty() && !known {
                wrong.push(format!("{title}: comes from {source}"));
            }
            if source.is_empty() {
                let open = list(&package["dependencies"]).filter(|one| one["req"] == "*" && one["path"].is_null());
                wrong.extend(open.map(|one| format!("{title}: any version of {} will do", one["name"])));
            }
        }
        wrong
    }

    /// Whether the licences that are allowed satisfy an SPDX expression. An exception only adds permissions.
    fn allows(&self, expression: &str) -> bool {
        let spaced = expression.replace('(', " ( ").replace(')', " ) ");
        let mut words = spaced.split_whitespace().peekable();
        self.either(&mut words) == Some(true) && words.next().is_none()
    }

    /// `None` when the expression breaks off.
    fn either<'a>(&self, words: &mut Peekable<impl Iterator<Item = &'a str>>) -> Option<bool> {
        let mut allowed = self.all(words)?;
        while words.next_if_eq(&"OR").is_some() {
            allowed |= self.all(words)?;
        }
        Some(allowed)
    }

    fn all<'a>(&self, words: &mut Peekable<impl Iterator<Item = &'a str>>) -> Option<bool> {
        let mut allowed = self.one(words)?;
        while words.next_if_eq(&"AND").is_some() {
            allowed &= self.one(words)?;
        }
        Some(allowed)
    }

    fn one<'a>(&self, words: &mut Peekable<impl Iterator<Item = &'a str>>) -> Option<bool> {
        let word = words.next()?;
        if word == "(" {
            let allowed = self.either(words)?;
            return words.next().filter(|word| *word == ")").map(|_| allowed);
        }
        if words.next_if_eq(&"WITH").is_some() {
            words.next()?;
        }
        Some(self.licences.contains(word))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> Rules {
        Rules::read("[licenses]\nallow = [\"MIT\", \"Apache-2.0\"]\n[sources]\nallow-registry = [\"r\"]").unwrap()
    }

    #[test]
    fn expressions_are_read_as_spdx_means_them() {
        let rules = rules();
        for fine in ["MIT", "MIT OR GPL-3.0", "(MIT OR GPL-3.0) AND Apache-2.0", "Apache-2.0 WITH LLVM-exception"] {
            assert!(rules.allows(fine), "{fine}");
        }
        for not in ["", "GPL-3.0", "MIT AND GPL-3.0", "MIT OR", "(MIT", "MIT MIT", "GPL-2.0 WITH x OR LGPL-3.0"] {
            assert!(!rules.allows(not), "{not}");
        }
    }

    #[test]
    fn each_rule_is_held() {
        let package = |licence: &str, source: Value, req: &str| {
            serde_json::json!({"packages": [{"name": "x", "version": "1", "license": licence, "source": source,
                "dependencies": [{"name": "y", "req": req, "path": null}]}]})
        };
        let registry = serde_json::json!("registry+r");
        assert!(rules().violations(&package("MIT", registry.clone(), "*")).is_empty());
        assert!(rules().violations(&package("GPL-3.0", registry, "1"))[0].contains("licence"));
        assert!(rules().violations(&package("MIT", serde_json::json!("git+x"), "1"))[0].contains("comes from"));
        assert!(rules().violations(&package("MIT", Value::Null, "*"))[0].contains("any version"));
    }
}
