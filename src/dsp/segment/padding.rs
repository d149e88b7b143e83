//! Room around segments: what two neighbours want of the silence between them, and what each gets.

use super::Mark;

/// Widens segments, one after another. The end of one waits until the next cannot want its padding.
#[derive(Debug)]
pub(super) struct Padding {
    before: u64,
    after: u64,
    /// The last segment, while it is not known how much of the silence after it is its own.
    closed: Option<Closed>,
    /// Where the segment before ends, with its padding.
    end: u64,
}

#[derive(Debug, Clone, Copy)]
struct Closed {
    start: u64,
    end: u64,
    probability: f32,
}

impl Padding {
    pub(super) fn new(before: u64, after: u64) -> Self {
        Self { before, after, closed: None, end: 0 }
    }

    /// Speech is known to start at `first`. Gives the start of its segment.
    pub(super) fn open(&mut self, first: u64, report: &mut impl FnMut(Mark)) -> u64 {
        if let Some(closed) = self.closed.take() {
            self.finish(closed, closed.end + self.share(first - closed.end), report);
        }
        let start = self.earliest(first);
        report(Mark::Start(start));
        start
    }

    /// The speech of the segment that starts at `start` ends at `end`.
    pub(super) fn close(&mut self, start: u64, end: u64, probability: f32) {
        self.closed = Some(Closed { start, end, probability });
    }

    /// No speech starts before `next` any more.
    pub(super) fn wait(&mut self, next: u64, report: &mut impl FnMut(Mark)) {
        if let Some(closed) = self.closed.filter(|closed| self.share(next - closed.end) == self.after) {
            self.closed = None;
            self.finish(closed, closed.end + self.after, report);
        }
    }

    /// The stream ends at `end`: there is no next segment.
    pub(super) fn flush(&mut self, end: u64, report: &mut impl FnMut(Mark)) {
        if let Some(closed) = self.closed.take() {
            self.finish(closed, (closed.end + self.after).min(end).max(closed.end), report);
        }
    }

    /// The first sample that a segment not reported yet can have, if its speech starts at `first` or later.
    pub(super) fn earliest(&self, first: u64) -> u64 {
        self.closed.map_or_else(|| first.saturating_sub(self.before).max(self.end), |closed| closed.start)
    }

    /// What the segment before a gap gets of it: half, and more if the one after does not want its half.
    fn share(&self, gap: u64) -> u64 {
        self.after.min((gap / 2).max(gap.saturating_sub(self.before)))
    }

    fn finish(&mut self, Closed { start, probability, .. }: Closed, end: u64, report: &mut impl FnMut(Mark)) {
        self.end = end;
        report(Mark::End { start, end, probability });
    }
}
