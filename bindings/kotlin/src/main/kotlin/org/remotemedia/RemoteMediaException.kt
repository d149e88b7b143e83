package org.remotemedia

import org.remotemedia.internal.ErrorInfo
import org.remotemedia.internal.InternalException
import kotlin.coroutines.cancellation.CancellationException
import org.remotemedia.internal.RemoteMediaException as NativeException

/**
 * Any failure, one class a kind. [message] is one line that names the node and the value and ends with what to do.
 *
 * @property code stable code, for example `RM0202`; `docs/errors.md` explains each.
 * @property node id of the node concerned, if there is one.
 * @property path JSON pointer into the manifest, or the file concerned.
 * @property hint what to do about it.
 * @property itemIndex the input item concerned, counted from 0.
 * @property problems everything that is wrong with a manifest, with line, column and fix.
 */
public sealed class RemoteMediaException private constructor(
    message: String,
    public val code: String,
    public val node: String?,
    public val path: String?,
    public val hint: String?,
    public val itemIndex: Long?,
    public val problems: List<Problem>,
) : Exception(message) {
    private constructor(info: ErrorInfo) :
        this(info.reason, info.code, info.node, info.path, info.hint, info.itemIndex, info.problems.map(::Problem))

    /** The manifest cannot be read or says something impossible: see [problems]. */
    public class Manifest internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** A stream's format is not what a node takes, or it is not known. */
    public class Format internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** An input item is of a kind that cannot be used here. */
    public class InputType internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** An input item is of the right kind with a wrong value. */
    public class InputValue internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** A node failed while it processed. */
    public class Node internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** A worker process did not start. */
    public class WorkerStart internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** A worker process died. */
    public class WorkerCrashed internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** The time allowed has passed. */
    public class Timeout internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** The object was closed, or the run was stopped. */
    public class Closed internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** Another thread is in the object. */
    public class Busy internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** A bounded queue is full. */
    public class Full internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** Reading or writing a file failed. */
    public class Io internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** This object, build or platform cannot do it. */
    public class Unsupported internal constructor(info: ErrorInfo) : RemoteMediaException(info)

    /** A fault of RemoteMedia itself: please report it. */
    public class Internal internal constructor(info: ErrorInfo) : RemoteMediaException(info)
}

/**
 * One thing that is wrong with a manifest.
 *
 * @property code stable code, for example `RM0103`.
 * @property isError whether it stops the manifest from running; else it is a warning.
 * @property path JSON pointer of the place.
 * @property reason what is wrong, in one line.
 * @property found the value that was found.
 * @property expected what was expected in its place.
 * @property nearest the known name nearest to the one found.
 * @property fix what to do about it.
 * @property node id of the node concerned.
 * @property line line in the manifest's text, from 1.
 * @property column column in characters, from 1.
 * @property excerpt the line with a mark under the place.
 */
@ConsistentCopyVisibility
public data class Problem internal constructor(
    val code: String,
    val isError: Boolean,
    val path: String,
    val reason: String,
    val found: String?,
    val expected: String?,
    val nearest: String?,
    val fix: String?,
    val node: String?,
    val line: Int?,
    val column: Int?,
    val excerpt: String?,
) {
    internal constructor(from: org.remotemedia.internal.Problem) : this(
        from.code, from.severity == "error", from.path, from.reason, from.found, from.expected, from.nearest, from.fix,
        from.node, from.line, from.column, from.excerpt,
    )
}

private fun NativeException.translated(): RemoteMediaException = when (this) {
    is NativeException.Manifest -> RemoteMediaException.Manifest(info)
    is NativeException.Format -> RemoteMediaException.Format(info)
    is NativeException.InputType -> RemoteMediaException.InputType(info)
    is NativeException.InputValue -> RemoteMediaException.InputValue(info)
    is NativeException.Node -> RemoteMediaException.Node(info)
    is NativeException.WorkerStart -> RemoteMediaException.WorkerStart(info)
    is NativeException.WorkerCrashed -> RemoteMediaException.WorkerCrashed(info)
    is NativeException.Timeout -> RemoteMediaException.Timeout(info)
    is NativeException.Closed -> RemoteMediaException.Closed(info)
    is NativeException.Busy -> RemoteMediaException.Busy(info)
    is NativeException.Full -> RemoteMediaException.Full(info)
    is NativeException.Io -> RemoteMediaException.Io(info)
    is NativeException.Unsupported -> RemoteMediaException.Unsupported(info)
    is NativeException.Internal -> RemoteMediaException.Internal(info)
}

private fun info(code: String, reason: String) = ErrorInfo(code, reason, null, null, null, null, emptyList())

/** The object was closed before the call. */
internal fun closed(what: String): RemoteMediaException =
    RemoteMediaException.Closed(info("RM0610", "the $what was closed"))

/** Another thread is in. */
internal fun busy(what: String): RemoteMediaException =
    RemoteMediaException.Busy(info("RM0620", "another thread is in the $what; use one each, or a lock"))

/** A value that the native side is not asked about. */
internal fun badValue(reason: String): RemoteMediaException = RemoteMediaException.InputValue(info("RM0310", reason))

/** Calls the native side: what it throws becomes one of our exceptions, without the frames of the generated code. */
internal inline fun <T> calling(what: String, block: () -> T): T =
    try {
        block()
    } catch (error: CancellationException) {
        throw error
    } catch (error: Exception) {
        throw translate(what, error)
    }

/** The exception that a user sees for one of the generated code. */
internal fun translate(what: String, error: Exception): Exception = when (error) {
    is NativeException -> error.translated()
    is InternalException ->
        RemoteMediaException.Internal(info("RM0900", "${error.message}; this is a fault of RemoteMedia, please report it"))
    // The generated code says so of an object after `close`, which may be an argument: "AudioBuffer object has already ...".
    is IllegalStateException -> closed(error.message?.substringBefore(" object has already", what) ?: what)
    else -> error
}
