package org.remotemedia

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.nio.ByteBuffer
import java.nio.ByteOrder

class AudioBufferTest {
    private val samples = shortArrayOf(1, -2, 32767, -32768, 0, 16384)

    private fun bytes(direct: Boolean): ByteBuffer {
        val size = samples.size * 2
        val buffer = if (direct) ByteBuffer.allocateDirect(size) else ByteBuffer.allocate(size)
        buffer.order(ByteOrder.LITTLE_ENDIAN).asShortBuffer().put(samples)
        return buffer
    }

    @Test
    fun `samples come back as they went in, from every kind of memory`() {
        val array = ByteArray(samples.size * 2).also { bytes(direct = false).get(it) }
        val made = listOf(
            AudioBuffer.of(samples, 8_000, 2),
            AudioBuffer.fromPcm16(array, 8_000, 2),
            AudioBuffer.fromPcm16(bytes(direct = false), 8_000, 2),
            AudioBuffer.fromPcm16(bytes(direct = true), 8_000, 2),
            AudioBuffer.fromPcm16(bytes(direct = true).asReadOnlyBuffer(), 8_000, 2),
            AudioBuffer.of(FloatArray(samples.size) { samples[it] / 32768f }, 8_000, 2),
        )
        for (audio in made) {
            assertArrayEquals(samples, audio.toShorts())
            assertEquals("AudioBuffer(frames=3, sampleRateHz=8000, channels=2)", "$audio")
        }
        val long = FloatArray(200_000) { it / 200_000f }
        assertArrayEquals(long, AudioBuffer.of(long, 48_000, 2).toFloats())
        assertEquals(0, AudioBuffer.of(FloatArray(0), 48_000, 1).frames)
    }

    /** UniFFI 0.32.2 read from the start of the memory: patch 5 of `xtask/src/patches.rs`. */
    @Test
    fun `position and limit of a direct buffer count`() {
        for (direct in listOf(true, false)) {
            val part = bytes(direct)
            part.position(4).limit(8)
            assertArrayEquals(shortArrayOf(32767, -32768), AudioBuffer.fromPcm16(part, 8_000, 1).toShorts(), "direct: $direct")
            assertEquals(4, part.position())
            val floats = ByteBuffer.allocateDirect(12).order(ByteOrder.LITTLE_ENDIAN)
            floats.asFloatBuffer().put(floatArrayOf(1f, 2f, 3f))
            floats.position(4)
            assertArrayEquals(floatArrayOf(2f, 3f), AudioBuffer.fromFloat32(floats, 8_000, 1).toFloats())
        }
    }

    @Test
    fun `what is no audio is refused with its reason`() {
        val odd = assertThrows<RemoteMediaException.InputValue> { AudioBuffer.fromPcm16(ByteArray(3), 8_000, 1) }
        assertEquals("RM0310", odd.code)
        assertThrows<RemoteMediaException.InputValue> { AudioBuffer.of(FloatArray(3), 8_000, 2) }
        assertThrows<RemoteMediaException.InputValue> { AudioBuffer.of(FloatArray(2), 0, 1) }
        assertThrows<RemoteMediaException.InputValue> { AudioBuffer.of(FloatArray(2), 8_000, -1) }
    }

    @Test
    fun `a closed buffer says so, and closes twice`() {
        val audio = AudioBuffer.of(samples, 8_000, 2)
        audio.use { assertEquals(3, it.frames) }
        audio.close()
        assertThrows<RemoteMediaException.Closed> { audio.frames }
        assertThrows<RemoteMediaException.Closed> { pipeline("PassThrough").use { it.runBlocking(listOf(Item.Audio(audio))) } }
    }

    @Test
    fun `a video frame keeps its bytes`() {
        val planes = ByteBuffer.allocateDirect(12).apply { for (index in 0 until 12) put(index.toByte()) }.flip()
        VideoFrame.of(planes as ByteBuffer, 2, 2, "rgb24").use { frame ->
            assertArrayEquals(ByteArray(12) { it.toByte() }, frame.toBytes())
            assertEquals(listOf(2, 2, "rgb24"), listOf(frame.width, frame.height, frame.pixelFormat))
        }
        assertThrows<RemoteMediaException.InputValue> { VideoFrame.of(ByteBuffer.allocateDirect(11), 2, 2, "rgb24") }
    }
}
