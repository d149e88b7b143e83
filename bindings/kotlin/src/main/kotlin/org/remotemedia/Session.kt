package org.remotemedia

import kotlinx.coroutines.CoroutineStart
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.awaitCancellation
import kotlinx.coroutines.channels.Channel
import kotlinx.coroutines.coroutineScope
import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.buffer
import kotlinx.coroutines.flow.flow
import kotlinx.coroutines.flow.flowOn
import kotlinx.coroutines.launch
import java.util.concurrent.atomic.AtomicBoolean
import org.remotemedia.internal.Session as NativeSession

private const val WHAT = "session"

/** Numbers of element types: `src/ffi/dtype.rs`. */
private const val FLOAT32 = 10
private const val INT16 = 2

/**
 * One live stream through a pipeline, synchronous, a few microseconds a frame.
 *
 * What comes out does not depend on how the input was cut, and nothing is lost: [flush] gives what nodes held back. One
 * thread at a time; another one gets [RemoteMediaException.Busy]. [interrupt], [setParam] and [close] are for any thread.
 */
public class Session internal constructor(private val native: NativeSession) : AutoCloseable {
    private val inUse = AtomicBoolean(false)

    @Volatile
    private var isClosed = false
    private var floats: Lane? = null
    private var shorts: Lane? = null

    /**
     * Takes a frame of interleaved samples, full scale -1 to 1, and gives what comes out in the same form: no samples
     * while nodes hold back. For pipelines whose one result is audio.
     *
     * @throws RemoteMediaException.Unsupported if the pipeline has several results, or none that is audio: use [feed].
     * @throws RemoteMediaException.Format if rate and channels were neither declared nor given to [Pipeline.session].
     */
    public fun process(frame: FloatArray): FloatArray = alone {
        val lane = floatLane()
        lane.input(frame.size).asFloatBuffer().put(frame)
        lane.process(frame.size, ::takeFloats)
    }

    /** The same with 16-bit samples; full scale is 32768. What comes out is rounded to nearest and clipped. */
    public fun process(frame: ShortArray): ShortArray = alone {
        val lane = shortLane()
        lane.input(frame.size).asShortBuffer().put(frame)
        lane.process(frame.size, ::takeShorts)
    }

    /** Ends the stream and gives the rest as floats. What is fed next begins another stream. */
    public fun flushFloats(): FloatArray = alone { floatLane().flush(::takeFloats) }

    /** Ends the stream and gives the rest as 16-bit samples. */
    public fun flushShorts(): ShortArray = alone { shortLane().flush(::takeShorts) }

    /**
     * Takes an item and gives what comes out, of any graph.
     *
     * @param to id of the node that takes it; null: every node that takes input.
     */
    @JvmOverloads
    public fun feed(item: Item, to: String? = null): List<StreamOutput> =
        calling(WHAT) { native.feed(item.toNative(), to) }.map(::StreamOutput)

    /** Takes an item whose first frame is at [ptsTicks] / [ptsDen] seconds: what is missing before it becomes silence. */
    @JvmOverloads
    public fun feedAt(item: Item, ptsTicks: Long, ptsDen: Int, to: String? = null): List<StreamOutput> =
        calling(WHAT) { native.feedAt(item.toNative(), ptsTicks, ptsDen, to) }.map(::StreamOutput)

    /** Ends the stream and gives everything that nodes held back. What is fed next begins another stream. */
    public fun flush(): List<StreamOutput> = calling(WHAT) { native.flush() }.map(::StreamOutput)

    /**
     * Feeds what the flow gives, and gives what comes out, to the end: the last results are those of [flush].
     *
     * Cold, and bounded: an item is taken when the results of the one before were. The work is done on
     * [Dispatchers.Default]. Cancelling the collector interrupts the session: what it held is gone, and it can be used
     * again.
     */
    public fun stream(items: Flow<Item>): Flow<StreamOutput> = flow {
        coroutineScope {
            var finished = false
            val watch = launch(start = CoroutineStart.UNDISPATCHED) {
                try {
                    awaitCancellation()
                } finally {
                    if (!finished && !isClosed) native.interrupt()
                }
            }
            items.collect { item -> feed(item).forEach { emit(it) } }
            flush().forEach { emit(it) }
            finished = true
            watch.cancel()
        }
    }.buffer(Channel.RENDEZVOUS).flowOn(Dispatchers.Default)

    /** The most audio frames that a node holds back, at the rate of its output. */
    public val heldFrames: Long get() = calling(WHAT) { native.heldFrames() }

    /** 0, and one more with each [interrupt]. */
    public val generation: Long get() = calling(WHAT) { native.generation() }

    /** Throws away what is held, at once: no output of before comes after this returns. Gives the new generation. */
    public fun interrupt(): Long = calling(WHAT) { native.interrupt() }

    /** Forgets the stream, with everything held. A session whose node has failed works again. */
    public fun reset(): Unit = calling(WHAT) { native.reset() }

    /** Changes a parameter of a node, from the next frame on. The value is JSON text. */
    public fun setParam(node: String, name: String, valueJson: String): Unit =
        calling(WHAT) { native.setParam(node, name, valueJson) }

    /** Ends the session, also while another thread is in it. Every later call throws [RemoteMediaException.Closed]. */
    override fun close() {
        if (isClosed) return
        isClosed = true
        calling(WHAT) { native.shutdown() }
        freeLanes()
        native.close()
    }

    /** The staging memory is freed by whoever is in last. */
    private fun freeLanes() {
        if (!inUse.compareAndSet(false, true)) return
        floats?.close()
        shorts?.close()
        floats = null
        shorts = null
        inUse.set(false)
    }

    private inline fun <T> alone(work: () -> T): T {
        // Who is in may be the thread that closes: a closed session is never busy.
        if (!inUse.compareAndSet(false, true)) throw if (isClosed) closed(WHAT) else busy(WHAT)
        try {
            if (isClosed) throw closed(WHAT)
            return work()
        } finally {
            inUse.set(false)
            if (isClosed) freeLanes()
        }
    }

    private fun floatLane(): Lane = floats ?: lane(FLOAT32, Float.SIZE_BYTES).also { floats = it }

    private fun shortLane(): Lane = shorts ?: lane(INT16, Short.SIZE_BYTES).also { shorts = it }

    private fun lane(dtype: Int, bytes: Int): Lane = calling(WHAT) {
        val channels = native.channels() ?: throw badValue(
            "the channels of bare samples are not known; give them to session(channels = ...), or declare `input` in the manifest",
        )
        Lane(native.rawLane(dtype, channels), channels, bytes)
    }
}

private fun takeFloats(memory: java.nio.ByteBuffer, samples: Int): FloatArray =
    FloatArray(samples).also { if (samples > 0) memory.asFloatBuffer().get(it) }

private fun takeShorts(memory: java.nio.ByteBuffer, samples: Int): ShortArray =
    ShortArray(samples).also { if (samples > 0) memory.asShortBuffer().get(it) }
