package org.remotemedia

import java.io.File
import org.remotemedia.internal.Pipeline as NativePipeline
import org.remotemedia.internal.SessionConfig
import org.remotemedia.internal.WhenFull as NativeWhenFull

private const val WHAT = "pipeline"

/** How often a blocking wait looks whether its thread was interrupted. */
private const val LOOK_MS = 50L

/**
 * A manifest, compiled once. Share it between threads, and run it as often as you like.
 *
 * @throws RemoteMediaException.Manifest with everything that is wrong with the manifest.
 */
public class Pipeline private constructor(private val native: NativePipeline) : AutoCloseable {
    /** Compiles a manifest from JSON text. */
    public constructor(manifestJson: String) : this(calling(WHAT) { NativePipeline(manifestJson) })

    /** The manifest it was compiled from. */
    public val manifestJson: String get() = calling(WHAT) { native.manifestJson() }

    /** The formats of every output, as far as the declared input tells. */
    public val formats: List<PortFormat> get() = calling(WHAT) { native.formats() }.map(::PortFormat)

    /**
     * The latency of every path as a JSON list of objects: `source` and `result`, `min_ms` and `max_ms` by which the result
     * is held back (null where that depends on what is in the stream), `delay_ms` and `block_ms` in all and for each of
     * `nodes`. `null` when the formats are not declared.
     */
    public val latencyJson: String get() = calling(WHAT) { native.latencyJson() }

    /** What the manifest says to no effect. */
    public val warnings: List<Problem> get() = calling(WHAT) { native.warnings() }.map(::Problem)

    /** Runs items as one stream and waits, without holding a thread. Cancelling the coroutine stops the run at once. */
    public suspend fun run(items: List<Item>): List<Output> =
        calling(WHAT) { native.run(items.map(Item::toNative)) }.map(::Output)

    /** Runs one piece of audio: `run(listOf(Item.Audio(audio)))`. */
    public suspend fun run(audio: AudioBuffer): List<Output> = run(listOf(Item.Audio(audio)))

    /**
     * Runs items as one stream and blocks: for Java and for scripts. Interrupting the thread stops the run.
     *
     * @param timeoutMs the most time it may take; 0 sets no limit.
     * @throws RemoteMediaException.Timeout when the time has passed.
     * @throws InterruptedException when the thread was interrupted.
     */
    @JvmOverloads
    public fun runBlocking(items: List<Item>, timeoutMs: Long = 0): List<Output> =
        calling(WHAT) { native.start(items.map(Item::toNative), timeoutMs) }.use { run ->
            while (!run.waitFor(LOOK_MS)) {
                if (Thread.interrupted()) {
                    run.stop()
                    throw InterruptedException()
                }
            }
            calling("run") { run.take() }.map(::Output)
        }

    /**
     * Opens a session: one live stream, synchronous. Close it, best by `use {}`.
     *
     * @param sampleRateHz rate of the input in Hz; 0 when the manifest declares it, or each item says it.
     * @param channels channels of the input; 0 when the manifest declares them, or each item says them.
     * @param constantFrames one frame out per frame in from the first on, instead of output aligned with the input.
     */
    @JvmOverloads
    public fun session(sampleRateHz: Int = 0, channels: Int = 0, constantFrames: Boolean = false): Session =
        Session(calling(WHAT) { native.session(SessionConfig(sampleRateHz, channels, constantFrames, false)) })

    /**
     * Opens a live stream: items pushed on one side, results collected on the other, over bounded queues.
     *
     * @param queue how many items, and how many results, may wait.
     * @param whenFull what happens when they are that many.
     */
    @JvmOverloads
    public fun live(
        sampleRateHz: Int = 0,
        channels: Int = 0,
        queue: Int = 64,
        whenFull: WhenFull = WhenFull.WAIT,
    ): LiveStream =
        LiveStream(calling(WHAT) { native.live(SessionConfig(sampleRateHz, channels, false, false), queue, whenFull.native) })

    /** The pipeline on one screen. */
    override fun toString(): String = calling(WHAT) { native.summary() }

    /** Frees it. Sessions and runs that are open go on. A second call does nothing. */
    override fun close(): Unit = native.close()

    public companion object {
        /** Compiles the manifest in a file. Problems name the file. */
        @JvmStatic
        public fun fromFile(file: File): Pipeline {
            val text = file.readText()
            return Pipeline(calling(WHAT) { NativePipeline.fromFileText(text, file.path) })
        }

        /** A pipeline of one node, with what it needs before it. The parameters are JSON text. */
        @JvmStatic
        @JvmOverloads
        public fun ofNode(nodeType: String, paramsJson: String = "{}"): Pipeline =
            Pipeline(calling(WHAT) { NativePipeline.ofNode(nodeType, paramsJson) })
    }
}

/**
 * The format of one output, as far as it is known before a run.
 *
 * @property name `node.port`.
 * @property kind `audio`, `video`, `array`, `text`, `json`, `binary`; null when not known.
 * @property sampleRateHz sample rate in Hz, of audio.
 * @property channels channels, of audio.
 * @property text the format in words.
 */
@ConsistentCopyVisibility
public data class PortFormat internal constructor(
    val name: String,
    val kind: String?,
    val sampleRateHz: Int?,
    val channels: Int?,
    val text: String,
) {
    internal constructor(from: org.remotemedia.internal.PortFormat) :
        this(from.name, from.kind, from.sampleRateHz, from.channels, from.text)
}

/** What happens when a queue of a [LiveStream] is full. */
public enum class WhenFull(internal val native: NativeWhenFull) {
    /** Whoever pushes waits. */
    WAIT(NativeWhenFull.WAIT),

    /** The oldest one goes. */
    DROP_OLDEST(NativeWhenFull.DROP_OLDEST),

    /** The new one goes. */
    DROP_NEWEST(NativeWhenFull.DROP_NEWEST),

    /** Only the new one stays. */
    LATEST(NativeWhenFull.LATEST),
}
