package org.remotemedia

import java.nio.ByteBuffer
import org.remotemedia.internal.AudioBuffer as NativeAudioBuffer

private const val WHAT = "audio buffer"

/**
 * Audio: interleaved samples with their rate and channels, in native memory. Immutable, so any thread may use it.
 *
 * Sample rates are 1 to 1,536,000 Hz, channels 1 to 64. [close] frees the memory at once; else the garbage collector
 * does, in its own time.
 */
public class AudioBuffer internal constructor(internal val native: NativeAudioBuffer) : AutoCloseable {
    /** Number of frames: samples of one channel. */
    public val frames: Long get() = calling(WHAT) { native.frames() }

    /** Sample rate in Hz. */
    public val sampleRateHz: Int get() = calling(WHAT) { native.sampleRateHz() }

    /** Number of channels. */
    public val channels: Int get() = calling(WHAT) { native.channels() }

    /** Length in seconds. */
    public val durationS: Double get() = frames.toDouble() / sampleRateHz

    /** The samples as 32-bit floats, interleaved; full scale is -1 to 1. A copy. */
    public fun toFloats(): FloatArray = floats(calling(WHAT) { native.toFloat32() })

    /** The samples as 16-bit integers, interleaved, rounded to nearest and clipped. A copy. */
    public fun toShorts(): ShortArray = shorts(calling(WHAT) { native.toPcm16() })

    /** Frees the memory. A second call does nothing; every other call throws [RemoteMediaException.Closed] from now on. */
    override fun close(): Unit = native.close()

    /** Frames, rate and channels. */
    override fun toString(): String = calling(WHAT) { "AudioBuffer(frames=$frames, sampleRateHz=$sampleRateHz, channels=$channels)" }

    public companion object {
        /**
         * Audio from 16-bit little-endian samples, interleaved; full scale is 32768.
         *
         * Takes what is between the buffer's position and limit. A direct buffer is read where it is, without a copy on
         * this side of the boundary.
         *
         * @throws RemoteMediaException.InputValue if the bytes are no whole frames, or the format is out of range.
         */
        @JvmStatic
        public fun fromPcm16(bytes: ByteBuffer, sampleRateHz: Int, channels: Int): AudioBuffer =
            lend(bytes) { AudioBuffer(calling(WHAT) { NativeAudioBuffer.fromPcm16(it, sampleRateHz, channels) }) }

        /** Audio from 16-bit little-endian samples, interleaved; full scale is 32768. */
        @JvmStatic
        public fun fromPcm16(bytes: ByteArray, sampleRateHz: Int, channels: Int): AudioBuffer =
            lend(bytes) { AudioBuffer(calling(WHAT) { NativeAudioBuffer.fromPcm16(it, sampleRateHz, channels) }) }

        /** Audio from 16-bit samples, interleaved; full scale is 32768. */
        @JvmStatic
        public fun of(samples: ShortArray, sampleRateHz: Int, channels: Int): AudioBuffer =
            lend(samples) { AudioBuffer(calling(WHAT) { NativeAudioBuffer.fromPcm16(it, sampleRateHz, channels) }) }

        /** Audio from 32-bit floats, interleaved; full scale is -1 to 1. */
        @JvmStatic
        public fun of(samples: FloatArray, sampleRateHz: Int, channels: Int): AudioBuffer =
            lend(samples) { AudioBuffer(calling(WHAT) { NativeAudioBuffer.fromFloat32(it, sampleRateHz, channels) }) }

        /** Audio from 32-bit little-endian floats, interleaved. A direct buffer is read where it is, as in [fromPcm16]. */
        @JvmStatic
        public fun fromFloat32(bytes: ByteBuffer, sampleRateHz: Int, channels: Int): AudioBuffer =
            lend(bytes) { AudioBuffer(calling(WHAT) { NativeAudioBuffer.fromFloat32(it, sampleRateHz, channels) }) }
    }
}
