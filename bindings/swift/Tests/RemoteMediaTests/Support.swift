import Foundation
import RemoteMedia
import XCTest

/// The repository: of the folder that the caller names, else of this file.
let root: URL = {
    if let named = ProcessInfo.processInfo.environment["REMOTEMEDIA_ROOT"] { return URL(fileURLWithPath: named) }
    return URL(fileURLWithPath: #filePath).appendingPathComponent("../../../../..").standardizedFileURL
}()

/// A pipeline of nodes in a chain, each `Type` or `Type {"param": 1}`.
func pipeline(_ nodes: String..., head: String = "") throws -> Pipeline {
    let listed = nodes.enumerated().map { index, node in
        let parts = node.split(separator: " ", maxSplits: 1)
        let params = parts.count > 1 ? String(parts[1]) : "{}"
        return #"{"id": "n\#(index)", "node_type": "\#(parts[0])", "params": \#(params)}"#
    }
    let connections = (1..<max(1, nodes.count)).map { #"{"from": "n\#($0 - 1)", "to": "n\#($0)"}"# }
    return try Pipeline(
        manifestJSON: """
            {"version": "v1", \(head) "nodes": [\(listed.joined(separator: ", "))],
             "connections": [\(connections.joined(separator: ", "))]}
            """)
}

func tone(_ frames: Int, hz: Double = 440, sampleRateHz: Int = 48_000) -> [Float] {
    (0..<frames).map { Float(0.5 * sin(2 * Double.pi * hz * Double($0) / Double(sampleRateHz))) }
}

func audio(_ samples: [Float], _ sampleRateHz: Int = 48_000, channels: Int = 1) throws -> Item {
    .audio(try AudioBuffer(samples, sampleRateHz: sampleRateHz, channels: channels))
}

func floats(_ item: Item) throws -> [Float] {
    try XCTUnwrap(item.audio).floats()
}

func largestDifference(_ left: [Float], _ right: [Float]) -> Float {
    XCTAssertEqual(left.count, right.count)
    return zip(left, right).map { abs($0 - $1) }.max() ?? 0
}

/// The error of work that must fail with one of ours.
func failure(_ work: () async throws -> Void) async throws -> RemoteMediaError {
    do {
        try await work()
    } catch {
        return try XCTUnwrap(error as? RemoteMediaError, "\(error)")
    }
    throw DidNotFail()
}

/// Work that had to fail did not.
struct DidNotFail: Error {}

/// Items with nothing to wait for between them.
func source(_ items: [Item]) -> AsyncStream<Item> {
    AsyncStream { continuation in
        for item in items { continuation.yield(item) }
        continuation.finish()
    }
}

/// Memory of this process in MB, as the system counts it.
func residentMb() throws -> Int {
    let status = try String(contentsOfFile: "/proc/self/status", encoding: .utf8)
    let line = try XCTUnwrap(status.split(separator: "\n").first { $0.hasPrefix("VmRSS") })
    return try XCTUnwrap(Int(line.filter(\.isNumber))) / 1024
}
