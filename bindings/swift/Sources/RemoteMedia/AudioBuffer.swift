import Foundation
internal import RemoteMediaNative

/// Audio: interleaved samples with their rate and channels, in native memory. Immutable.
///
/// Sample rates are 1 to 1,536,000 Hz, channels 1 to 64. On Apple platforms Core Audio has a type of this name, too: write
/// `RemoteMedia.AudioBuffer` where both are imported.
public final class AudioBuffer: Sendable {
    let native: RemoteMediaNative.AudioBuffer

    init(_ native: RemoteMediaNative.AudioBuffer) {
        self.native = native
    }

    /// Audio from 32-bit floats, interleaved; full scale is -1 to 1.
    ///
    /// Arrays, slices and buffer pointers are read where they are, without a copy on this side of the boundary.
    /// Throws `RemoteMediaError.inputValue` if the samples are no whole frames, or the format is out of range.
    public convenience init<Samples: Sequence>(_ samples: Samples, sampleRateHz: Int, channels: Int = 1) throws
    where Samples.Element == Float {
        self.init(try made(NativeBuffer.fromFloat32, sampleRateHz, channels) { try lend(samples, $0) })
    }

    /// Audio from 16-bit samples, interleaved; full scale is 32768. Read where they are, as with floats.
    public convenience init<Samples: Sequence>(_ samples: Samples, sampleRateHz: Int, channels: Int = 1) throws
    where Samples.Element == Int16 {
        self.init(try made(NativeBuffer.fromPcm16, sampleRateHz, channels) { try lend(samples, $0) })
    }

    /// Audio from the bytes of 32-bit little-endian floats, interleaved. Read where they are.
    public convenience init(float32 data: Data, sampleRateHz: Int, channels: Int = 1) throws {
        self.init(try made(NativeBuffer.fromFloat32, sampleRateHz, channels) { try lend(data, $0) })
    }

    /// Audio from the bytes of 16-bit little-endian samples, interleaved. Read where they are.
    public convenience init(pcm16 data: Data, sampleRateHz: Int, channels: Int = 1) throws {
        self.init(try made(NativeBuffer.fromPcm16, sampleRateHz, channels) { try lend(data, $0) })
    }

    /// Number of frames: samples of one channel.
    public var frames: Int { Int(native.frames()) }

    /// Sample rate in Hz.
    public var sampleRateHz: Int { Int(native.sampleRateHz()) }

    /// Number of channels.
    public var channels: Int { Int(native.channels()) }

    /// Length in seconds.
    public var durationS: Double { Double(frames) / Double(sampleRateHz) }

    /// The samples as 32-bit floats, interleaved; full scale is -1 to 1. A copy.
    public func floats() throws -> [Float] {
        samples(try calling { try native.toFloat32() }, of: Float.self)
    }

    /// The samples as 16-bit integers, interleaved, rounded to nearest and clipped. A copy.
    public func int16s() throws -> [Int16] {
        samples(try calling { try native.toPcm16() }, of: Int16.self)
    }
}

extension AudioBuffer: CustomStringConvertible {
    /// Frames, rate and channels.
    public var description: String {
        "AudioBuffer(frames: \(frames), sampleRateHz: \(sampleRateHz), channels: \(channels))"
    }
}

private typealias NativeBuffer = RemoteMediaNative.AudioBuffer

/// Native audio of the memory that `lent` lends.
private func made(
    _ from: @escaping (Data, Int32, Int32) throws -> NativeBuffer, _ sampleRateHz: Int, _ channels: Int,
    lent: ((Data) throws -> NativeBuffer) throws -> NativeBuffer
) throws -> NativeBuffer {
    let (rate, channels) = try (int32(sampleRateHz, "sampleRateHz"), int32(channels, "channels"))
    return try calling { try lent { try from($0, rate, channels) } }
}

/// A number for the native side.
func int32(_ value: Int, _ name: String) throws -> Int32 {
    guard let value = Int32(exactly: value) else {
        throw RemoteMediaError.badValue("\(name) is \(value), expected a 32-bit number")
    }
    return value
}
