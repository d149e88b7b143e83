import Foundation
internal import RemoteMediaNative

/// A manifest, compiled once. Share it between tasks, and run it as often as you like.
public final class Pipeline: Sendable {
    private let native: RemoteMediaNative.Pipeline

    /// Compiles a manifest from JSON text. Throws `RemoteMediaError.manifest` with everything that is wrong with it.
    public init(manifestJSON: String) throws {
        native = try calling { try RemoteMediaNative.Pipeline(manifestJson: manifestJSON) }
    }

    /// Compiles the manifest in a file. Problems name the file.
    public init(contentsOf file: URL) throws {
        let text = try String(contentsOf: file, encoding: .utf8)
        native = try calling { try RemoteMediaNative.Pipeline.fromFileText(manifestJson: text, fileName: file.path) }
    }

    /// A pipeline of one node, with what it needs before it. The parameters are JSON text.
    public init(nodeType: String, paramsJSON: String = "{}") throws {
        native = try calling { try RemoteMediaNative.Pipeline.ofNode(nodeType: nodeType, paramsJson: paramsJSON) }
    }

    /// The manifest it was compiled from.
    public var manifestJSON: String { native.manifestJson() }

    /// The formats of every output, as far as the declared input tells.
    public var formats: [PortFormat] { native.formats().map(PortFormat.init) }

    /// The latency of every path as a JSON list of objects: `source` and `result`, `min_ms` and `max_ms` by which the
    /// result is held back (null where that depends on what is in the stream), `delay_ms` and `block_ms` in all and for
    /// each of `nodes`. `null` when the formats are not declared.
    public var latencyJSON: String { native.latencyJson() }

    /// What the manifest says to no effect.
    public var warnings: [Problem] { native.warnings().map(Problem.init) }

    /// Runs items as one stream and waits, without holding a thread. Cancelling the task stops the run at once.
    ///
    /// - Parameter timeoutMs: the most time it may take, in milliseconds; nil sets no limit.
    ///
    /// Throws `CancellationError` when the task was cancelled, `RemoteMediaError.timeout` when the time has passed.
    public func run(_ items: [Item], timeoutMs: Int? = nil) async throws -> [Output] {
        if let timeoutMs, timeoutMs <= 0 {
            throw RemoteMediaError.badValue("timeoutMs is \(timeoutMs), expected 1 or more")
        }
        try Task.checkCancellation()
        let run = try calling { try native.start(input: items.map(\.native), timeoutMs: Int64(timeoutMs ?? 0)) }
        do {
            let outputs = try await withTaskCancellationHandler {
                try await run.outputs()
            } onCancel: {
                run.stop()
            }
            return outputs.map(Output.init)
        } catch {
            try Task.checkCancellation()
            throw translated(error)
        }
    }

    /// Runs one piece of audio: `run([.audio(audio)])`.
    public func run(_ audio: AudioBuffer, timeoutMs: Int? = nil) async throws -> [Output] {
        try await run([.audio(audio)], timeoutMs: timeoutMs)
    }

    /// Opens a session: one live stream, synchronous.
    ///
    /// - Parameters:
    ///   - sampleRateHz: rate of the input in Hz; nil when the manifest declares it, or each item says it.
    ///   - channels: channels of the input; nil when the manifest declares them, or each item says them.
    ///   - constantFrames: one frame out per frame in from the first on, instead of output aligned with the input.
    public func session(sampleRateHz: Int? = nil, channels: Int? = nil, constantFrames: Bool = false) throws -> Session {
        let config = try config(sampleRateHz, channels, constantFrames)
        return Session(try calling { try native.session(config: config) })
    }

    /// Opens a live stream: items pushed on one side, results iterated on the other, over bounded queues.
    ///
    /// - Parameters:
    ///   - queue: how many items, and how many results, may wait.
    ///   - whenFull: what happens when they are that many.
    public func live(
        sampleRateHz: Int? = nil, channels: Int? = nil, queue: Int = 64, whenFull: WhenFull = .wait
    ) throws -> LiveStream {
        let (config, queue) = try (config(sampleRateHz, channels, false), int32(queue, "queue"))
        return LiveStream(try calling { try native.live(config: config, queue: queue, whenFull: whenFull.native) })
    }

    private func config(_ sampleRateHz: Int?, _ channels: Int?, _ constantFrames: Bool) throws -> SessionConfig {
        for (name, value) in [("sampleRateHz", sampleRateHz), ("channels", channels)] {
            if let value, value <= 0 { throw RemoteMediaError.badValue("\(name) is \(value), expected 1 or more") }
        }
        return SessionConfig(
            sampleRateHz: try int32(sampleRateHz ?? 0, "sampleRateHz"), channels: try int32(channels ?? 0, "channels"),
            constantFrames: constantFrames, metrics: false)
    }
}

extension Pipeline: CustomStringConvertible {
    /// The pipeline on one screen.
    public var description: String { native.summary() }
}

/// The format of one output, as far as it is known before a run.
public struct PortFormat: Sendable, Equatable {
    /// `node.port`.
    public let name: String
    /// `audio`, `video`, `array`, `text`, `json`, `binary`; nil when not known.
    public let kind: String?
    /// Sample rate in Hz, of audio.
    public let sampleRateHz: Int?
    /// Channels, of audio.
    public let channels: Int?
    /// The format in words.
    public let text: String

    init(_ from: RemoteMediaNative.PortFormat) {
        name = from.name
        kind = from.kind
        sampleRateHz = from.sampleRateHz.map(Int.init)
        channels = from.channels.map(Int.init)
        text = from.text
    }
}

/// What happens when a queue of a `LiveStream` is full.
public enum WhenFull: Sendable {
    /// Whoever pushes waits.
    case wait
    /// The oldest one goes.
    case dropOldest
    /// The new one goes.
    case dropNewest
    /// Only the new one stays.
    case latest

    var native: RemoteMediaNative.WhenFull {
        switch self {
        case .wait: .wait
        case .dropOldest: .dropOldest
        case .dropNewest: .dropNewest
        case .latest: .latest
        }
    }
}
