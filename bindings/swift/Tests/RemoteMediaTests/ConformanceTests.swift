import Foundation
import RemoteMedia
import XCTest

/// The cases that every language shares: `tests/conformance`.
final class ConformanceTests: XCTestCase {
    private typealias Object = [String: Any]

    private func cases(_ name: String) throws -> [Object] {
        let data = try Data(contentsOf: root.appendingPathComponent("tests/conformance/\(name)"))
        let file = try XCTUnwrap(JSONSerialization.jsonObject(with: data) as? Object)
        return try XCTUnwrap(file["cases"] as? [Object])
    }

    private func text(_ value: Any) throws -> String {
        let data = try JSONSerialization.data(withJSONObject: value, options: [.fragmentsAllowed])
        return try XCTUnwrap(String(data: data, encoding: .utf8))
    }

    private func item(_ value: Object) throws -> Item {
        if let text = value["text"] as? String { return .text(text) }
        if let json = value["json"] { return .json(try text(json)) }
        let audio = try XCTUnwrap(value["audio"] as? Object)
        let samples = try XCTUnwrap(audio["samples"] as? [NSNumber]).map(\.floatValue)
        let rate = try XCTUnwrap(audio["sample_rate_hz"] as? Int)
        return .audio(
            try AudioBuffer(samples, sampleRateHz: rate, channels: try XCTUnwrap(audio["channels"] as? Int)))
    }

    private func assertSame(_ expected: Item, _ found: Item, _ name: String) throws {
        switch (expected, found) {
        case (.audio(let left), .audio(let right)):
            XCTAssertEqual(left.description, right.description, name)
            XCTAssertLessThan(largestDifference(try left.floats(), try right.floats()), 1e-6, name)
        case (.text(let left), .text(let right)):
            XCTAssertEqual(left, right, name)
        case (.json(let left), .json(let right)):
            let parsed = try [left, right].map {
                try JSONSerialization.jsonObject(with: Data($0.utf8), options: [.fragmentsAllowed]) as? NSObject
            }
            XCTAssertEqual(parsed[0], parsed[1], name)
        default:
            XCTFail("\(name): expected \(expected), found \(found)")
        }
    }

    private func kind(_ error: RemoteMediaError) throws -> String {
        let label = try XCTUnwrap(Mirror(reflecting: error).children.first?.label)
        return label.prefix(1).uppercased() + label.dropFirst()
    }

    func testEveryRunGivesWhatIsWritten() async throws {
        let cases = try cases("runs.json")
        XCTAssertGreaterThanOrEqual(cases.count, 16)
        for one in cases {
            let name = try XCTUnwrap(one["name"] as? String)
            let manifest = try text(try XCTUnwrap(one["manifest"]))
            let input = try XCTUnwrap(one["input"] as? [Object]).map(item)
            if let error = one["error"] as? Object {
                let thrown = try await failure { _ = try await executePipeline(manifestJSON: manifest, input: input) }
                XCTAssertEqual(try kind(thrown), error["kind"] as? String, name)
                if let node = error["node"] { XCTAssertEqual(thrown.details.node, node as? String, name) }
                if let index = error["item_index"] { XCTAssertEqual(thrown.details.itemIndex, index as? Int, name) }
                continue
            }
            let outputs = try XCTUnwrap(one["output"] as? [String: [Object]])
            let found = try await executePipeline(manifestJSON: manifest, input: input)
            XCTAssertEqual(outputs.values.map(\.count).reduce(0, +), found.count, name)
            for (port, expected) in outputs {
                let here = found.filter { ($0.port == "out" ? $0.node : "\($0.node).\($0.port)") == port }
                XCTAssertEqual(expected.count, here.count, name)
                for (wanted, one) in zip(expected, here) { try assertSame(try item(wanted), one.item, name) }
            }
        }
    }

    func testEveryWrongManifestGivesItsProblem() async throws {
        let cases = try cases("manifest_errors.json")
        XCTAssertGreaterThanOrEqual(cases.count, 50)
        for one in cases {
            let text = try XCTUnwrap(one["manifest"] as? String)
            let thrown = try await failure { _ = try Pipeline(manifestJSON: text) }
            let errors = thrown.details.problems.filter(\.isError)
            XCTAssertEqual(errors.count, 1, text)
            let problem = try XCTUnwrap(errors.first)
            XCTAssertEqual(problem.code, one["code"] as? String, text)
            XCTAssertEqual(problem.path, one["path"] as? String, text)
            XCTAssertEqual(problem.line, one["line"] as? Int, text)
            XCTAssertTrue(problem.reason.contains(try XCTUnwrap(one["says"] as? String)), problem.reason)
            XCTAssertEqual(try kind(thrown), problem.code >= "RM02" ? "Format" : "Manifest", text)
        }
    }
}
