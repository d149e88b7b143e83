package org.remotemedia

import com.sun.jna.Native
import com.sun.jna.NativeLibrary

/** What the call is: change it with the call, here, in `src/ffi/lane.rs` and in `python/remotemedia/_lane.py`. */
private const val API_TEXT =
    "remotemedia_lane_process(u64 lane, i64 frames) -> i64 frames | channels << 40, or -1, -2, -3"

/**
 * The lane's one plain call, a tenth of the cost of a generated one: `src/ffi/raw.rs`.
 *
 * The generated code checks its own calls against the library when it is loaded; this does it for its one.
 */
internal object LaneLibrary {
    init {
        val name = System.getProperty("uniffi.component.remotemedia.libraryOverride") ?: "remotemedia"
        Native.register(LaneLibrary::class.java, NativeLibrary.getInstance(name))
        check(remotemedia_lane_api() == fnv1a(API_TEXT)) { "the native library is of another build than these classes" }
    }

    @JvmStatic
    external fun remotemedia_lane_process(lane: Long, frames: Long): Long

    @JvmStatic
    private external fun remotemedia_lane_api(): Long

    /** Fowler, Noll, Vo: the 64-bit hash in its variant 1a. */
    private fun fnv1a(text: String): Long =
        text.encodeToByteArray().fold(-0x340d631b7bdddcdbL) { hash, byte -> (hash xor byte.toLong()) * 0x100000001b3L }
}
