//! Links of the documents: each leads to a file that there is, and to a heading in it.

use crate::{files, paths};
use anyhow::{Result, bail};
use camino::{Utf8Path, Utf8PathBuf};
use std::collections::BTreeMap;

/// Checks every link of every Markdown file of the repository.
pub fn check() -> Result<()> {
    let root = paths::root()?;
    let mut pages = BTreeMap::new();
    for folder in ["docs", "tests", "examples", "python/remotemedia"] {
        for path in files::walk(&root.join(folder), &files::is_litter)? {
            pages.insert(root.join(folder).join(path), String::new());
        }
    }
    for name in ["README.md", "SECURITY.md", "CHANGELOG.md"] {
        pages.insert(root.join(name), String::new());
    }
    pages.retain(|path, _| path.extension() == Some("md"));
    for (path, text) in &mut pages {
        *text = files::text(path)?;
    }
    let mut broken = Vec::new();
    for (page, text) in &pages {
        for link in links(text) {
            if let Some(why) = leads_nowhere(page, link, &pages) {
                broken.push(format!("{}: {link}: {why}", page.strip_prefix(&root).unwrap_or(page)));
            }
        }
    }
    match broken.is_empty() {
        true => Ok(()),
        false => bail!("links that lead nowhere:\n  {}", broken.join("\n  ")),
    }
}

/// Why a link of a page leads nowhere. Pages of the web are not looked at.
fn leads_nowhere(page: &Utf8Path, link: &str, pages: &BTreeMap<Utf8PathBuf, String>) -> Option<String> {
    if link.contains("://") || link.starts_with("mailto:") {
        return None;
    }
    let (path, heading) = link.split_once('#').map_or((link, None), |(path, heading)| (path, Some(heading)));
    let target = match path {
        "" => page.to_owned(),
        path => page.parent().unwrap_or(page).join(path).canonicalize_utf8().unwrap_or_else(|_| path.into()),
    };
    if !target.exists() {
        return Some("there is no such file".to_owned());
    }
    let heading = heading?;
    let text = pages.get(&target)?;
    (!headings(text).any(|one| one == heading)).then(|| format!("{target} has no such heading"))
}

/// The targets of `[words](target)`, outside of code.
fn links(text: &str) -> Vec<&str> {
    let mut in_code = false;
    let mut found = Vec::new();
    for line in text.lines() {
        in_code ^= line.starts_with("```");
        if !in_code {
            found.extend(line.split("](").skip(1).filter_map(|rest| Some(rest.split_once(')')?.0)));
        }
    }
    found
}

/// The headings as links name them: small letters, `-` for a space, nothing for other marks.
fn headings(text: &str) -> impl Iterator<Item = String> {
    let titles = text.lines().filter(|line| line.starts_with('#')).map(|line| line.trim_start_matches('#').trim());
    titles.map(|title| {
        let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
        kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_hold() {
        check().unwrap();
    }

    #[test]
    fn a_link_that_leads_nowhere_is_found() {
        let text = "# Of `this` page\n[a](#of-this-page) and [b](#gone)\n```\n[c](none.md)\n```\n[d](https://x.org)\n";
        assert_eq!(links(text), ["#of-this-page", "#gone", "https://x.org"]);
        let page = paths::root().unwrap().join("README.md");
        let pages = BTreeMap::from([(page.clone(), text.to_owned())]);
        let why = |link: &str| leads_nowhere(&page, link, &pages);
        assert_eq!(why("#of-this-page"), None);
        assert!(why("#gone").unwrap().contains("no such heading"));
        assert_eq!(why("none.md").unwrap(), "there is no such file");
        assert_eq!((why("docs/mobile.md"), why("https://x.org")), (None, None));
    }
}
