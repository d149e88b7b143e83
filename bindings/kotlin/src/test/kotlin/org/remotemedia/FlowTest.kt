package org.remotemedia

import kotlinx.coroutines.CancellationException
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.async
import kotlinx.coroutines.awaitAll
import kotlinx.coroutines.cancelAndJoin
import kotlinx.coroutines.delay
import kotlinx.coroutines.flow.asFlow
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.map
import kotlinx.coroutines.flow.take
import kotlinx.coroutines.flow.toList
import kotlinx.coroutines.launch
import kotlinx.coroutines.runBlocking
import kotlinx.coroutines.withTimeout
import kotlinx.coroutines.withTimeoutOrNull
import kotlinx.coroutines.yield
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertNotNull
import org.junit.jupiter.api.Assertions.assertNull
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

class FlowTest {
    private val resample = pipeline("AudioResample {\"target_rate\": 16000}")
    private val second = List(50) { tone(960) }

    @Test
    fun `a flow through a session is the whole run, tail included`() = runBlocking<Unit> {
        resample.session(48_000, 1).use { session ->
            val found = session.stream(second.asFlow().map { audio(it) }).toList()
            assertEquals(16_000, found.sumOf { floats(it.item).size })
            val again = session.stream(second.asFlow().map { audio(it) }).toList()
            assertEquals(0f, largestDifference(join(found.map { floats(it.item) }), join(again.map { floats(it.item) })))
        }
    }

    @Test
    fun `a slow collector holds the source back`() = runBlocking<Unit> {
        var made = 0
        val source = flow { while (true) emit(audio(second[0]).also { made++ }) }
        pipeline("PassThrough").session(48_000, 1).use { session ->
            session.stream(source).take(3).toList()
            assertTrue(made <= 5) { "$made frames were made for 3 results" }
        }
    }

    @Test
    fun `cancelling a collector interrupts the session, which can be used again`() = runBlocking<Unit> {
        pipeline("Chunk {\"frames\": 48000}").session(48_000, 1).use { session ->
            val never = flow { repeat(3) { emit(audio(second[it])) }; delay(1_000_000) }
            val job = launch(Dispatchers.Default) { session.stream(never).toList() }
            while (session.heldFrames < 3 * 960) yield()
            job.cancelAndJoin()
            assertEquals(listOf(0L, 1L), listOf(session.heldFrames, session.generation))
            val next = session.stream(second.asFlow().map { audio(it) }).toList()
            assertEquals(48_000, next.sumOf { floats(it.item).size })
        }
    }

    @Test
    fun `an error of the source or of a node reaches the collector`() = runBlocking<Unit> {
        resample.session(48_000, 1).use { session ->
            val broken = assertThrows<IllegalStateException> {
                runBlocking { session.stream(flow { emit(audio(second[0])); error("microphone gone") }).toList() }
            }
            assertEquals("microphone gone", broken.message)
            assertThrows<RemoteMediaException.InputType> {
                runBlocking { session.stream(listOf(Item.Text("no audio")).asFlow()).toList() }
            }
        }
    }

    @Test
    fun `push and collect at the same time`() = runBlocking<Unit> {
        resample.live(48_000, 1, queue = 4).use { live ->
            val found = async { live.outputs.toList() }
            for (frame in second) live.push(audio(frame))
            live.end()
            assertEquals(16_000, found.await().sumOf { floats(it.item).size })
            assertEquals(listOf(0L, 0L), listOf(live.droppedItems, live.droppedOutputs))
        }
    }

    @Test
    fun `a push without room waits, and a cancelled one was not made`() = runBlocking<Unit> {
        pipeline("PassThrough").live(48_000, 1, queue = 2).use { live ->
            var pushed = 0
            assertNull(withTimeoutOrNull(200) { while (true) { live.push(audio(floatArrayOf(pushed.toFloat()))); pushed++ } })
            live.end()
            val found = live.outputs.toList().map { floats(it.item).single() }
            assertEquals(List(pushed) { it.toFloat() }, found)
        }
    }

    @Test
    fun `a cancelled collector of a live stream loses nothing`() = runBlocking<Unit> {
        pipeline("PassThrough").live(48_000, 1, queue = 8).use { live ->
            val found = mutableListOf<Float>()
            repeat(100) { number ->
                live.push(audio(floatArrayOf(number.toFloat())))
                val job = launch { live.outputs.collect { found += floats(it.item).single() } }
                while (found.size <= number) yield()
                job.cancelAndJoin()
            }
            assertEquals(List(100) { it.toFloat() }, found)
        }
    }

    @Test
    fun `a full queue drops by choice and counts`() = runBlocking<Unit> {
        pipeline("PassThrough").live(48_000, 1, queue = 1, whenFull = WhenFull.LATEST).use { live ->
            repeat(1_000) { live.push(audio(floatArrayOf(it.toFloat()))) }
            live.end()
            val found = live.outputs.toList()
            assertEquals(1_000L, found.size + live.droppedItems + live.droppedOutputs)
            assertEquals(999f, floats(found.last().item).single())
        }
    }

    @Test
    fun `closing a live stream wakes whoever waits`() = runBlocking<Unit> {
        val live = pipeline("PassThrough").live(48_000, 1)
        val waiting = async(Dispatchers.Default) { runCatching { live.outputs.toList() }.exceptionOrNull() }
        delay(50)
        live.close()
        live.close()
        val error = withTimeout(5_000) { waiting.await() }
        assertTrue(error is RemoteMediaException.Closed, "$error")
    }

    @Test
    fun `interrupt and reset of a live stream`() = runBlocking<Unit> {
        pipeline("Chunk {\"frames\": 48000}").live(48_000, 1).use { live ->
            live.push(audio(second[0]))
            assertEquals(1, live.interrupt())
            live.push(audio(second[0]))
            live.end()
            val rest = live.outputs.toList()
            assertEquals(960 to 1L, rest.sumOf { floats(it.item).size } to rest.first().generation)
            live.reset()
            live.push(audio(second[0]))
            live.end()
            assertEquals(960, live.outputs.toList().sumOf { floats(it.item).size })
        }
    }

    @Test
    fun `many runs at once`() = runBlocking<Unit> {
        val runs = List(64) { async { resample.run((audio(tone(48_000)) as Item.Audio).audio) } }.awaitAll()
        assertTrue(runs.all { floats(it.single().item).size == 16_000 })
    }

    @Test
    fun `a run in another coroutine than it was cancelled in`() = runBlocking<Unit> {
        val long = Item.Audio(AudioBuffer.of(FloatArray(48_000 * 120), 48_000, 1))
        val quality = pipeline("AudioResample {\"target_rate\": 44100, \"quality\": \"very_high\"}", "SpeechVAD")
        val job = async(Dispatchers.Default) { quality.run(listOf(long)) }
        delay(20)
        job.cancel()
        val error = runCatching { job.await() }.exceptionOrNull()
        assertTrue(error is CancellationException, "$error")
        assertNotNull(withTimeoutOrNull(5_000) { quality.run(listOf(audio(tone(480)))) })
        assertThrows<RemoteMediaException.Timeout> { quality.runBlocking(listOf(long), timeoutMs = 5) }
    }
}
