package org.remotemedia

import org.junit.jupiter.api.Tag
import org.junit.jupiter.api.Test
import java.nio.ByteBuffer
import org.remotemedia.internal.Pipeline as NativePipeline
import org.remotemedia.internal.SessionConfig

/** What calls cost; `cargo xtask bench --kotlin` runs this and prints it. No assertions: speed is no test. */
@Tag("bench")
class BenchTest {
    /** The median of interleaved rounds, in microseconds a call. */
    private fun measure(calls: Map<String, () -> Any?>) {
        val rounds = calls.mapValues { mutableListOf<Double>() }
        for (round in 0 until 40) {
            for ((name, call) in calls) {
                val start = System.nanoTime()
                repeat(2_000) { call() }
                if (round >= 15) rounds.getValue(name) += (System.nanoTime() - start) / 2_000_000.0
            }
        }
        for ((name, times) in rounds) println("%-72s %7.2f us".format(name, times.sorted()[times.size / 2]))
    }

    @Test
    fun `what calls cost`() {
        val text = """{"version": "v1", "nodes": [{"id": "a", "node_type": "PassThrough"}]}"""
        val native = NativePipeline(text).session(SessionConfig(48_000, 1, false, false))
        val through = Pipeline(text).session(48_000, 1)
        val resample = pipeline("AudioResample {\"target_rate\": 16000}").session(48_000, 1)
        val (floats, shorts) = FloatArray(960) to ShortArray(960)
        val direct = ByteBuffer.allocateDirect(3_840)
        val item = audio(floats)
        println("JVM ${System.getProperty("java.version")}")
        measure(
            mapOf(
                "a generated call without arguments (generation)" to { native.generation() },
                "Session.process of 960 floats through PassThrough" to { through.process(floats) },
                "Session.process of 960 shorts through PassThrough" to { through.process(shorts) },
                "Session.process of 960 floats, 48 to 16 kHz" to { resample.process(floats) },
                "Session.feed of 960 floats through PassThrough, and close" to
                    { through.feed(item).forEach { (it.item as Item.Audio).audio.close() } },
                "AudioBuffer.fromFloat32 of a direct buffer of 960, and close" to { AudioBuffer.fromFloat32(direct, 48_000, 1).close() },
                "AudioBuffer.of 960 floats, and close" to { AudioBuffer.of(floats, 48_000, 1).close() },
            ),
        )
    }
}
