package org.remotemedia

import kotlinx.coroutines.flow.Flow
import kotlinx.coroutines.flow.flow
import org.remotemedia.internal.LiveStream as NativeLiveStream

private const val WHAT = "live stream"
private const val MOST = 64

/**
 * A live stream: push items and collect results at the same time, from any thread. The work is done on threads of the
 * library; queues are bounded both ways.
 */
public class LiveStream internal constructor(private val native: NativeLiveStream) : AutoCloseable {
    /** Pushes an item; suspends while there is no room and the policy is to wait. When cancelled, it was not pushed. */
    public suspend fun push(item: Item, to: String? = null): Unit = calling(WHAT) {
        val given = item.toNative()
        while (!native.tryPush(given, to)) native.room()
    }

    /**
     * The results, until [end] and the last one, or an error. One collector at a time: two would share them. Cancelling
     * the collector loses nothing: the next one goes on.
     */
    public val outputs: Flow<StreamOutput> = flow {
        while (true) {
            val ready = calling(WHAT) { native.take(MOST) }
            ready.forEach { emit(StreamOutput(it)) }
            if (ready.isEmpty()) {
                if (calling(WHAT) { native.isFinished() }) break
                calling(WHAT) { native.ready() }
            }
        }
    }

    /** No more items: every node gives back what it holds, and [outputs] ends after it. */
    public fun end(): Unit = calling(WHAT) { native.end() }

    /** Throws away what is queued or held, at once. Gives the new generation. */
    public fun interrupt(): Long = calling(WHAT) { native.interrupt() }

    /** Begins another stream, also after a failure. */
    public fun reset(): Unit = calling(WHAT) { native.reset() }

    /** Changes a parameter of a node, from the next item that reaches it on. The value is JSON text. */
    public fun setParam(node: String, name: String, valueJson: String): Unit =
        calling(WHAT) { native.setParam(node, name, valueJson) }

    /** How many items a full queue has dropped. */
    public val droppedItems: Long get() = calling(WHAT) { native.droppedItems() }

    /** How many results a full queue has dropped. */
    public val droppedOutputs: Long get() = calling(WHAT) { native.droppedOutputs() }

    /** Ends it: what is queued or held is dropped, and whoever waits gets [RemoteMediaException.Closed]. */
    override fun close() {
        try {
            native.shutdown()
        } catch (_: IllegalStateException) {
            return // Closed before.
        }
        native.close()
    }
}
