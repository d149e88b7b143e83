@file:JvmName("RemoteMedia")

package org.remotemedia

import org.remotemedia.internal.nodeCatalog as nativeNodeCatalog
import org.remotemedia.internal.version as nativeVersion

/** The version of the native library: that of every package made from it. */
public val version: String get() = calling("library") { nativeVersion() }

/** Everything the nodes say of themselves, as JSON: names, ports, parameters with their schema. */
public fun nodeCatalog(): String = calling("library") { nativeNodeCatalog() }

/** Runs a pipeline whose sources make their own data. */
public suspend fun executePipeline(manifestJson: String): List<Output> =
    executePipelineWithInput(manifestJson, emptyList())

/**
 * Compiles a manifest and runs items through it as one stream. Compile once with [Pipeline] to run it often.
 *
 * @throws RemoteMediaException.Manifest with everything that is wrong with the manifest.
 */
public suspend fun executePipelineWithInput(manifestJson: String, input: List<Item>): List<Output> =
    Pipeline(manifestJson).use { it.run(input) }
