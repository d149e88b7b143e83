//! The package for Android: a zip of classes, libraries per ABI and rules for the shrinker, with its POM. No Android SDK
//! is needed to put it together; the libraries come from a machine with the NDK (`docs/mobile.md`).

use crate::bindings::Generated;
use crate::native::{self, ANDROID};
use crate::{archive, files, metadata, paths};
use anyhow::{Context, Result, bail};
use camino::Utf8Path;
use std::collections::BTreeMap;

/// The lowest API level: `ThreadLocal.withInitial` came with it.
const MIN_SDK: u32 = 26;

/// JNA finds classes and fields by name, and the generated code is what it finds.
const PROGUARD: &str = "\
-keep class com.sun.jna.** { *; }
-keep class org.remotemedia.internal.** { *; }
-keep class org.remotemedia.LaneLibrary { *; }
-dontwarn java.awt.**
-dontwarn java.lang.ref.Cleaner
-dontwarn java.lang.ref.Cleaner$Cleanable
";

/// Puts the AAR of every Android library found below `target` into the repository. Says what is in it.
pub fn build(generated: &Generated, classes: &Utf8Path, repository: &Utf8Path) -> Result<Vec<String>> {
    let needed = native::called(generated.kotlin.values());
    let mut libraries = BTreeMap::new();
    let mut said = Vec::new();
    for platform in ANDROID {
        let Some(path) = platform.built(&["release", "phone"])? else { continue };
        let library = files::read(&path)?;
        platform.check(&path, &library, &needed)?;
        said.push(format!("{}: {path}, {:.2} MB", platform.folder, library.len() as f64 / 1e6));
        libraries.insert(platform.folder, library);
    }
    if libraries.is_empty() {
        let places: Vec<String> =
            ANDROID.iter().map(|one| format!("target/{}/release/{}", one.triple, one.file)).collect();
        bail!(
            "there is no library for Android: expected one or more of {}; docs/mobile.md has the commands, which need the NDK",
            places.join(", ")
        );
    }
    let skip = |path: &Utf8Path| matches!(path.extension(), Some("so" | "dylib" | "dll"));
    let mut contents = BTreeMap::new();
    for path in files::walk(classes, &skip)? {
        contents.insert(path.to_string(), files::read(&classes.join(&path))?);
    }
    let version = metadata::load()?.version;
    let folder = repository.join(format!("org/remotemedia/remotemedia-android/{version}"));
    let stem = format!("remotemedia-android-{version}");
    files::write(&folder.join(format!("{stem}.aar")), &assemble(&contents, &libraries)?)?;
    let pom = pom(&files::text(&paths::kotlin()?.join("pom.xml"))?, &version)?;
    files::write(&folder.join(format!("{stem}.pom")), pom.as_bytes())?;
    Ok(said)
}

/// The AAR's bytes, in the order of the format's description.
fn assemble(classes: &BTreeMap<String, Vec<u8>>, libraries: &BTreeMap<&str, Vec<u8>>) -> Result<Vec<u8>> {
    let manifest = format!(
        "<manifest xmlns:android=\"http://schemas.android.com/apk/res/android\" package=\"org.remotemedia\">\n    \
         <uses-sdk android:minSdkVersion=\"{MIN_SDK}\"/>\n</manifest>\n"
    );
    let jar = archive::zip(classes.iter().map(|(path, content)| (path.as_str(), content.as_slice())))?;
    let mut entries: Vec<(String, &[u8])> = vec![
        ("AndroidManifest.xml".to_owned(), manifest.as_bytes()),
        ("R.txt".to_owned(), b""),
        ("classes.jar".to_owned(), &jar),
        ("proguard.txt".to_owned(), PROGUARD.as_bytes()),
    ];
    for (abi, library) in libraries {
        entries.push((format!("jni/{abi}/libremotemedia.so"), library));
    }
    archive::zip(entries.iter().map(|(path, content)| (path.as_str(), *content)))
}

/// The POM: the dependencies of the jar's, with JNA's own AAR, which brings its library for Android.
fn pom(jar: &str, version: &str) -> Result<String> {
    let dependency = |group: &str, artifact: &str, kind: &str| -> Result<String> {
        let found = version_of(jar, artifact)?;
        Ok(format!(
            "    <dependency>\n      <groupId>{group}</groupId>\n      <artifactId>{artifact}</artifactId>\n      \
             <version>{found}</version>\n{kind}    </dependency>\n"
        ))
    };
    let dependencies = [
        dependency("org.jetbrains.kotlin", "kotlin-stdlib", "")?,
        dependency("net.java.dev.jna", "jna", "      <type>aar</type>\n")?,
        dependency("org.jetbrains.kotlinx", "kotlinx-coroutines-core-jvm", "")?,
    ];
    Ok(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<project xmlns=\"http://maven.apache.org/POM/4.0.0\">\n  \
         <modelVersion>4.0.0</modelVersion>\n  <groupId>org.remotemedia</groupId>\n  \
         <artifactId>remotemedia-android</artifactId>\n  <version>{version}</version>\n  <packaging>aar</packaging>\n  \
         <dependencies>\n{}  </dependencies>\n</project>\n",
        dependencies.concat()
    ))
}

/// The version that the jar's POM gives for an artifact, also through a property.
fn version_of(pom: &str, artifact: &str) -> Result<String> {
    let inside = |text: &str, tag: &str| -> Option<String> {
        let rest = text.split_once(&format!("<{tag}>"))?.1;
        Some(rest.split_once(&format!("</{tag}>"))?.0.to_owned())
    };
    let rest = pom.split_once(&format!("<artifactId>{artifact}</artifactId>")).map(|(_, rest)| rest);
    let found = rest.and_then(|rest| inside(rest, "version"));
    let found = found.with_context(|| format!("pom.xml gives no version of {artifact}"))?;
    match found.strip_prefix("${").and_then(|name| name.strip_suffix('}')) {
        Some(property) => inside(pom, property).with_context(|| format!("pom.xml has no property {property}")),
        None => Ok(found),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Cursor, Read};

    fn text(archive: &mut zip::ZipArchive<Cursor<Vec<u8>>>, name: &str) -> Vec<u8> {
        let mut bytes = Vec::new();
        archive.by_name(name).unwrap().read_to_end(&mut bytes).unwrap();
        bytes
    }

    #[test]
    fn an_aar_has_classes_libraries_rules_and_the_same_bytes_each_time() {
        let classes = BTreeMap::from([("org/remotemedia/Session.class".to_owned(), b"class".to_vec())]);
        let libraries = BTreeMap::from([("arm64-v8a", b"arm".to_vec()), ("x86_64", b"x86".to_vec())]);
        let bytes = assemble(&classes, &libraries).unwrap();
        assert_eq!(bytes, assemble(&classes, &libraries).unwrap());
        let mut aar = zip::ZipArchive::new(Cursor::new(bytes)).unwrap();
        let names: Vec<String> = aar.file_names().map(|name| name.unwrap().into_owned()).collect();
        let expected = [
            "AndroidManifest.xml",
            "R.txt",
            "classes.jar",
            "proguard.txt",
            "jni/arm64-v8a/libremotemedia.so",
            "jni/x86_64/libremotemedia.so",
        ];
        assert_eq!(names, expected);
        assert_eq!(text(&mut aar, "jni/arm64-v8a/libremotemedia.so"), b"arm");
        let manifest = String::from_utf8(text(&mut aar, "AndroidManifest.xml")).unwrap();
        assert!(manifest.contains("package=\"org.remotemedia\"") && manifest.contains("minSdkVersion=\"26\""));
        let jar = text(&mut aar, "classes.jar");
        let mut jar = zip::ZipArchive::new(Cursor::new(jar)).unwrap();
        assert_eq!(text(&mut jar, "org/remotemedia/Session.class"), b"class");
    }

    #[test]
    fn the_pom_takes_its_versions_from_the_one_of_the_jar() {
        let jar = files::text(&paths::kotlin().unwrap().join("pom.xml")).unwrap();
        let pom = pom(&jar, "9.8.7").unwrap();
        assert!(pom.contains("<version>9.8.7</version>\n  <packaging>aar</packaging>"), "{pom}");
        assert!(pom.contains("<type>aar</type>") && !pom.contains("${"), "{pom}");
        assert!(version_of(&jar, "no-such-artifact").is_err());
    }
}
