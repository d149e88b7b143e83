import Foundation
internal import RemoteMediaNative

/// What an audio file says of itself.
public struct AudioInfo: Sendable, Equatable {
    /// Sample rate in Hz.
    public let sampleRateHz: Int
    /// Number of channels.
    public let channels: Int
    /// Length in frames; nil when the file does not state it.
    public let frames: Int?
    /// `WAV` or `FLAC`.
    public let container: String
    /// How the samples are stored, for example `PCM_16`.
    public let subtype: String

    init(_ from: RemoteMediaNative.AudioInfo) {
        sampleRateHz = Int(from.sampleRateHz)
        channels = Int(from.channels)
        frames = from.frames < 0 ? nil : Int(from.frames)
        container = from.container
        subtype = from.subtype
    }
}

/// What a WAV or FLAC file says of itself, without reading its audio.
///
/// Throws `RemoteMediaError.unsupported` in a library that was built without files, as the one for phones is.
public func audioInfo(_ file: URL) throws -> AudioInfo {
    AudioInfo(try calling { try RemoteMediaNative.audioInfo(path: file.path) })
}

/// Reads a WAV or FLAC file.
///
/// - Parameters:
///   - startFrame: the frame to begin with.
///   - frames: the most frames to read; nil: to the end.
///   - sampleRateHz: the rate to resample to; nil: the file's own.
///   - mono: whether to mix the channels to one.
///
/// Throws `RemoteMediaError.io` when the file cannot be read, and `unsupported` in a library without files.
public func readAudio(
    _ file: URL, startFrame: Int = 0, frames: Int? = nil, sampleRateHz: Int? = nil, mono: Bool = false
) throws -> AudioBuffer {
    if let frames, frames < 0 { throw RemoteMediaError.badValue("frames is \(frames), expected 0 or more") }
    if let sampleRateHz, sampleRateHz <= 0 {
        throw RemoteMediaError.badValue("sampleRateHz is \(sampleRateHz), expected 1 or more")
    }
    let rate = try int32(sampleRateHz ?? 0, "sampleRateHz")
    return AudioBuffer(
        try calling {
            try RemoteMediaNative.readAudio(
                path: file.path, startFrame: Int64(startFrame), frames: Int64(frames ?? -1), sampleRateHz: rate, mono: mono)
        })
}

/// Writes audio to a `.wav` or `.flac` file.
///
/// - Parameter subtype: PCM_16, PCM_24, PCM_32 or FLOAT.
public func writeAudio(_ audio: AudioBuffer, to file: URL, subtype: String = "PCM_16") throws {
    try calling { try RemoteMediaNative.writeAudio(path: file.path, audio: audio.native, subtype: subtype) }
}

/// A WAV or FLAC file, read piece by piece. One thread at a time.
public final class AudioReader: Sendable {
    private let native: RemoteMediaNative.AudioReader

    /// Opens a file.
    public init(_ file: URL) throws {
        native = try calling { try RemoteMediaNative.AudioReader(path: file.path) }
    }

    /// What the file says of itself.
    public var info: AudioInfo { AudioInfo(native.info()) }

    /// The next frames, fewer at the end of the file, nil after it.
    public func read(frames: Int) throws -> AudioBuffer? {
        try calling { try native.read(frames: Int64(frames)) }.map(AudioBuffer.init)
    }
}
