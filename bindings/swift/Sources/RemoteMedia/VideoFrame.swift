import Foundation
internal import RemoteMediaNative

/// One picture: packed planes of 8-bit samples, rows without padding, in native memory. Immutable.
public final class VideoFrame: Sendable {
    let native: RemoteMediaNative.VideoFrame

    init(_ native: RemoteMediaNative.VideoFrame) {
        self.native = native
    }

    /// A frame from packed planes, which are read where they are.
    ///
    /// - Parameter pixelFormat: one of gray8, rgb24, rgba, nv12, i420.
    ///
    /// Throws `RemoteMediaError.inputValue` if the number of bytes is not that of such a frame.
    public convenience init(planes: Data, width: Int, height: Int, pixelFormat: String) throws {
        let (width, height) = try (int32(width, "width"), int32(height, "height"))
        self.init(try calling {
            try lend(planes) {
                try RemoteMediaNative.VideoFrame.fromPlanes(
                    data: $0, width: width, height: height, pixelFormat: pixelFormat)
            }
        })
    }

    /// Width in pixels.
    public var width: Int { Int(native.width()) }

    /// Height in pixels.
    public var height: Int { Int(native.height()) }

    /// Layout of the pixels: one of gray8, rgb24, rgba, nv12, i420.
    public var pixelFormat: String { native.pixelFormat() }

    /// The packed planes. A copy.
    public func planes() throws -> Data { try calling { try native.planes() } }
}
