import Foundation
import RemoteMedia

/// Runs a manifest on a recording and writes each result into a folder: samples as floats, events as lines of JSON.
func speech(manifest: URL, recording: URL, folder: URL) async throws {
    try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
    let pipeline = try Pipeline(contentsOf: manifest)
    let audio = try readAudio(recording)
    print("RemoteMedia \(version): \(recording.lastPathComponent), \(audio.frames) frames, \(audio.sampleRateHz) Hz")
    let outputs = try await pipeline.run(audio)
    for (name, results) in Dictionary(grouping: outputs, by: { "\($0.node).\($0.port)" }) {
        let samples = try results.compactMap(\.item.audio).flatMap { try $0.floats() }
        let events = results.compactMap(\.item.json)
        if !samples.isEmpty {
            try samples.withUnsafeBytes { Data($0) }.write(to: folder.appendingPathComponent("\(name).f32"))
        }
        if !events.isEmpty {
            let lines = events.map { "\($0)\n" }.joined()
            try Data(lines.utf8).write(to: folder.appendingPathComponent("\(name).jsonl"))
        }
        print("  \(name): \(samples.count) samples, \(events.count) events")
    }
}

let arguments = CommandLine.arguments.dropFirst().map { URL(fileURLWithPath: $0) }
guard arguments.count == 3 else {
    print("usage: Speech MANIFEST RECORDING FOLDER")
    exit(2)
}
do {
    try await speech(manifest: arguments[0], recording: arguments[1], folder: arguments[2])
} catch {
    print("Speech: \(error)")
    exit(1)
}
