package org.remotemedia

import org.remotemedia.internal.Item as NativeItem
import org.remotemedia.internal.Output as NativeOutput
import org.remotemedia.internal.StreamOutput as NativeStreamOutput

/** One piece of data, on its way in or out. */
public sealed interface Item {
    /**
     * Audio.
     *
     * @property audio the samples with their format.
     */
    public class Audio(public val audio: AudioBuffer) : Item

    /**
     * A video frame.
     *
     * @property frame the picture.
     */
    public class Video(public val frame: VideoFrame) : Item

    /**
     * Text.
     *
     * @property text the text.
     */
    public data class Text(public val text: String) : Item

    /**
     * A JSON value, as its text.
     *
     * @property json the text.
     */
    public data class Json(public val json: String) : Item

    /**
     * Bytes.
     *
     * @property bytes the bytes.
     */
    public class Binary(public val bytes: ByteArray) : Item
}

/**
 * One result of a run.
 *
 * @property node id of the node it came from.
 * @property port the port it came from: `out`, `events`.
 * @property itemIndex the input item it belongs to, counted from 0.
 * @property item what came out.
 */
public class Output internal constructor(
    public val node: String,
    public val port: String,
    public val itemIndex: Long,
    public val item: Item,
) {
    internal constructor(from: NativeOutput) : this(from.node, from.port, from.itemIndex, from.item.toItem())
}

/**
 * One result of a session or a live stream.
 *
 * @property node id of the node it came from.
 * @property port the port it came from: `out`, `events`.
 * @property item what came out.
 * @property timeS when its first frame is, in seconds from the start of the stream.
 * @property generation rises with every interrupt.
 * @property dropped how many results a full queue has dropped before this one.
 */
public class StreamOutput internal constructor(
    public val node: String,
    public val port: String,
    public val item: Item,
    public val timeS: Double,
    public val generation: Long,
    public val dropped: Long,
) {
    internal constructor(from: NativeStreamOutput) : this(
        from.node,
        from.port,
        from.item.toItem(),
        from.ptsTicks.toDouble() * from.ptsNum / from.ptsDen,
        from.generation,
        from.dropped,
    )
}

internal fun Item.toNative(): NativeItem = when (this) {
    is Item.Audio -> NativeItem.Audio(audio.native)
    is Item.Video -> NativeItem.Video(frame.native)
    is Item.Text -> NativeItem.Text(text)
    is Item.Json -> NativeItem.Json(json)
    is Item.Binary -> NativeItem.Binary(bytes)
}

internal fun NativeItem.toItem(): Item = when (this) {
    is NativeItem.Audio -> Item.Audio(AudioBuffer(buffer))
    is NativeItem.Video -> Item.Video(VideoFrame(frame))
    is NativeItem.Text -> Item.Text(value)
    is NativeItem.Json -> Item.Json(value)
    is NativeItem.Binary -> Item.Binary(value)
}
