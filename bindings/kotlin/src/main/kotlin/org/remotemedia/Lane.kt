package org.remotemedia

import com.sun.jna.Native
import com.sun.jna.NativeLibrary
import com.sun.jna.Pointer
import org.remotemedia.internal.RawLane
import java.nio.ByteBuffer
import java.nio.ByteOrder

/** Codes of a call below 0, and where the channels stand above the frames: `src/ffi/lane.rs`. */
private const val LONGER = -2L
private const val BUSY = -3L
private const val FRAMES_MASK = (1L shl 40) - 1
private const val CHANNELS_AT = 40

/** Before the samples of a result. */
private const val HEAD_BYTES = 32L

/**
 * Staging memory of a session, wrapped once as direct buffers: a frame is copied in, one call works on it, and the
 * result is copied out. Only one thread at a time may be here, which [Session] sees to: to grow moves the memory.
 */
internal class Lane(private val native: RawLane, private val channels: Int, private val sampleBytes: Int) {
    private val handle = native.rawHandle().toLong()
    private var input: ByteBuffer = EMPTY
    private var output: ByteBuffer = EMPTY
    private var outputAddress = 0L

    /** The input's memory, for so many samples. */
    fun input(samples: Int): ByteBuffer {
        if (samples % channels != 0) {
            throw badValue("the frame has $samples samples, expected a multiple of its $channels channels")
        }
        val bytes = samples.toLong() * sampleBytes
        if (bytes > input.capacity()) {
            val address = calling(SESSION) { native.rawInput((samples / channels).toLong()) }
            input = view(address.toLong(), bytes)
        }
        return input
    }

    /**
     * Works on what is in the input; gives the result's memory from its first sample on, and the number of samples.
     *
     * The plain call knows nothing of the object behind [handle]: [Session] reads a field of its own after it, and so
     * the collector leaves all this alone until then.
     */
    inline fun <T> process(samples: Int, take: (ByteBuffer, Int) -> T): T =
        result(LaneLibrary.remotemedia_lane_process(handle, (samples / channels).toLong()), take)

    /** Ends the stream. */
    inline fun <T> flush(take: (ByteBuffer, Int) -> T): T = result(native.rawFlush(), take)

    inline fun <T> result(first: Long, take: (ByteBuffer, Int) -> T): T {
        val code = if (first == LONGER) native.rawGrow() else first
        if (code < 0) throw failure(code)
        val samples = (code and FRAMES_MASK) * (code shr CHANNELS_AT)
        if (first == LONGER || outputAddress == 0L) wrapOutput()
        return take(output, samples.toInt())
    }

    private fun wrapOutput() {
        outputAddress = native.rawOutput().toLong()
        output = view(outputAddress + HEAD_BYTES, native.rawOutputLen() - HEAD_BYTES)
    }

    private fun failure(code: Long): Exception {
        if (code == BUSY) return busy(SESSION)
        try {
            native.fail()
        } catch (error: Exception) {
            return translate(SESSION, error)
        }
        return badValue("the native call failed without a reason")
    }

    fun close(): Unit = native.close()

    private fun view(address: Long, bytes: Long): ByteBuffer =
        Pointer(address).getByteBuffer(0, bytes).order(ByteOrder.nativeOrder())

    private companion object {
        const val SESSION = "session"
        val EMPTY: ByteBuffer = ByteBuffer.allocate(0)
    }
}
