package org.remotemedia

import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Test
import org.remotemedia.internal.FfiConverterByRefBytes
import java.lang.ref.WeakReference
import java.nio.ByteBuffer
import kotlin.concurrent.thread

/**
 * UniFFI 0.32.2 did not keep a direct buffer alive during the call that reads it: patch 4 of `xtask/src/patches.rs`.
 *
 * Without the patch the first test fails, and the second may end the process with SIGSEGV: the compiler sees that the
 * buffer is not needed any more, the collector frees it, and Rust reads on.
 */
class CollectorTest {
    @Test
    fun `what is lent holds its buffer`() {
        var buffer: ByteBuffer? = ByteBuffer.allocateDirect(16)
        val watched = WeakReference(buffer)
        val lent = FfiConverterByRefBytes.lower(buffer!!)
        buffer = null
        repeat(10) { System.gc() }
        assertNotNull(watched.get())
        assertEquals(16, lent.len)
    }

    @Test
    fun `a buffer lives through the call that reads it`() {
        val small = ByteBuffer.allocateDirect(16)
        repeat(20_000) { AudioBuffer.fromFloat32(small, 8_000, 1).close() } // So that the calls are compiled.
        var isDone = false
        val collector = thread { while (!isDone) System.gc() }
        try {
            val end = System.nanoTime() + 4_000_000_000
            while (System.nanoTime() < end) {
                AudioBuffer.fromFloat32(ByteBuffer.allocateDirect(BYTES), 8_000, 1).use { assertEquals(BYTES / 4L, it.frames) }
            }
        } finally {
            isDone = true
            collector.join()
        }
    }

    private companion object {
        const val BYTES = 32 shl 20
    }
}
