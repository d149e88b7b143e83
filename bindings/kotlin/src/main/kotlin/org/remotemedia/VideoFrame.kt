package org.remotemedia

import java.nio.ByteBuffer
import org.remotemedia.internal.VideoFrame as NativeVideoFrame

private const val WHAT = "video frame"

/** One picture: packed planes of 8-bit samples, rows without padding, in native memory. Immutable. */
public class VideoFrame internal constructor(internal val native: NativeVideoFrame) : AutoCloseable {
    /** Width in pixels. */
    public val width: Int get() = calling(WHAT) { native.width() }

    /** Height in pixels. */
    public val height: Int get() = calling(WHAT) { native.height() }

    /** Layout of the pixels: one of gray8, rgb24, rgba, nv12, i420. */
    public val pixelFormat: String get() = calling(WHAT) { native.pixelFormat() }

    /** The packed planes. A copy. */
    public fun toBytes(): ByteArray = calling(WHAT) { native.planes() }

    /** Frees the memory. A second call does nothing. */
    override fun close(): Unit = native.close()

    public companion object {
        /**
         * A frame from packed planes, between the buffer's position and limit. A direct buffer is read where it is.
         *
         * @param pixelFormat one of gray8, rgb24, rgba, nv12, i420.
         * @throws RemoteMediaException.InputValue if the number of bytes is not that of such a frame.
         */
        @JvmStatic
        public fun of(planes: ByteBuffer, width: Int, height: Int, pixelFormat: String): VideoFrame =
            lend(planes) { VideoFrame(calling(WHAT) { NativeVideoFrame.fromPlanes(it, width, height, pixelFormat) }) }
    }
}
