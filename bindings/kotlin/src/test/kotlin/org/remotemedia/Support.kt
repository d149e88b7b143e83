package org.remotemedia

import java.io.File
import kotlin.math.PI
import kotlin.math.abs
import kotlin.math.sin

internal val root: File = File(System.getProperty("remotemedia.root")).canonicalFile

/** A pipeline of nodes in a chain, each `Type` or `Type {"param": 1}`. */
internal fun pipeline(vararg nodes: String, head: String = ""): Pipeline {
    val listed = nodes.mapIndexed { index, node ->
        val (type, params) = if (' ' in node) node.split(' ', limit = 2) else listOf(node, "{}")
        """{"id": "n$index", "node_type": "$type", "params": $params}"""
    }
    val connections = (1 until nodes.size).map { """{"from": "n${it - 1}", "to": "n$it"}""" }
    return Pipeline("""{"version": "v1", $head "nodes": [${listed.joinToString()}], "connections": [${connections.joinToString()}]}""")
}

internal fun tone(frames: Int, hz: Double = 440.0, sampleRateHz: Int = 48_000): FloatArray =
    FloatArray(frames) { (0.5 * sin(2.0 * PI * hz * it / sampleRateHz)).toFloat() }

internal fun audio(samples: FloatArray, sampleRateHz: Int = 48_000, channels: Int = 1): Item =
    Item.Audio(AudioBuffer.of(samples, sampleRateHz, channels))

internal fun floats(item: Item): FloatArray = (item as Item.Audio).audio.toFloats()

internal fun join(parts: List<FloatArray>): FloatArray = parts.fold(FloatArray(0)) { all, part -> all + part }

internal fun largestDifference(left: FloatArray, right: FloatArray): Float {
    check(left.size == right.size) { "${left.size} samples, expected ${right.size}" }
    return left.indices.maxOfOrNull { abs(left[it] - right[it]) } ?: 0f
}

/** Memory of this process in MB, as the system counts it. */
internal fun residentMb(): Long =
    File("/proc/self/status").readLines().first { it.startsWith("VmRSS") }.filter(Char::isDigit).toLong() / 1024
