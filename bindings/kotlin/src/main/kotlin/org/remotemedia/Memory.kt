package org.remotemedia

import com.sun.jna.Memory
import java.nio.ByteBuffer
import java.nio.ByteOrder

private const val KEPT_BYTES = 64 * 1024

/** One small direct buffer a thread: to make one costs more than to fill it. */
private val kept = ThreadLocal.withInitial { ByteBuffer.allocateDirect(KEPT_BYTES) }

/**
 * Lends a direct buffer of so many bytes, little-endian, for one call: the native side reads nothing else. A large one
 * is freed when the call is over, not when the collector comes by.
 */
private inline fun <T> lend(bytes: Long, fill: (ByteBuffer) -> Unit, call: (ByteBuffer) -> T): T {
    if (bytes > Int.MAX_VALUE) throw badValue("$bytes bytes are too many for one call, expected at most 2 GiB")
    if (bytes <= KEPT_BYTES) {
        val buffer = kept.get().clear().limit(bytes.toInt()) as ByteBuffer
        return call(buffer.order(ByteOrder.LITTLE_ENDIAN).also(fill))
    }
    return Memory(bytes).use { memory ->
        call(memory.getByteBuffer(0, bytes).order(ByteOrder.LITTLE_ENDIAN).also(fill))
    }
}

internal inline fun <T> lend(samples: FloatArray, call: (ByteBuffer) -> T): T =
    lend(samples.size * Float.SIZE_BYTES.toLong(), { it.asFloatBuffer().put(samples) }, call)

internal inline fun <T> lend(samples: ShortArray, call: (ByteBuffer) -> T): T =
    lend(samples.size * Short.SIZE_BYTES.toLong(), { it.asShortBuffer().put(samples) }, call)

internal inline fun <T> lend(bytes: ByteArray, call: (ByteBuffer) -> T): T =
    lend(bytes.size.toLong(), { it.duplicate().put(bytes) }, call)

/** What remains of a buffer: the buffer itself if it is direct, else a copy. Its position stays. */
internal inline fun <T> lend(buffer: ByteBuffer, call: (ByteBuffer) -> T): T =
    if (buffer.isDirect) call(buffer) else lend(buffer.remaining().toLong(), { it.duplicate().put(buffer.duplicate()) }, call)

/** Samples from little-endian bytes. */
internal fun shorts(bytes: ByteArray): ShortArray {
    val samples = ShortArray(bytes.size / Short.SIZE_BYTES)
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asShortBuffer().get(samples)
    return samples
}

internal fun floats(bytes: ByteArray): FloatArray {
    val samples = FloatArray(bytes.size / Float.SIZE_BYTES)
    ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(samples)
    return samples
}
