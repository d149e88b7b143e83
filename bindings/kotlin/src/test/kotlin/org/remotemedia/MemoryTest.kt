package org.remotemedia

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.async
import kotlinx.coroutines.runBlocking
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test

class MemoryTest {
    @Test
    fun `10,000 sessions opened and closed leave memory flat`() {
        val pipe = pipeline("AudioResample {\"target_rate\": 16000}")
        val frame = tone(960)
        fun round() = repeat(2_000) { pipe.session(48_000, 1).use { it.process(frame) } }
        round()
        System.gc()
        val before = residentMb()
        repeat(5) { round() }
        System.gc()
        val grown = residentMb() - before
        assertTrue(grown < 40) { "$grown MB more after 10,000 sessions" }
    }

    /** Each run holds a minute of its own, 11 MB: 100 of them would be 1.1 GB. */
    @Test
    fun `cancelled runs free the Rust side`() = runBlocking<Unit> {
        val pipe = pipeline("AudioResample {\"target_rate\": 44100, \"quality\": \"very_high\"}")
        val minute = tone(48_000 * 60)
        suspend fun round() {
            val audio = AudioBuffer.of(minute, 48_000, 1)
            val run = async(start = CoroutineStart.UNDISPATCHED) { pipe.run(audio) }
            audio.close() // From here on only the run holds it.
            run.cancel()
            runCatching { run.await() }
        }
        repeat(20) { round() }
        System.gc()
        val before = residentMb()
        repeat(100) { round() }
        System.gc()
        val grown = residentMb() - before
        assertTrue(grown < 250) { "$grown MB more after 100 cancelled runs of 11 MB each" }
    }
}
