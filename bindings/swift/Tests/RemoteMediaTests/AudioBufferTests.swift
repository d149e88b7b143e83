import Foundation
import RemoteMedia
import XCTest

final class AudioBufferTests: XCTestCase {
    func testSamplesComeBack() throws {
        let samples: [Float] = [0, 0.5, -0.5, 1, -1, 0.25]
        let audio = try AudioBuffer(samples, sampleRateHz: 44_100, channels: 2)
        XCTAssertEqual(audio.description, "AudioBuffer(frames: 3, sampleRateHz: 44100, channels: 2)")
        XCTAssertEqual(try audio.floats(), samples)
        XCTAssertEqual(audio.durationS, 3 / 44_100, accuracy: 1e-12)
        let shorts: [Int16] = [0, 1, -1, .max, .min]
        XCTAssertEqual(try AudioBuffer(shorts, sampleRateHz: 8_000).int16s(), shorts)
        XCTAssertEqual(try AudioBuffer([1.5, -2, 0.5] as [Float], sampleRateHz: 8_000).int16s(), [.max, .min, 16_384])
    }

    func testSlicesBytesAndOtherSequences() throws {
        let samples = tone(100)
        XCTAssertEqual(try AudioBuffer(samples[10..<20], sampleRateHz: 8_000).floats(), Array(samples[10..<20]))
        let pointed = try samples.withUnsafeBufferPointer { try AudioBuffer($0, sampleRateHz: 8_000).floats() }
        XCTAssertEqual(pointed, samples)
        let lazy = try AudioBuffer(samples.lazy.map { $0 * 2 }, sampleRateHz: 8_000)
        XCTAssertEqual(try lazy.floats(), samples.map { $0 * 2 })
        let data = samples.withUnsafeBytes { Data($0) }
        XCTAssertEqual(try AudioBuffer(float32: data, sampleRateHz: 8_000).floats(), samples)
        // A slice of data begins where it says, not at its base.
        XCTAssertEqual(try AudioBuffer(float32: data[40..<80], sampleRateHz: 8_000).floats(), Array(samples[10..<20]))
        XCTAssertEqual(try AudioBuffer(pcm16: Data([1, 0, 0xFF, 0xFF]), sampleRateHz: 8_000).int16s(), [1, -1])
        XCTAssertEqual(try AudioBuffer([] as [Float], sampleRateHz: 8_000).frames, 0)
    }

    func testWrongValuesAreErrorsThatSaySo() async throws {
        let odd = try await failure { _ = try AudioBuffer([0, 0, 0] as [Float], sampleRateHz: 8_000, channels: 2) }
        guard case .inputValue = odd else { return XCTFail("\(odd)") }
        XCTAssertTrue(odd.description.contains("2"), odd.description)
        for rate in [0, -1, 1_536_001, Int.max] {
            let error = try await failure { _ = try AudioBuffer([0] as [Float], sampleRateHz: rate) }
            XCTAssertTrue(error.localizedDescription.contains("\(rate)"), error.description)
        }
        let bytes = try await failure { _ = try AudioBuffer(pcm16: Data([1, 2, 3]), sampleRateHz: 8_000) }
        guard case .inputValue = bytes else { return XCTFail("\(bytes)") }
    }

    func testAVideoFrameKeepsItsPlanes() async throws {
        let frame = try VideoFrame(planes: Data(0..<12), width: 2, height: 2, pixelFormat: "rgb24")
        XCTAssertEqual(try frame.planes(), Data(0..<12))
        XCTAssertEqual([frame.width, frame.height], [2, 2])
        let error = try await failure {
            _ = try VideoFrame(planes: Data(0..<11), width: 2, height: 2, pixelFormat: "rgb24")
        }
        guard case .inputValue = error else { return XCTFail("\(error)") }
    }

    func testAFileIsReadAndWritten() async throws {
        let recording = root.appendingPathComponent("examples/data/librivox_ss_a.flac")
        let info = try audioInfo(recording)
        XCTAssertEqual(info.container, "FLAC")
        let audio = try readAudio(recording, sampleRateHz: 8_000, mono: true)
        XCTAssertEqual(audio.frames, (try XCTUnwrap(info.frames) * 8_000 + info.sampleRateHz - 1) / info.sampleRateHz)
        let file = FileManager.default.temporaryDirectory.appendingPathComponent("\(UUID().uuidString).wav")
        defer { try? FileManager.default.removeItem(at: file) }
        try writeAudio(audio, to: file)
        XCTAssertEqual(try readAudio(file).int16s(), try audio.int16s())
        let reader = try AudioReader(file)
        var frames = 0
        while let part = try reader.read(frames: 10_000) { frames += part.frames }
        XCTAssertEqual(frames, audio.frames)
        let missing = try await failure { _ = try audioInfo(root.appendingPathComponent("no such file.wav")) }
        guard case .io = missing else { return XCTFail("\(missing)") }
    }
}
