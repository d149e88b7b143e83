"""A resampler that holds back 1.3 ms where pipecat's own holds back 42 to 152 ms."""

# pyright: basic, reportMissingImports=false

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pipecat.audio.utils as utils
from pipecat.audio.resamplers.base_audio_resampler import BaseAudioResampler
from pipecat.audio.resamplers.soxr_stream_resampler import SOXRStreamAudioResampler

from remotemedia._dsp import resample, resample_session
from remotemedia.integrations.pipecat._discard import discard
from remotemedia.integrations.pipecat._pcm import samples

if TYPE_CHECKING:
    from remotemedia._session import Session

__all__ = ["StreamResampler", "install", "uninstall"]


class StreamResampler(BaseAudioResampler):
    """Change the sample rate of a stream of 16-bit mono audio.

    Nothing is lost: not at a change of rates, not after a pause, not at the end if `flush` is called, and the cuts
    between the pieces cannot be heard.

    Parameters
    ----------
    quality : str
        ``"low_latency"`` holds back 1.3 ms at 48 to 16 kHz and 2.5 ms at 24 to 8 and 8 to 16 kHz, ``"high"`` and
        ``"very_high"`` 6.7 and 13.3 ms and more: as for `remotemedia.resample`. soxr's names are taken for those.
        Pieces that are not multiples of 10 ms (20 ms for 44.1 kHz) hold back up to that much more, until the next one.
    clear_after_secs : object
        Taken and not used: pipecat's own resampler throws away what it holds after a pause.
    """

    def __init__(self, *, quality: str = "low_latency", clear_after_secs: object = None, **_: object) -> None:
        self._quality = {"QQ": "low_latency", "LQ": "low_latency", "MQ": "high"}.get(quality, quality)
        self._rates: tuple[int, int] | None = None
        self._session: Session | None = None
        del clear_after_secs

    async def resample(self, audio: bytes, in_rate: int, out_rate: int) -> bytes:
        """Take 16-bit samples and return those that are ready.

        Raises
        ------
        InputValueError
            For an odd number of bytes, or a rate out of range.
        """
        piece = samples(audio)
        earlier = b""
        if self._rates != (in_rate, out_rate):
            earlier = await self.flush()
            if earlier and self._rates is not None and self._rates[1] != out_rate:
                earlier = resample(samples(earlier), self._rates[1], out_rate, self._quality).tobytes()
            self._close()
            if in_rate != out_rate:
                self._session = resample_session(in_rate, out_rate, 1, self._quality)
            self._rates = (in_rate, out_rate)
        if self._session is None:
            return earlier + audio
        made: bytes = self._session.process(piece).tobytes()
        return earlier + made

    async def flush(self) -> bytes:
        """Return everything that is held back. What comes next begins anew."""
        if self._session is None or self._session.held_frames == 0:
            return b""
        rest: bytes = self._session.flush().tobytes()
        return rest

    async def reset(self) -> None:
        """Throw away what is held back. What comes next begins anew."""
        if self._session is not None:
            self._session.reset()

    def _close(self) -> None:
        discard(self._session)
        self._session = None


def install(quality: str = "low_latency") -> None:
    """Let every service of pipecat that is built from now on resample with `StreamResampler`.

    pipecat's services get their resampler from `pipecat.audio.utils.create_stream_resampler`; that function gives ours
    afterwards. `uninstall` takes it back.
    """

    def build(**settings: Any) -> StreamResampler:
        return StreamResampler(**{**settings, "quality": quality})

    utils.SOXRStreamAudioResampler = build


def uninstall() -> None:
    """Let services that are built from now on resample with pipecat's own resampler again."""
    utils.SOXRStreamAudioResampler = SOXRStreamAudioResampler
