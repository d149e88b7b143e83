package org.remotemedia

import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Samples on their way to the native side, which reads direct buffers only. */
internal object Memory {
    private const val KEPT_BYTES = 64 * 1024

    /** One small direct buffer a thread: to make one costs more than to fill it. */
    private val kept = ThreadLocal.withInitial { ByteBuffer.allocateDirect(KEPT_BYTES) }

    /** A direct buffer of so many bytes, little-endian, for one call. */
    fun direct(bytes: Long): ByteBuffer {
        if (bytes > Int.MAX_VALUE) throw badValue("$bytes bytes are too many for one call, expected at most 2 GiB")
        val buffer = if (bytes <= KEPT_BYTES) kept.get().clear().limit(bytes.toInt()) else ByteBuffer.allocateDirect(bytes.toInt())
        return (buffer as ByteBuffer).order(ByteOrder.LITTLE_ENDIAN)
    }

    /** What remains of a buffer: the buffer itself if it is direct, else a copy. Its position stays. */
    fun direct(buffer: ByteBuffer): ByteBuffer =
        if (buffer.isDirect) buffer else direct(buffer.remaining().toLong()).put(buffer.duplicate()).flip() as ByteBuffer

    fun direct(bytes: ByteArray): ByteBuffer = direct(bytes.size.toLong()).put(bytes).flip() as ByteBuffer

    fun direct(samples: ShortArray): ByteBuffer =
        direct(samples.size * Short.SIZE_BYTES.toLong()).also { it.asShortBuffer().put(samples) }

    fun direct(samples: FloatArray): ByteBuffer =
        direct(samples.size * Float.SIZE_BYTES.toLong()).also { it.asFloatBuffer().put(samples) }

    fun shorts(bytes: ByteArray): ShortArray {
        val samples = ShortArray(bytes.size / Short.SIZE_BYTES)
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer().get(samples)
        return samples
    }

    fun floats(bytes: ByteArray): FloatArray {
        val samples = FloatArray(bytes.size / Float.SIZE_BYTES)
        ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(samples)
        return samples
    }
}
