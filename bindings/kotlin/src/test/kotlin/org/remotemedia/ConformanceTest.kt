package org.remotemedia

import kotlinx.coroutines.runBlocking
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.contentOrNull
import kotlinx.serialization.json.float
import kotlinx.serialization.json.int
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.jupiter.api.Assertions.assertEquals
import org.junit.jupiter.api.Assertions.assertTrue
import org.junit.jupiter.api.Test
import org.junit.jupiter.api.assertThrows

/** The cases that every language shares: `tests/conformance`. */
class ConformanceTest {
    private fun cases(name: String): List<JsonObject> {
        val text = root.resolve("tests/conformance/$name").readText()
        return Json.parseToJsonElement(text).jsonObject.getValue("cases").jsonArray.map { it.jsonObject }
    }

    private fun JsonObject.text(key: String) = getValue(key).jsonPrimitive.content

    private fun item(value: JsonElement): Item {
        val given = value.jsonObject
        given["text"]?.let { return Item.Text(it.jsonPrimitive.content) }
        given["json"]?.let { return Item.Json(it.toString()) }
        val audio = given.getValue("audio").jsonObject
        val samples = audio.getValue("samples").jsonArray.map { it.jsonPrimitive.float }.toFloatArray()
        val format = listOf("sample_rate_hz", "channels").map { audio.getValue(it).jsonPrimitive.int }
        return Item.Audio(AudioBuffer.of(samples, format[0], format[1]))
    }

    private fun assertSame(expected: Item, found: Item, name: String) {
        when (expected) {
            is Item.Audio -> {
                val (left, right) = expected.audio to (found as Item.Audio).audio
                assertEquals(left.toString(), right.toString(), name)
                assertTrue(largestDifference(left.toFloats(), right.toFloats()) < 1e-6f, name)
            }
            is Item.Json -> assertEquals(expected.json, (found as Item.Json).json, name)
            else -> assertEquals(expected, found, name)
        }
    }

    @Test
    fun `every run gives what is written`() = runBlocking<Unit> {
        val cases = cases("runs.json")
        assertTrue(cases.size >= 16)
        for (case in cases) {
            val name = case.text("name")
            val manifest = case.getValue("manifest").toString()
            val input = case.getValue("input").jsonArray.map(::item)
            val error = case["error"]?.jsonObject
            if (error == null) {
                val outputs = case.getValue("output").jsonObject
                for (found in listOf(executePipelineWithInput(manifest, input), Pipeline(manifest).runBlocking(input))) {
                    assertEquals(outputs.values.sumOf { it.jsonArray.size }, found.size, name)
                    for ((port, expected) in outputs) {
                        val here = found.filter { (if (it.port == "out") it.node else "${it.node}.${it.port}") == port }
                        expected.jsonArray.zip(here) { wanted, one -> assertSame(item(wanted), one.item, name) }
                        assertEquals(expected.jsonArray.size, here.size, name)
                    }
                }
            } else {
                val thrown = assertThrows<RemoteMediaException>(name) { runBlocking { executePipelineWithInput(manifest, input) } }
                assertEquals(error.text("kind"), thrown::class.simpleName, name)
                error["node"]?.let { assertEquals(it.jsonPrimitive.contentOrNull, thrown.node, name) }
                error["item_index"]?.let { assertEquals(it.jsonPrimitive.int.toLong(), thrown.itemIndex, name) }
            }
        }
    }

    @Test
    fun `every wrong manifest gives its problem`() {
        val cases = cases("manifest_errors.json")
        assertTrue(cases.size >= 50)
        for (case in cases) {
            val text = case.text("manifest")
            val thrown = assertThrows<RemoteMediaException>(text) { Pipeline(text) }
            val problem = thrown.problems.single { it.isError }
            val expected = listOf(case.text("code"), case.text("path"), case.text("line"))
            assertEquals(expected, listOf(problem.code, problem.path, problem.line.toString()), text)
            assertTrue(case.text("says") in problem.reason) { "`${problem.reason}` does not say `${case.text("says")}`" }
            val kind = if (problem.code >= "RM02") RemoteMediaException.Format::class else RemoteMediaException.Manifest::class
            assertEquals(kind, thrown::class, text)
        }
    }
}
