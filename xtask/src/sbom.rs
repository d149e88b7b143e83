//! The bill of materials that lies in the wheel (PEP 770): CycloneDX, of what is linked into the library.

use crate::linked::{self, Linked};
use crate::metadata::Package;
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// Its name in the folder `sboms` of the dist-info.
pub const NAME: &str = "remotemedia.cdx.json";

/// The text. The same sources give the same text: no time, no serial number.
pub fn render(package: &Package) -> Result<String> {
    let text = format!("{:#}\n", document(package, &linked::load()?));
    check(&text)?;
    Ok(text)
}

fn document(package: &Package, linked: &[Linked]) -> Value {
    let purl = |one: &Linked| format!("pkg:cargo/{}@{}", one.name, one.version);
    let by_title = |title: &String| linked.iter().find(|one| one.title() == *title).map(purl);
    let wheel = format!("pkg:pypi/{}@{}", package.name, package.version);
    let components: Vec<Value> = linked
        .iter()
        .map(|one| {
            let mut component = json!({
                "type": "library",
                "bom-ref": purl(one),
                "name": one.name,
                "version": one.version,
                "description": one.description,
                "licenses": [{"expression": one.licence}],
                "purl": purl(one),
            });
            if let Some(sha256) = &one.sha256 {
                component["hashes"] = json!([{"alg": "SHA-256", "content": sha256}]);
            }
            component
        })
        .collect();
    let mut dependencies: Vec<Value> = linked
        .iter()
        .map(|one| json!({"ref": purl(one), "dependsOn": one.uses.iter().filter_map(by_title).collect::<Vec<_>>()}))
        .collect();
    dependencies.push(json!({"ref": wheel, "dependsOn": linked.first().map(purl)}));
    if let Some(last) = dependencies.last_mut() {
        last["dependsOn"] = json!(linked.first().map(purl).into_iter().collect::<Vec<_>>());
    }
    json!({
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {
            "component": {
                "type": "library",
                "bom-ref": wheel,
                "name": package.name,
                "version": package.version,
                "licenses": [{"expression": linked.first().map(|own| own.licence.as_str())}],
                "purl": wheel,
            },
            "tools": {"components": [{"type": "application", "name": "cargo xtask build-wheel"}]},
        },
        "components": components,
        "dependencies": dependencies,
    })
}

/// What the specification requires of it, as far as it matters here.
pub fn check(text: &str) -> Result<()> {
    let bom: Value = serde_json::from_str(text)?;
    if bom["bomFormat"] != "CycloneDX" || bom["specVersion"] != "1.5" {
        bail!("the bill of materials is no CycloneDX 1.5");
    }
    let wheel = &bom["metadata"]["component"];
    if wheel["version"].as_str().is_none_or(str::is_empty) || wheel["licenses"][0]["expression"].as_str().is_none() {
        bail!("the bill of materials names no version or licence of the wheel: {wheel}");
    }
    let mut references = BTreeSet::from([bom["metadata"]["component"]["bom-ref"].to_string()]);
    for one in linked::list(&bom["components"]) {
        for key in ["type", "name", "version", "purl", "bom-ref"] {
            if one[key].as_str().is_none_or(str::is_empty) {
                bail!("a component without `{key}`: {one}");
            }
        }
        if one["licenses"][0]["expression"].as_str().is_none_or(str::is_empty) {
            bail!("{} has no licence in the bill of materials", one["name"]);
        }
        // Packages of this workspace come from no registry.
        let own = one["name"].as_str().is_some_and(|name| name == "remotemedia" || name.starts_with("remotemedia-"));
        if !own && one["hashes"][0]["content"].as_str().is_none_or(|hash| hash.len() != 64) {
            bail!("{} has no hash in the bill of materials", one["name"]);
        }
        if !references.insert(one["bom-ref"].to_string()) {
            bail!("{} stands twice in the bill of materials", one["name"]);
        }
    }
    for one in linked::list(&bom["dependencies"]) {
        for reference in std::iter::once(&one["ref"]).chain(linked::list(&one["dependsOn"])) {
            if !references.contains(&reference.to_string()) {
                bail!("the bill of materials refers to {reference}, which it does not list");
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ours_is_complete_and_faults_are_found() {
        let text = render(&crate::metadata::load().unwrap()).unwrap();
        let mut bom: Value = serde_json::from_str(&text).unwrap();
        let names: Vec<&str> = linked::list(&bom["components"]).filter_map(|one| one["name"].as_str()).collect();
        assert_eq!(names[0], "remotemedia");
        for name in ["uniffi", "tokio", "rubato", "symphonia", "serde_json"] {
            assert!(names.contains(&name), "{name}");
        }
        assert!(!names.contains(&"syn"), "macros are not linked");
        bom["components"][3]["licenses"] = json!([]);
        assert!(check(&bom.to_string()).is_err());
        assert!(check("{}").is_err());
    }
}
