//! The program, as people and scripts use it.

use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};

/// A folder of its own for each test, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NUMBER: AtomicUsize = AtomicUsize::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("remotemedia-cli-{}-{number}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        Self(folder)
    }

    fn write(&self, name: &str, text: &str) -> &Self {
        std::fs::write(self.0.join(name), text).unwrap();
        self
    }

    fn names(&self) -> Vec<String> {
        let mut names: Vec<String> = std::fs::read_dir(&self.0)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .collect();
        names.sort();
        names
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_remotemedia"));
        command.args(arguments).current_dir(&self.0).stdin(Stdio::null());
        command
    }

    fn run(&self, arguments: &[&str]) -> Output {
        self.command(arguments).output().unwrap()
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

fn data(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples").join(name);
    path.to_str().unwrap().to_owned()
}

fn chain(node_type: &str, params: Value) -> String {
    json!({"version": "v1", "nodes": [{"id": "it", "node_type": node_type, "params": params}]}).to_string()
}

/// Sample rate, channels and frames from the header of a WAV file of 16 bits.
fn wav(bytes: &[u8]) -> (u32, u16, usize) {
    assert_eq!(&bytes[..4], b"RIFF");
    let number = |at: usize| u32::from_le_bytes(bytes[at..at + 4].try_into().unwrap());
    let channels = u16::from_le_bytes(bytes[22..24].try_into().unwrap());
    (number(24), channels, number(40) as usize / 2 / usize::from(channels))
}

#[test]
fn a_manifest_runs_over_a_file() {
    let folder = Folder::new();
    let (manifest, clip) = (data("manifests/speech.json"), data("data/jfk.wav"));
    let done = folder.run(&["run", &manifest, "-i", &clip, "-o", "vad=out.wav", "-o", "vad.events=out.jsonl"]);
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()));
    assert_eq!(wav(&std::fs::read(folder.0.join("out.wav")).unwrap()), (16_000, 1, 176_000));
    let events = std::fs::read_to_string(folder.0.join("out.jsonl")).unwrap();
    let first: Value = serde_json::from_str(events.lines().next().unwrap()).unwrap();
    assert_eq!(first["event"], "speech_start");
    assert!(text(&done.stdout).contains("vad: 11.000 s of audio, 16000 Hz, 1 channel\n"));
    assert_eq!(folder.names(), ["out.jsonl", "out.wav"], "nothing partial is left");
}

#[test]
fn pipes_carry_wav_and_samples() {
    let folder = Folder::new();
    folder.write("m.json", &chain("AudioResample", json!({"target_rate": 8000})));
    let clip = std::fs::read(data("data/jfk.wav")).unwrap();
    let piped = |arguments: &[&str], input: &[u8]| {
        let mut child = folder
            .command(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        let input = input.to_vec();
        let writer = std::thread::spawn(move || drop(stdin.write_all(&input)));
        let done = child.wait_with_output().unwrap();
        writer.join().unwrap();
        assert_eq!((done.status.code(), text(&done.stderr)), (Some(0), String::new()));
        done.stdout
    };
    let out = piped(&["run", "m.json", "-i", "-", "-o", "-"], &clip);
    assert_eq!(wav(&out), (8000, 1, 88_000));
    let start = 8 + clip.windows(4).position(|four| four == b"data").unwrap();
    // The same samples without headers give the same samples.
    let raw =
        piped(&["run", "m.json", "-i", "-", "-o", "-", "--raw", "s16le,16000,1"], &clip[start..start + 2 * 176_000]);
    assert!(raw == out[44..], "not the same samples");
    let float = piped(&["run", "m.json", "-i", "-", "-o", "-", "--raw", "f32le,16000,2"], &[0; 16_000 * 8]);
    assert_eq!(float.len(), 8000 * 8);
}

#[test]
fn results_metrics_and_errors_come_as_json() {
    let folder = Folder::new();
    folder.write("m.json", &chain("TextCase", json!({"mode": "upper"}))).write("in.txt", "grüße");
    let done = folder.run(&["run", "m.json", "-i", "in.txt", "-i", "in.txt", "--json", "--metrics"]);
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(found["results"], json!({"it": ["GRÜSSE", "GRÜSSE"]}));
    assert_eq!(found["metrics"]["nodes"][0]["calls"], 2);
    let done = folder.run(&["run", "m.json", "-i", &data("data/jfk.wav"), "--json"]);
    assert_eq!(done.status.code(), Some(1));
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&found["error"]["kind"], &found["error"]["node"]), (&json!("InputType"), &json!("it")));
    folder.write("m.json", &chain("TextCas", json!({})));
    let done = folder.run(&["run", "m.json", "--json"]);
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!(found["error"]["problems"][0]["nearest"], "TextCase");
}

#[test]
fn failures_leave_nothing_behind_and_destroy_nothing() {
    let folder = Folder::new();
    folder.write("m.json", &chain("Gain", json!({"gain_db": -6.0}))).write("old.wav", "precious");
    std::fs::copy(data("data/jfk.wav"), folder.0.join("in.wav")).unwrap();
    let refused = [
        (vec!["-o", "old.wav"], "--force replaces it"),
        (vec!["-o", "in.wav", "--force"], "in.wav is an input too"),
        (vec!["-o", "out.mp3"], "name the file .wav or .flac"),
        (vec!["-o", "out.flac", "--subtype", "FLOAT"], "FLAC stores PCM_16 or PCM_24"),
        (vec!["-o", "no/such/folder.wav"], "folder.wav"),
        (vec!["-o", "ti=out.wav"], "did you mean `it`?"),
        (vec!["-o", "out.wav", "--subtype", "PCM_8"], "expected PCM_16"),
        (vec!["--raw", "s16le,16000"], "such as s16le,16000,1"),
        (vec!["--timeout-s", "0"], "--timeout-s is 0"),
    ];
    for (arguments, said) in refused {
        let done = folder.run(&[&["run", "m.json", "-i", "in.wav"], arguments.as_slice()].concat());
        assert_eq!(done.status.code(), Some(1), "{arguments:?}");
        assert!(
            text(&done.stderr).starts_with("error: ") && text(&done.stderr).contains(said),
            "{}",
            text(&done.stderr)
        );
        assert_eq!(folder.names(), ["in.wav", "m.json", "old.wav"]);
    }
    assert_eq!(std::fs::read(folder.0.join("old.wav")).unwrap(), b"precious");
    let done = folder.run(&["run", "m.json", "-i", "none.wav"]);
    assert!(text(&done.stderr).contains("none.wav"), "{}", text(&done.stderr));
    assert_eq!(folder.run(&["run", "m.json", "-i", "in.wav", "-o", "old.wav", "--force"]).status.code(), Some(0));
    assert_eq!(wav(&std::fs::read(folder.0.join("old.wav")).unwrap()), (16_000, 1, 176_000));
}

/// A command whose reader goes before it prints ends well, and says nothing.
fn assert_quiet_without_reader(folder: &Folder, arguments: &[&str]) {
    let mut child = folder.command(arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let mut said = String::new();
    child.stderr.take().unwrap().read_to_string(&mut said).unwrap();
    assert_eq!((child.wait().unwrap().code(), said), (Some(0), String::new()), "{arguments:?}");
}

#[test]
fn a_reader_that_has_gone_is_no_failure() {
    let folder = Folder::new();
    for arguments in [&["nodes", "--json"][..], &["explain"], &["doctor"]] {
        assert_quiet_without_reader(&folder, arguments);
    }
}

#[test]
fn numbers_stand_with_the_right_words() {
    let folder = Folder::new();
    folder.write("m.json", &chain("Gain", json!({})));
    folder.write("one.raw", "x");
    let done = folder.run(&["run", "m.json", "-i", "one.raw", "--raw", "s16le,16000,1"]);
    let said = text(&done.stderr);
    assert!(said.contains("one.raw has 1 byte, expected whole frames of 2"), "{said}");
    let clip = data("data/jfk.wav");
    let done = folder.run(&["run", "m.json", "-i", &clip, "--metrics"]);
    let said = text(&done.stdout);
    assert!(said.contains("Hz, 1 channel\n") && !said.contains("1 channels"), "{said}");
    let done = folder.run(&["verify", "PassThrough"]);
    let said = text(&done.stdout);
    assert!(said.trim_end().ends_with("give the same, largest difference of a sample 0"), "{said}");
    let done = folder.run(&["latency", "m.json"]);
    let said = text(&done.stderr);
    assert!(said.contains("the format of its input is unknown, expected one that is known"), "{said}");
}

#[test]
fn validate_reports_as_text_and_as_json() {
    let folder = Folder::new();
    folder.write(
        "bad.json",
        "{\n \"version\": \"v1\",\n \"nodes\": [{\"id\": \"a\", \"node_type\": \"Gian\", \"note\": 1}]\n}",
    );
    let done = folder.run(&["validate", "bad.json"]);
    assert_eq!((done.status.code(), text(&done.stderr)), (Some(1), String::new()));
    let report = text(&done.stdout);
    assert!(report.contains("error: RM0103: unknown node_type `Gian`"), "{report}");
    assert!(report.contains("   --> bad.json:3:37\n    |\n  3 |  \"nodes\": [{\"id\": \"a\", \"node_type\": \"Gian\", \"note\": 1}]\n    |                                     ^^^^^^\n"), "{report}");
    assert!(report.ends_with("bad.json: 1 error, 1 warning; `remotemedia explain CODE` says more\n"), "{report}");
    let done = folder.run(&["validate", "bad.json", "--json"]);
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((&found["valid"], &found["file"]), (&json!(false), &json!("bad.json")));
    let problem = found["problems"].as_array().unwrap().iter().find(|one| one["severity"] == "error").unwrap();
    let place = json!([problem["code"], problem["path"], problem["line"], problem["column"], problem["end_column"]]);
    assert_eq!(place, json!(["RM0103", "/nodes/0/node_type", 3, 37, 43]));
    assert_eq!(folder.run(&["validate", &data("manifests/speech.json")]).status.code(), Some(0));
    let mut child = folder.command(&["validate", "-"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"{'a': 1}").unwrap();
    let done = child.wait_with_output().unwrap();
    assert!(text(&done.stdout).contains("standard input:1:2"));
    assert_eq!(folder.run(&["validate", "none.json"]).status.code(), Some(1));
}

#[test]
fn the_doctor_finds_this_machine_well() {
    let done = Folder::new().run(&["doctor", "--json", "--also", "warning:other:a line of the caller's"]);
    let found: Value = serde_json::from_slice(&done.stdout).unwrap();
    assert_eq!((done.status.code(), &found["ok"]), (Some(0), &json!(true)));
    let names: Vec<&str> =
        found["findings"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    for name in ["library", "cores", "other", "compute threads", "resampling", "speech detection", "audio files"] {
        assert!(names.contains(&name), "{names:?}");
    }
    assert_eq!(Folder::new().run(&["doctor", "--also", "problem:x:y"]).status.code(), Some(1));
}

#[test]
fn usage_is_2_and_help_is_0() {
    let folder = Folder::new();
    for wrong in [&[][..], &["vlaidate"], &["run"], &["nodes", "--frob"]] {
        let done = folder.run(wrong);
        assert_eq!(done.status.code(), Some(2), "{wrong:?}");
        assert!(text(&done.stderr).contains("Usage: remotemedia"));
    }
    for fine in
        [&["--help"][..], &["run", "--help"], &["--version"], &["nodes"], &["nodes", "Gain"], &["explain", "rm0103"]]
    {
        assert_eq!(folder.run(fine).status.code(), Some(0), "{fine:?}");
    }
    assert!(text(&folder.run(&["nodes", "Gian"]).stderr).contains("did you mean `Gain`?"));
    assert!(text(&folder.run(&["explain", "RM9999"]).stderr).contains("there is no code"));
}

#[cfg(unix)]
#[test]
fn devices_and_links_are_written_to_and_never_replaced() {
    let folder = Folder::new();
    folder.write("m.json", &chain("Gain", json!({})));
    let input = data("data/librivox_ss_a.flac");
    for force in [&[][..], &["--force"]] {
        let mut arguments = vec!["run", "m.json", "-i", &input, "-o", "/dev/null"];
        arguments.extend(force);
        let done = folder.run(&arguments);
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    let kind = std::os::unix::fs::FileTypeExt::is_char_device(&std::fs::metadata("/dev/null").unwrap().file_type());
    assert!(kind, "/dev/null is a device still");
    // A link stays a link; what it names gets the result.
    std::os::unix::fs::symlink("real.wav", folder.0.join("link.wav")).unwrap();
    folder.write("real.wav", "");
    let done = folder.run(&["run", "m.json", "-i", &input, "-o", "link.wav", "--force"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert!(std::fs::symlink_metadata(folder.0.join("link.wav")).unwrap().is_symlink());
    assert_eq!(wav(&std::fs::read(folder.0.join("real.wav")).unwrap()).1, 1);
}

#[test]
fn results_do_not_overwrite_one_another() {
    let folder = Folder::new();
    folder.write("m.json", &chain("EnergyVAD", json!({})));
    let input = data("data/librivox_ss_a.flac");
    let refused = |arguments: &[&str], why: &str| {
        let mut all = vec!["run", "m.json", "-i", &input];
        all.extend(arguments);
        let done = folder.run(&all);
        assert_eq!(done.status.code(), Some(1));
        assert!((text(&done.stderr) + &text(&done.stdout)).contains(why), "{}", text(&done.stderr));
        assert_eq!(folder.names(), ["m.json"]);
    };
    refused(&["-o", "node=a.wav", "-o", "node.events=a.wav"], "two results go to a.wav");
    refused(&["-o", "node=-", "-o", "node.events=-"], "two results go to -");
    refused(&["-o", "node.events=-", "--json"], "standard output");
    refused(&["-i", "-", "-i", "-"], "standard input is named twice");
    // A mark in the name of a file, behind a folder.
    let done = folder.run(&["run", "m.json", "-i", &input, "-o", "./a=b.wav"]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(folder.names(), ["a=b.wav", "m.json"]);
}

/// Every command that prints, with what it prints.
const PRINTING: [&[&str]; 12] = [
    &["--help"],
    &["--version"],
    &["run", "--help"],
    &["nodes"],
    &["nodes", "Gain", "--json"],
    &["explain"],
    &["doctor"],
    &["validate", "m.json"],
    &["validate", "m.json", "--json"],
    &["latency", "m.json", "--sample-rate", "16000"],
    &["verify", "m.json", "--rounds", "1"],
    &["run", "m.json", "-i", "in.raw", "--raw", "s16le,16000,1"],
];

/// With a manifest and audio for them.
fn folder_to_print_from() -> Folder {
    let folder = Folder::new();
    folder.write("m.json", &chain("AudioLevel", json!({})));
    std::fs::write(folder.0.join("in.raw"), [0; 32_000]).unwrap();
    folder
}

#[cfg(target_os = "linux")]
#[test]
fn what_cannot_be_printed_is_a_failure() {
    let folder = folder_to_print_from();
    let run = ["run", "m.json", "-i", "in.raw", "--raw", "s16le,16000,1"];
    let results = [&["-o", "it.events=-"][..], &["-o", "it=-"], &["--json"]].map(|more| [&run[..], more].concat());
    for arguments in PRINTING.iter().copied().chain(results.iter().map(Vec::as_slice)) {
        let full = std::fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let done = folder.command(arguments).stdout(full).stderr(Stdio::piped()).output().unwrap();
        let said = text(&done.stderr);
        assert_eq!(done.status.code(), Some(1), "{arguments:?}: {said}");
        assert!(said.starts_with("error: standard output cannot be written: No space left"), "{arguments:?}: {said}");
    }
}

#[test]
fn whatever_is_printed_its_reader_may_go() {
    let folder = folder_to_print_from();
    for arguments in PRINTING {
        assert_quiet_without_reader(&folder, arguments);
    }
}

#[test]
fn outputs_are_checked_before_anything_is_read() {
    let folder = Folder::new();
    folder.write("m.json", &chain("EnergyVAD", json!({}))).write("file", "");
    for (output, said) in [
        ("out.mp3", "name the file .wav or .flac"),
        ("it.events=out.flac", "name the file .txt or .jsonl"),
        ("no/out.wav", "error: no/out.wav: No such file"),
        ("file/out.wav", "error: file/out.wav: Not a directory"),
        ("ti=out.wav", "did you mean `it`?"),
    ] {
        // Nothing is ever written to its input, and it is not closed.
        let mut child = folder
            .command(&["run", "m.json", "-i", "-", "-o", output])
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut found = String::new();
        child.stderr.take().unwrap().read_to_string(&mut found).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(1), "{output}");
        assert!(found.contains(said) && !found.contains(".part"), "{output}: {found}");
    }
    assert_eq!(folder.names(), ["file", "m.json"]);
}

#[cfg(unix)]
#[test]
fn a_name_may_be_as_long_as_the_system_allows() {
    let folder = Folder::new();
    folder.write("m.json", &chain("Gain", json!({})));
    let longest = format!("{}.wav", "n".repeat(251));
    let done = folder.run(&["run", "m.json", "-i", &data("data/jfk.wav"), "-o", &longest]);
    assert!(done.status.success(), "{}", text(&done.stderr));
    assert_eq!(folder.names(), ["m.json", longest.as_str()]);
    let longer = format!("n{longest}");
    let done = folder.run(&["run", "m.json", "-i", "-", "-o", &longer]);
    assert!(text(&done.stderr).contains("File name too long"), "{}", text(&done.stderr));
}

#[test]
fn a_filter_of_the_log_that_is_none_is_reported() {
    let folder = Folder::new();
    for (filter, reported) in [("garbage", true), ("remotemedia=loud", true), ("", false), ("debug", false)] {
        let done = folder.command(&["nodes"]).env("RUST_LOG", filter).output().unwrap();
        assert_eq!((done.status.code(), text(&done.stderr).contains("RUST_LOG")), (Some(0), reported), "{filter}");
    }
}
