//! The register of codes: complete, in order, and each example gives its code.

use std::collections::BTreeSet;
use std::path::Path;

use remotemedia::codes::{CODES, find};
use remotemedia::{ErrorKind, Pipeline};

#[test]
fn every_code_in_the_source_is_registered_and_the_other_way_round() {
    fn gather(folder: &Path, found: &mut BTreeSet<String>) {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                gather(&path, found);
            } else if path.extension().is_some_and(|ext| ext == "rs") && !path.ends_with("codes.rs") {
                let text = std::fs::read_to_string(&path).unwrap();
                found.extend(
                    text.split('"').filter(|word| word.len() == 6 && word.starts_with("RM0")).map(str::to_owned),
                );
            }
        }
    }
    let mut used = BTreeSet::new();
    gather(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut used);
    let registered: BTreeSet<String> = CODES.iter().map(|entry| entry.code.to_owned()).collect();
    assert_eq!(used, registered);
    assert_eq!(registered.len(), CODES.len(), "a code stands there twice");
    assert!(CODES.is_sorted_by_key(|entry| entry.code));
}

#[test]
fn each_example_gives_its_code() {
    for entry in CODES {
        let Some(text) = entry.manifest else { continue };
        let (_, problems) = Pipeline::validate(text);
        let codes: Vec<&str> = problems.iter().map(|problem| problem.code).collect();
        assert_eq!(codes, [entry.code], "{text}");
        if let Err(error) = Pipeline::new(text) {
            assert_eq!((error.code(), error.kind()), (entry.code, entry.kind), "{text}");
        }
    }
}

#[test]
fn entries_say_something() {
    for entry in CODES {
        assert!(entry.text.ends_with('.') && !entry.title.ends_with('.') && entry.text.len() > 20, "{}", entry.code);
        assert_eq!(find(&entry.code.to_lowercase()).map(|found| found.code), Some(entry.code));
        let of_manifest = entry.code < "RM0200";
        assert_eq!(entry.kind == ErrorKind::Manifest, of_manifest, "{}", entry.code);
    }
}
