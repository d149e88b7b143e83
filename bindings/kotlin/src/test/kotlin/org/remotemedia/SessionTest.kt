package org.remotemedia

import org.junit.jupiter.api.Assertions.assertArrayEquals
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows
import java.util.concurrent.Executors
import java.util.concurrent.atomic.AtomicInteger
import kotlin.concurrent.thread
import kotlin.math.min

class SessionTest {
    private fun cut(samples: FloatArray, vararg sizes: Int): List<FloatArray> {
        val parts = mutableListOf<FloatArray>()
        var (at, turn) = 0 to 0
        while (at < samples.size) {
            val next = min(samples.size, at + sizes[turn++ % sizes.size])
            parts += samples.copyOfRange(at, next)
            at = next
        }
        return parts
    }

    @Test
    fun `frames of any cut give what a whole run gives`() {
        val resample = pipeline("AudioResample {\"target_rate\": 16000}")
        val whole = tone(48_000)
        val expected = floats(resample.runBlocking(listOf(audio(whole))).single().item)
        assertEquals(16_000, expected.size)
        for (sizes in listOf(intArrayOf(960), intArrayOf(1, 7, 4_801), intArrayOf(48_000))) {
            resample.session(48_000, 1).use { session ->
                val found = join(cut(whole, *sizes).map(session::process) + session.flushFloats())
                assertTrue(largestDifference(expected, found) < 1e-6f, sizes.contentToString())
            }
        }
    }

    @Test
    fun `16-bit samples go through their own lane`() {
        pipeline("PassThrough").session(8_000, 2).use { session ->
            val frame = ShortArray(640) { (it * 101).toShort() }
            repeat(3) { assertArrayEquals(frame, session.process(frame)) }
            val longer = ShortArray(20_000) { (it * 7).toShort() }
            assertArrayEquals(longer, session.process(longer))
            assertEquals(0, session.flushShorts().size)
        }
    }

    @Test
    fun `a result longer than the frame is whole`() {
        pipeline("AudioResample {\"target_rate\": 192000}").session(8_000, 1).use { session ->
            val parts = List(50) { session.process(tone(160, sampleRateHz = 8_000)) } + session.flushFloats()
            assertEquals(50 * 160 * 24, parts.sumOf { it.size })
        }
    }

    @Test
    fun `feed gives every result with node, port and time`() {
        pipeline("AudioResample {\"target_rate\": 16000}", "SpeechVAD").session(48_000, 1).use { session ->
            val recording = readAudio(root.resolve("examples/data/librivox_ss_a.flac"), sampleRateHz = 48_000, mono = true)
            val found = cut(recording.toFloats(), 960).flatMap { session.feed(audio(it)) } + session.flush()
            val events = found.filter { it.port == "events" }
            assertTrue(events.any { "speech_start" in (it.item as Item.Json).json })
            assertTrue(found.all { it.node == "n1" && it.generation == 0L && it.dropped == 0L })
            val speech = found.filter { it.port == "out" }
            assertEquals(0.0, speech.first().timeS)
            assertTrue(speech.zipWithNext().all { (one, next) -> one.timeS < next.timeS })
        }
    }

    @Test
    fun `parameters change while it runs, and an interrupt drops what is held`() {
        pipeline("Gain {\"gain_db\": 0}").session(48_000, 1).use { session ->
            session.setParam("n0", "gain_db", "-6.020599913279624")
            // The gain moves without a click, so the end of a second is looked at.
            assertEquals(0.25f, List(50) { session.process(FloatArray(960) { 0.5f }) }.last().last(), 1e-4f)
            val wrong = assertThrows<RemoteMediaException.InputValue> { session.setParam("n0", "gain", "1") }
            assertTrue("gain_db" in wrong.message.orEmpty(), wrong.message)
        }
        pipeline("Chunk {\"frames\": 512}").session(48_000, 1).use { session ->
            session.process(FloatArray(500))
            assertEquals(500, session.heldFrames)
            assertEquals(1, session.interrupt())
            assertEquals(listOf(0L, 1L), listOf(session.heldFrames, session.generation))
            assertEquals(0, session.flushFloats().size)
            session.process(FloatArray(500))
            session.reset()
            assertEquals(0, session.flushFloats().size)
        }
    }

    @Test
    fun `what cannot be is refused with its reason`() {
        pipeline("PassThrough").session(sampleRateHz = 48_000).use { session ->
            val unknown = assertThrows<RemoteMediaException.InputValue> { session.process(FloatArray(10)) }
            assertTrue("channels" in unknown.message.orEmpty())
        }
        pipeline("PassThrough").session(channels = 1).use { session ->
            assertEquals("RM0202", assertThrows<RemoteMediaException.Format> { session.process(FloatArray(10)) }.code)
        }
        pipeline("SpeechVAD").session(16_000, 1).use { session ->
            val several = assertThrows<RemoteMediaException.Unsupported> { session.process(FloatArray(10)) }
            assertTrue("n0.events" in several.message.orEmpty(), several.message)
        }
        pipeline("PassThrough").session(48_000, 2).use { session ->
            assertThrows<RemoteMediaException.InputValue> { session.process(FloatArray(3)) }
            assertThrows<RemoteMediaException.InputValue> { session.process(floatArrayOf(Float.NaN, 0f)) }
            assertEquals(2, session.process(FloatArray(2)).size)
        }
        val declared = pipeline("PassThrough", head = "\"input\": {\"type\": \"audio\", \"sample_rate_hz\": 8000, \"channels\": 2},")
        declared.session().use { assertEquals(4, it.process(FloatArray(4)).size) }
        assertThrows<RemoteMediaException.Format> { declared.session(48_000, 1) }
    }

    @Test
    fun `after close every call says so, and the pipeline lives on`() {
        val pipe = pipeline("PassThrough")
        val session = pipe.session(48_000, 1)
        session.process(FloatArray(10))
        session.close()
        session.close()
        val calls = listOf<() -> Any>(
            { session.process(FloatArray(10)) },
            { session.flushShorts() },
            { session.feed(Item.Text("a")) },
            { session.flush() },
            { session.heldFrames },
            { session.interrupt() },
        )
        for (call in calls) assertThrows<RemoteMediaException.Closed> { call() }
        val again = pipe.session(48_000, 1)
        pipe.close()
        assertEquals(10, again.process(FloatArray(10)).size)
        again.close()
    }

    /** Threads that misuse one session get their frame back or `Busy`, and never each other's memory. */
    @Test
    fun `one thread at a time`() {
        val (done, busy) = AtomicInteger() to AtomicInteger()
        val session = pipeline("PassThrough").session(48_000, 1)
        val threads = List(4) { number ->
            thread {
                for (round in 1..2_000) {
                    val frame = FloatArray(round % 1_500 + 1) { number.toFloat() }
                    try {
                        assertArrayEquals(frame, session.process(frame))
                        done.incrementAndGet()
                    } catch (_: RemoteMediaException.Busy) {
                        busy.incrementAndGet()
                    }
                }
            }
        }
        threads.forEach { it.join() }
        assertEquals(8_000, done.get() + busy.get())
        assertTrue(done.get() > 0)
        session.close()
    }

    @Test
    fun `a session closed by another thread ends the work there`() {
        val pool = Executors.newSingleThreadExecutor()
        repeat(200) {
            val session = pipeline("AudioResample {\"target_rate\": 16000}").session(48_000, 1)
            val frame = FloatArray(9_600)
            val ended = pool.submit<Class<*>> {
                try {
                    while (true) session.process(frame)
                    @Suppress("UNREACHABLE_CODE") null
                } catch (error: RemoteMediaException) {
                    error.javaClass
                }
            }
            session.close()
            assertEquals(RemoteMediaException.Closed::class.java, ended.get())
        }
        pool.shutdown()
    }
}
