//! Any text gives a pipeline or an error that names a place in it; never a panic.
#![no_main]

use libfuzzer_sys::fuzz_target;
use remotemedia::manifest::Source;
use remotemedia::{Pipeline, Severity};

fuzz_target!(|data: &[u8]| {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let (fine, problems) = Pipeline::validate_from(text, Source::File("fuzz.json"));
    assert_eq!(fine, problems.iter().all(|problem| problem.severity == Severity::Warning));
    for problem in &problems {
        assert!(problem.line.is_some_and(|line| line >= 1) && problem.column.is_some_and(|column| column >= 1));
        assert!(problem.end_column >= problem.column);
        assert!(problem.to_string().len() < 100_000);
    }
    if let Err(error) = Pipeline::new(text) {
        assert!(!fine && !error.to_string().is_empty());
    }
    let (fine_as_value, problems) = Pipeline::validate_from(text, Source::Value);
    assert!(fine == fine_as_value && problems.iter().all(|problem| problem.line.is_none()));
});
