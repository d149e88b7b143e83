import Foundation
internal import RemoteMediaNative

/// One piece of data, on its way in or out.
public enum Item: Sendable {
    /// Audio.
    case audio(AudioBuffer)
    /// A video frame.
    case video(VideoFrame)
    /// Text.
    case text(String)
    /// A JSON value, as its text.
    case json(String)
    /// Bytes.
    case binary(Data)

    /// The audio, if it is audio.
    public var audio: AudioBuffer? {
        if case .audio(let audio) = self { audio } else { nil }
    }

    /// The JSON text, if it is JSON.
    public var json: String? {
        if case .json(let text) = self { text } else { nil }
    }

    init(_ from: RemoteMediaNative.Item) {
        switch from {
        case .audio(let buffer): self = .audio(AudioBuffer(buffer))
        case .video(let frame): self = .video(VideoFrame(frame))
        case .text(let value): self = .text(value)
        case .json(let value): self = .json(value)
        case .binary(let value): self = .binary(value)
        }
    }

    var native: RemoteMediaNative.Item {
        switch self {
        case .audio(let audio): .audio(buffer: audio.native)
        case .video(let frame): .video(frame: frame.native)
        case .text(let value): .text(value: value)
        case .json(let value): .json(value: value)
        case .binary(let value): .binary(value: value)
        }
    }
}

/// One result of a run.
public struct Output: Sendable {
    /// Id of the node it came from.
    public let node: String
    /// The port it came from: `out`, `events`.
    public let port: String
    /// The input item it belongs to, counted from 0.
    public let itemIndex: Int
    /// What came out.
    public let item: Item

    init(_ from: RemoteMediaNative.Output) {
        node = from.node
        port = from.port
        itemIndex = Int(from.itemIndex)
        item = Item(from.item)
    }
}

/// One result of a session or a live stream.
public struct StreamOutput: Sendable {
    /// Id of the node it came from.
    public let node: String
    /// The port it came from: `out`, `events`.
    public let port: String
    /// What came out.
    public let item: Item
    /// When its first frame is, in seconds from the start of the stream.
    public let timeS: Double
    /// Rises with every interrupt.
    public let generation: Int
    /// How many results a full queue has dropped before this one.
    public let dropped: Int

    init(_ from: RemoteMediaNative.StreamOutput) {
        node = from.node
        port = from.port
        item = Item(from.item)
        timeS = Double(from.ptsTicks) * Double(from.ptsNum) / Double(from.ptsDen)
        generation = Int(from.generation)
        dropped = Int(from.dropped)
    }
}
