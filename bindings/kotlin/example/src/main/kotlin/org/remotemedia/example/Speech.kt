package org.remotemedia.example

import kotlinx.coroutines.runBlocking
import org.remotemedia.AudioBuffer
import org.remotemedia.Item
import org.remotemedia.Pipeline
import org.remotemedia.RemoteMediaException
import org.remotemedia.readAudio
import org.remotemedia.version
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import kotlin.system.exitProcess

/** Runs a manifest on a recording and writes each result into a folder: samples as floats, events as lines of JSON. */
fun main(arguments: Array<String>) {
    if (arguments.size != 3) {
        System.err.println("usage: speech MANIFEST RECORDING FOLDER")
        exitProcess(2)
    }
    val (manifest, recording, folder) = arguments.map(::File)
    try {
        runBlocking { speech(manifest, recording, folder) }
    } catch (error: RemoteMediaException) {
        System.err.println("speech: ${error.message}")
        exitProcess(1)
    }
}

private suspend fun speech(manifest: File, recording: File, folder: File) {
    folder.mkdirs()
    val outputs = Pipeline.fromFile(manifest).use { pipeline ->
        readAudio(recording).use { audio ->
            println("RemoteMedia $version: ${recording.name}, ${"%.2f".format(audio.durationS)} s, ${audio.sampleRateHz} Hz")
            pipeline.run(audio)
        }
    }
    for ((name, results) in outputs.groupBy { "${it.node}.${it.port}" }) {
        val audio = results.mapNotNull { (it.item as? Item.Audio)?.audio }
        val events = results.mapNotNull { (it.item as? Item.Json)?.json }
        if (audio.isNotEmpty()) File(folder, "$name.f32").writeBytes(bytes(audio))
        if (events.isNotEmpty()) File(folder, "$name.jsonl").writeText(events.joinToString("") { "$it\n" })
        println("  $name: ${audio.sumOf { it.frames }} frames, ${events.size} events")
        audio.forEach(AudioBuffer::close)
    }
}

private fun bytes(audio: List<AudioBuffer>): ByteArray {
    val samples = audio.flatMap { it.toFloats().asIterable() }
    val buffer = ByteBuffer.allocate(samples.size * Float.SIZE_BYTES).order(ByteOrder.LITTLE_ENDIAN)
    samples.forEach(buffer::putFloat)
    return buffer.array()
}
