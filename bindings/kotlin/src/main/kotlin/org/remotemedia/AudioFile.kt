@file:JvmName("AudioFiles")

package org.remotemedia

import java.io.File
import org.remotemedia.internal.AudioReader as NativeAudioReader
import org.remotemedia.internal.audioInfo as nativeAudioInfo
import org.remotemedia.internal.readAudio as nativeReadAudio
import org.remotemedia.internal.writeAudio as nativeWriteAudio

private const val WHAT = "file"

/**
 * What an audio file says of itself.
 *
 * @property sampleRateHz sample rate in Hz.
 * @property channels number of channels.
 * @property frames length in frames; null when the file does not state it.
 * @property container `WAV` or `FLAC`.
 * @property subtype how the samples are stored, for example `PCM_16`.
 */
@ConsistentCopyVisibility
public data class AudioInfo internal constructor(
    val sampleRateHz: Int,
    val channels: Int,
    val frames: Long?,
    val container: String,
    val subtype: String,
) {
    internal constructor(from: org.remotemedia.internal.AudioInfo) :
        this(from.sampleRateHz, from.channels, from.frames.takeIf { it >= 0 }, from.container, from.subtype)
}

/**
 * What a WAV or FLAC file says of itself, without reading its audio.
 *
 * @throws RemoteMediaException.Unsupported in a library that was built without files, as the one for phones is.
 */
public fun audioInfo(file: File): AudioInfo = AudioInfo(calling(WHAT) { nativeAudioInfo(file.path) })

/**
 * Reads a WAV or FLAC file.
 *
 * @param startFrame the frame to begin with.
 * @param frames the most frames to read; null: to the end.
 * @param sampleRateHz the rate to resample to; null: the file's own.
 * @param mono whether to mix the channels to one.
 * @throws RemoteMediaException.Io when the file cannot be read.
 * @throws RemoteMediaException.Unsupported in a library that was built without files.
 */
@JvmOverloads
public fun readAudio(
    file: File,
    startFrame: Long = 0,
    frames: Long? = null,
    sampleRateHz: Int? = null,
    mono: Boolean = false,
): AudioBuffer {
    if (frames != null && frames < 0) throw badValue("frames is $frames, expected 0 or more")
    return AudioBuffer(calling(WHAT) { nativeReadAudio(file.path, startFrame, frames ?: -1, sampleRateHz ?: 0, mono) })
}

/**
 * Writes audio to a `.wav` or `.flac` file.
 *
 * @param subtype PCM_16, PCM_24, PCM_32 or FLOAT.
 */
@JvmOverloads
public fun writeAudio(file: File, audio: AudioBuffer, subtype: String = "PCM_16"): Unit =
    calling(WHAT) { nativeWriteAudio(file.path, audio.native, subtype) }

/** A WAV or FLAC file, read piece by piece. One thread at a time. */
public class AudioReader(file: File) : AutoCloseable {
    private val native = calling(WHAT) { NativeAudioReader(file.path) }

    /** What the file says of itself. */
    public val info: AudioInfo get() = AudioInfo(calling(WHAT) { native.info() })

    /** The next [frames] frames, fewer at the end of the file, null after it. */
    public fun read(frames: Long): AudioBuffer? = calling(WHAT) { native.read(frames) }?.let(::AudioBuffer)

    /** Closes the file. A second call does nothing. */
    override fun close(): Unit = native.close()
}
