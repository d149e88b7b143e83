import Foundation
import RemoteMedia
import XCTest

private func number(_ value: Int) throws -> Item { try audio([Float(value)]) }

private func number(_ output: StreamOutput) throws -> Int { Int(try XCTUnwrap(try floats(output.item).first)) }

final class LiveStreamTests: XCTestCase {
    func testPushAndIterateAtTheSameTime() async throws {
        let live = try pipeline(#"AudioResample {"target_rate": 16000}"#).live(sampleRateHz: 48_000, channels: 1, queue: 4)
        let found = Task {
            var frames = 0
            for try await output in live.outputs { frames += output.item.audio?.frames ?? 0 }
            return frames
        }
        let second = tone(48_000)
        for start in stride(from: 0, to: 48_000, by: 960) { try await live.push(audio(Array(second[start..<start + 960]))) }
        try live.end()
        let frames = try await found.value
        XCTAssertEqual(frames, 16_000)
        XCTAssertEqual([live.droppedItems, live.droppedOutputs], [0, 0])
    }

    func testAPushWithoutRoomWaitsAndACancelledOneWasNotMade() async throws {
        let live = try pipeline("PassThrough").live(sampleRateHz: 48_000, channels: 1, queue: 2)
        let pushing = Task { () -> Int in
            var pushed = 0
            do {
                while true {
                    try await live.push(number(pushed))
                    pushed += 1
                }
            } catch is CancellationError {
                return pushed
            }
        }
        try await Task.sleep(for: .milliseconds(200))
        pushing.cancel()
        let pushed = try await pushing.value
        XCTAssertGreaterThan(pushed, 0)
        XCTAssertLessThan(pushed, 10)
        try live.end()
        var found: [Int] = []
        for try await output in live.outputs { found.append(try number(output)) }
        XCTAssertEqual(found, Array(0..<pushed))
    }

    func testACancelledIteratorLosesNothing() async throws {
        let live = try pipeline("PassThrough").live(sampleRateHz: 48_000, channels: 1, queue: 256)
        var found: [Int] = []
        for value in 0..<100 {
            let task = Task { () -> [Int] in
                var here: [Int] = []
                do {
                    for try await output in live.outputs { here.append(try number(output)) }
                } catch is CancellationError {}
                return here
            }
            try await live.push(number(value))
            await Task.yield()
            task.cancel()
            found += try await task.value
        }
        try live.end()
        for try await output in live.outputs { found.append(try number(output)) }
        XCTAssertEqual(found, Array(0..<100))
    }

    func testAFullQueueDropsByChoiceAndCounts() async throws {
        let live = try pipeline("PassThrough").live(sampleRateHz: 48_000, channels: 1, queue: 1, whenFull: .latest)
        for value in 0..<1_000 { try await live.push(number(value)) }
        try live.end()
        var found: [Int] = []
        for try await output in live.outputs { found.append(try number(output)) }
        XCTAssertEqual(found.count + live.droppedItems + live.droppedOutputs, 1_000)
        XCTAssertEqual(found.last, 999)
    }

    func testClosingWakesWhoeverWaits() async throws {
        let live = try pipeline("PassThrough").live(sampleRateHz: 48_000, channels: 1)
        let waiting = Task { for try await _ in live.outputs {} }
        try await Task.sleep(for: .milliseconds(50))
        live.close()
        live.close()
        let result = await waiting.result
        let error = try await failure { try result.get() }
        guard case .closed = error else { return XCTFail("\(error)") }
    }

    func testInterruptAndReset() async throws {
        let live = try pipeline(#"Chunk {"frames": 48000}"#).live(sampleRateHz: 48_000, channels: 1)
        let frame = try audio(tone(960))
        try await live.push(frame)
        XCTAssertEqual(live.interrupt(), 1)
        try await live.push(frame)
        try live.end()
        var frames = 0
        for try await output in live.outputs {
            frames += output.item.audio?.frames ?? 0
            XCTAssertEqual(output.generation, 1)
        }
        XCTAssertEqual(frames, 960)
        try live.reset()
        try await live.push(frame)
        try live.end()
        frames = 0
        for try await output in live.outputs { frames += output.item.audio?.frames ?? 0 }
        XCTAssertEqual(frames, 960)
    }
}
