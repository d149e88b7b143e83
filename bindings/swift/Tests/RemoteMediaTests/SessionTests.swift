import Foundation
import RemoteMedia
import XCTest

final class SessionTests: XCTestCase {
    private let second = tone(48_000)

    private func frames(_ size: Int = 960) -> [[Float]] {
        stride(from: 0, to: second.count, by: size).map { Array(second[$0..<min(second.count, $0 + size)]) }
    }

    func testFramesOfAnyCutGiveWhatAWholeRunGives() async throws {
        let resample = try pipeline(#"AudioResample {"target_rate": 16000}"#)
        let whole = try floats(try await resample.run([audio(second)])[0].item)
        XCTAssertEqual(whole.count, 16_000)
        for size in [1, 37, 960, 48_000] {
            let session = try resample.session(sampleRateHz: 48_000, channels: 1)
            var parts: [Float] = []
            for frame in frames(size) { parts += try session.process(frame) as [Float] }
            parts += try session.flushFloats()
            XCTAssertLessThan(largestDifference(parts, whole), 1e-6, "cut in \(size)")
        }
    }

    func testSixteenBitFramesAndSlices() throws {
        let session = try pipeline("PassThrough").session(sampleRateHz: 8_000, channels: 2)
        let frame: [Int16] = [1, -2, .max, .min]
        XCTAssertEqual(try session.process(frame) as [Int16], frame)
        XCTAssertEqual(try session.process(frame[2...]) as [Int16], [.max, .min])
        XCTAssertEqual(try session.flushInt16s(), [])
    }

    func testFeedSaysNodePortAndTime() throws {
        let session = try pipeline(#"AudioResample {"target_rate": 16000}"#, "SpeechVAD").session()
        let recording = try readAudio(root.appendingPathComponent("examples/data/librivox_ss_a.flac"))
        var outputs: [StreamOutput] = []
        let samples = try recording.floats()
        for start in stride(from: 0, to: samples.count, by: 1_600) {
            let frame = samples[start..<min(samples.count, start + 1_600)]
            outputs += try session.feed(
                .audio(AudioBuffer(frame, sampleRateHz: recording.sampleRateHz, channels: recording.channels)))
        }
        outputs += try session.flush()
        let events = outputs.filter { $0.port == "events" }.compactMap(\.item.json)
        XCTAssertTrue(events.contains { $0.contains("speech_start") })
        let frames = outputs.filter { $0.port == "out" }.compactMap(\.item.audio?.frames).reduce(0, +)
        XCTAssertEqual(frames, (recording.frames * 16_000 + recording.sampleRateHz - 1) / recording.sampleRateHz)
        let times = outputs.filter { $0.port == "out" }.map(\.timeS)
        XCTAssertEqual(times, times.sorted())
    }

    func testErrorsNameTheNodeAndTheFix() async throws {
        let unknown = try pipeline("PassThrough").session(sampleRateHz: 48_000)
        let channels = try await failure { _ = try unknown.process(second) as [Float] }
        XCTAssertTrue(channels.description.contains("session(channels:)"), channels.description)
        let session = try pipeline(#"Gain {"gain_db": 0}"#).session(sampleRateHz: 48_000, channels: 1)
        let kind = try await failure { _ = try session.feed(.text("no audio")) }
        guard case .inputType(let details) = kind else { return XCTFail("\(kind)") }
        XCTAssertEqual(details.code.prefix(4), "RM03")
        session.close()
        session.close()
        let closed = try await failure { _ = try session.process(second) as [Float] }
        guard case .closed = closed else { return XCTFail("\(closed)") }
        let zero = try await failure { _ = try pipeline("PassThrough").session(sampleRateHz: 0) }
        guard case .inputValue = zero else { return XCTFail("\(zero)") }
    }

    func testParametersInterruptAndReset() throws {
        let session = try pipeline(#"Gain {"gain_db": 0}"#, #"Chunk {"frames": 4096}"#)
            .session(sampleRateHz: 48_000, channels: 1)
        XCTAssertEqual(try session.process(second[..<960]) as [Float], [])
        XCTAssertEqual(session.interrupt(), 1)
        XCTAssertEqual(session.generation, 1)
        try session.setParam(node: "n0", name: "gain_db", valueJSON: "-6.020599913279624")
        let rest: [Float] = try session.process(Array(repeating: 1, count: 9_600)) + session.flushFloats()
        XCTAssertEqual(rest.count, 9_600)
        XCTAssertEqual(rest.last ?? 0, 0.5, accuracy: 1e-6)
        try session.reset()
    }

    func testAStreamGivesEverythingInOrder() async throws {
        let session = try pipeline(#"AudioResample {"target_rate": 16000}"#).session(sampleRateHz: 48_000, channels: 1)
        let items = try frames().map { try audio($0) }
        var found: [Float] = []
        for try await output in session.stream(source(items)) { found += try floats(output.item) }
        XCTAssertEqual(found.count, 16_000)
        XCTAssertEqual(session.heldFrames, 0)
    }

    func testCancellingTheTaskInterruptsTheSession() async throws {
        let session = try pipeline(#"Chunk {"frames": 48000}"#).session(sampleRateHz: 48_000, channels: 1)
        // A source that gives three frames and then waits for ever.
        let (items, microphone) = AsyncStream<Item>.makeStream()
        for frame in frames().prefix(3) { microphone.yield(try audio(frame)) }
        let task = Task { for try await _ in session.stream(items) {} }
        while session.heldFrames < 3 * 960 { await Task.yield() }
        task.cancel()
        let result = await task.result
        XCTAssertThrowsError(try result.get()) { XCTAssertTrue($0 is CancellationError, "\($0)") }
        XCTAssertEqual(session.heldFrames, 0)
        XCTAssertEqual(session.generation, 1)
        var frames = 0
        let again = try self.frames().map { try audio($0) }
        for try await output in session.stream(source(again)) { frames += output.item.audio?.frames ?? 0 }
        XCTAssertEqual(frames, 48_000)
    }

    func testAnErrorOfTheSourceReachesTheLoop() async throws {
        struct MicrophoneGone: Error {}
        let session = try pipeline(#"Gain {"gain_db": 0}"#).session(sampleRateHz: 48_000, channels: 1)
        let first = try audio(second)
        let items = AsyncThrowingStream<Item, any Error> { continuation in
            continuation.yield(first)
            continuation.finish(throwing: MicrophoneGone())
        }
        var count = 0
        do {
            for try await _ in session.stream(items) { count += 1 }
            XCTFail("the loop should have failed")
        } catch {
            XCTAssertTrue(error is MicrophoneGone, "\(error)")
        }
        XCTAssertEqual(count, 1)
        let wrong = try await failure { for try await _ in session.stream(source([.text("no audio"), .text("b")])) {} }
        guard case .inputType = wrong else { return XCTFail("\(wrong)") }
    }

    func testTenThousandSessionsLeaveMemoryFlat() throws {
        let resample = try pipeline(#"AudioResample {"target_rate": 16000}"#)
        func rounds(_ count: Int) throws {
            for _ in 0..<count {
                let session = try resample.session(sampleRateHz: 48_000, channels: 1)
                _ = try session.process(second[..<960]) as [Float]
            }
        }
        try rounds(2_000)
        let before = try residentMb()
        try rounds(10_000)
        let after = try residentMb()
        XCTAssertLessThan(after - before, 16, "from \(before) to \(after) MB")
    }
}
