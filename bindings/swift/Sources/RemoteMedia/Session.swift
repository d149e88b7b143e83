import Foundation
internal import RemoteMediaNative

/// One live stream through a pipeline, synchronous, a few microseconds a frame.
///
/// What comes out does not depend on how the input was cut, and nothing is lost: `flush` gives what nodes held back. One
/// thread at a time; another one gets `RemoteMediaError.busy`. `interrupt`, `setParam` and `close` are for any thread.
public final class Session: Sendable {
    let native: RemoteMediaNative.Session

    init(_ native: RemoteMediaNative.Session) {
        self.native = native
    }

    /// Takes a frame of interleaved samples, full scale -1 to 1, and gives what comes out in the same form: no samples
    /// while nodes hold back. For pipelines whose one result is audio.
    ///
    /// Arrays, slices and buffer pointers are read where they are. Throws `RemoteMediaError.unsupported` if the pipeline
    /// has several results, or none that is audio: use `feed`. Throws `RemoteMediaError.format` if rate and channels were
    /// neither declared nor given to `Pipeline.session`.
    public func process<Samples: Sequence>(_ frame: Samples) throws -> [Float] where Samples.Element == Float {
        let data = try calling { try lend(frame) { try native.processFloat32(data: $0, channels: try channels()) } }
        return samples(data, of: Float.self)
    }

    /// The same with 16-bit samples; full scale is 32768. What comes out is rounded to nearest and clipped.
    public func process<Samples: Sequence>(_ frame: Samples) throws -> [Int16] where Samples.Element == Int16 {
        let data = try calling { try lend(frame) { try native.processPcm16(data: $0, channels: try channels()) } }
        return samples(data, of: Int16.self)
    }

    /// Ends the stream and gives the rest as floats. What is fed next begins another stream.
    public func flushFloats() throws -> [Float] {
        samples(try calling { try native.flushFloat32() }, of: Float.self)
    }

    /// Ends the stream and gives the rest as 16-bit samples.
    public func flushInt16s() throws -> [Int16] {
        samples(try calling { try native.flushPcm16() }, of: Int16.self)
    }

    /// Takes an item and gives what comes out, of any graph.
    ///
    /// - Parameter node: id of the node that takes it; nil: every node that takes input.
    public func feed(_ item: Item, to node: String? = nil) throws -> [StreamOutput] {
        try calling { try native.feed(item: item.native, to: node) }.map(StreamOutput.init)
    }

    /// Takes an item whose first frame is at `ptsTicks / ptsDen` seconds: what is missing before it becomes silence.
    public func feed(_ item: Item, ptsTicks: Int64, ptsDen: Int32, to node: String? = nil) throws -> [StreamOutput] {
        try calling { try native.feedAt(item: item.native, ptsTicks: ptsTicks, ptsDen: ptsDen, to: node) }
            .map(StreamOutput.init)
    }

    /// Ends the stream and gives everything that nodes held back. What is fed next begins another stream.
    public func flush() throws -> [StreamOutput] {
        try calling { try native.flush() }.map(StreamOutput.init)
    }

    /// Feeds what the sequence gives, and gives what comes out, to the end: the last results are those of `flush`.
    ///
    /// Bounded: an item is taken when the results of the one before were. Cancelling the task interrupts the session:
    /// what it held is gone, the iterator throws `CancellationError`, and the session can be used again.
    public func stream<Items: AsyncSequence>(_ items: Items) -> SessionOutputs<Items> where Items.Element == Item {
        SessionOutputs(session: self, items: items)
    }

    /// The most audio frames that a node holds back, at the rate of its output.
    public var heldFrames: Int { Int(native.heldFrames()) }

    /// 0, and one more with each `interrupt`.
    public var generation: Int { Int(native.generation()) }

    /// Throws away what is held, at once: no output of before comes after this returns. Gives the new generation.
    @discardableResult
    public func interrupt() -> Int { Int(native.interrupt()) }

    /// Forgets the stream, with everything held. A session whose node has failed works again.
    public func reset() throws { try calling { try native.reset() } }

    /// Changes a parameter of a node, from the next frame on. The value is JSON text.
    public func setParam(node: String, name: String, valueJSON: String) throws {
        try calling { try native.setParam(node: node, name: name, valueJson: valueJSON) }
    }

    /// Ends the session, also while another thread is in it. Every later call throws `RemoteMediaError.closed`. Not
    /// needed: a session ends with its last reference.
    public func close() { native.shutdown() }

    private func channels() throws -> Int32 {
        guard let channels = native.channels() else {
            throw RemoteMediaError.badValue(
                "the channels of bare samples are not known; give them to session(channels:), or declare `input` in the manifest")
        }
        return channels
    }
}

/// What comes out of a session while items are fed: see `Session.stream`.
public struct SessionOutputs<Items: AsyncSequence>: AsyncSequence where Items.Element == Item {
    /// Results.
    public typealias Element = StreamOutput

    let session: Session
    let items: Items

    /// Begins to feed.
    public func makeAsyncIterator() -> Iterator {
        Iterator(session: session, items: items.makeAsyncIterator())
    }

    /// The place in the stream.
    public struct Iterator: AsyncIteratorProtocol {
        private let session: Session
        private var items: Items.AsyncIterator
        private var ready: [StreamOutput] = []
        private var taken = 0
        private var ended = false

        init(session: Session, items: Items.AsyncIterator) {
            self.session = session
            self.items = items
        }

        /// The next result; nil after the last one.
        public mutating func next() async throws -> StreamOutput? {
            guard !ended || taken < ready.count else { return nil }
            let native = session.native
            do {
                let output = try await withTaskCancellationHandler {
                    try await step()
                } onCancel: {
                    _ = native.interrupt()
                }
                try Task.checkCancellation()
                return output
            } catch {
                (ended, ready, taken) = (true, [], 0)
                throw error
            }
        }

        private mutating func step() async throws -> StreamOutput? {
            while taken == ready.count {
                if ended { return nil }
                let item = try await items.next()
                try Task.checkCancellation()
                ready = try item.map { try session.feed($0) } ?? session.flush()
                taken = 0
                ended = item == nil
            }
            defer { taken += 1 }
            return ready[taken]
        }
    }
}

@available(*, unavailable)
extension SessionOutputs.Iterator: Sendable {}
