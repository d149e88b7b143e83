import Foundation
import RemoteMedia
import XCTest

final class PipelineTests: XCTestCase {
    private let second = tone(48_000)

    func testManyRunsAtOnce() async throws {
        let resample = try pipeline(#"AudioResample {"target_rate": 16000}"#)
        let input = try audio(second)
        let frames = try await withThrowingTaskGroup(of: Int.self) { group in
            for _ in 0..<64 { group.addTask { try await resample.run([input])[0].item.audio?.frames ?? 0 } }
            var all: [Int] = []
            for try await one in group { all.append(one) }
            return all
        }
        XCTAssertEqual(frames, Array(repeating: 16_000, count: 64))
    }

    func testACancelledTaskStopsTheRun() async throws {
        let slow = try pipeline(#"AudioResample {"target_rate": 44100, "quality": "very_high"}"#, "SpeechVAD")
        let hour = try audio([Float](repeating: 0, count: 48_000 * 600))
        let clock = ContinuousClock()
        let task = Task { try await slow.run([hour]) }
        try await Task.sleep(for: .milliseconds(50))
        let asked = clock.now
        task.cancel()
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertLessThan(clock.now - asked, .milliseconds(500))
        // The threads of the library are free again.
        let short = try await slow.run([audio(tone(480))], timeoutMs: 20_000)
        XCTAssertFalse(short.isEmpty)
        // Cancelled before it began.
        let late = Task {
            while !Task.isCancelled { await Task.yield() }
            return try await slow.run([hour])
        }
        late.cancel()
        let nothing = await late.result
        XCTAssertThrowsError(try nothing.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
    }

    func testATimeLimit() async throws {
        let slow = try pipeline(#"AudioResample {"target_rate": 44100, "quality": "very_high"}"#, "SpeechVAD")
        let long = try audio([Float](repeating: 0, count: 48_000 * 600))
        let error = try await failure { _ = try await slow.run([long], timeoutMs: 5) }
        guard case .timeout = error else { return XCTFail("\(error)") }
        let wrong = try await failure { _ = try await slow.run([long], timeoutMs: 0) }
        guard case .inputValue = wrong else { return XCTFail("\(wrong)") }
    }

    func testAPipelineDescribesItself() async throws {
        let speech = try Pipeline(contentsOf: root.appendingPathComponent("examples/manifests/speech.json"))
        XCTAssertTrue(speech.description.contains("SpeechVAD"), speech.description)
        XCTAssertTrue(speech.manifestJSON.contains("\"vad\""))
        XCTAssertTrue(speech.formats.contains { $0.name == "vad.out" && $0.sampleRateHz == 16_000 }, "\(speech.formats)")
        XCTAssertTrue(speech.warnings.isEmpty)
        XCTAssertFalse(speech.latencyJSON.isEmpty)
        XCTAssertTrue(nodeCatalog().contains("AudioResample"))
        XCTAssertEqual(version.split(separator: ".").count, 3)
        let upper = try await Pipeline(nodeType: "TextCase", paramsJSON: #"{"mode": "upper"}"#).run([.text("a")])
        guard case .text("A") = upper[0].item else { return XCTFail("\(upper)") }
        let none = try await failure { _ = try Pipeline(nodeType: "NoSuchNode") }
        XCTAssertTrue(none.details.problems.contains { $0.code == "RM0103" }, "\(none)")
    }
}
