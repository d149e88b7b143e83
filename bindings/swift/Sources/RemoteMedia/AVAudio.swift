#if canImport(AVFAudio)
import AVFAudio

extension AudioBuffer {
    /// Audio from a buffer of AVFoundation, of 32-bit floats or 16-bit integers. One interleaved or mono buffer is read
    /// where it is; channels that lie apart are put together first.
    ///
    /// Throws `RemoteMediaError.inputValue` for other sample formats and for rates that are no whole number.
    public convenience init(_ buffer: AVAudioPCMBuffer) throws {
        let format = buffer.format
        guard let rate = Int(exactly: format.sampleRate) else {
            throw RemoteMediaError.badValue("the sample rate is \(format.sampleRate) Hz, expected a whole number")
        }
        let (frames, channels) = (Int(buffer.frameLength), Int(format.channelCount))
        if let planes = buffer.floatChannelData {
            try self.init(Self.joined(planes, frames, channels, buffer.stride), rate, channels)
        } else if let planes = buffer.int16ChannelData {
            try self.init(Self.joined(planes, frames, channels, buffer.stride), rate, channels)
        } else {
            throw RemoteMediaError.badValue(
                "the samples are \(format.commonFormat), expected pcmFormatFloat32 or pcmFormatInt16")
        }
    }

    private convenience init(_ samples: Joined<Float>, _ rate: Int, _ channels: Int) throws {
        switch samples {
        case .there(let memory): try self.init(memory, sampleRateHz: rate, channels: channels)
        case .made(let array): try self.init(array, sampleRateHz: rate, channels: channels)
        }
    }

    private convenience init(_ samples: Joined<Int16>, _ rate: Int, _ channels: Int) throws {
        switch samples {
        case .there(let memory): try self.init(memory, sampleRateHz: rate, channels: channels)
        case .made(let array): try self.init(array, sampleRateHz: rate, channels: channels)
        }
    }

    /// Interleaved samples.
    private enum Joined<Sample> {
        /// As they lie in the buffer.
        case there(UnsafeBufferPointer<Sample>)
        /// Put together from channels.
        case made([Sample])
    }

    private static func joined<Sample>(
        _ planes: UnsafePointer<UnsafeMutablePointer<Sample>>, _ frames: Int, _ channels: Int, _ stride: Int
    ) -> Joined<Sample> {
        // Interleaved: all channels in the first plane.
        if stride == channels { return .there(UnsafeBufferPointer(start: planes[0], count: frames * channels)) }
        return .made((0..<frames * channels).map { planes[$0 % channels][$0 / channels * stride] })
    }

    /// A buffer of AVFoundation with these samples: 32-bit floats, each channel apart, its standard format.
    ///
    /// Throws `RemoteMediaError.unsupported` if AVFoundation has no standard format of so many channels.
    public func pcmBuffer() throws -> AVAudioPCMBuffer {
        guard
            let format = AVAudioFormat(
                standardFormatWithSampleRate: Double(sampleRateHz), channels: AVAudioChannelCount(channels)),
            let length = AVAudioFrameCount(exactly: frames),
            let buffer = AVAudioPCMBuffer(pcmFormat: format, frameCapacity: length),
            let planes = buffer.floatChannelData
        else {
            throw RemoteMediaError.unsupported(
                .init(code: "RM0800", reason: "AVFoundation has no standard buffer for \(self)"))
        }
        buffer.frameLength = length
        for (index, sample) in try floats().enumerated() {
            planes[index % channels][index / channels] = sample
        }
        return buffer
    }
}
#endif
