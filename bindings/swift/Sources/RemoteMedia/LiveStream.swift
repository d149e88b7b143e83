import Foundation
internal import RemoteMediaNative

/// A live stream: push items and iterate over results at the same time, from any task. The work is done on threads of the
/// library; queues are bounded both ways.
public final class LiveStream: Sendable {
    fileprivate let native: RemoteMediaNative.LiveStream

    init(_ native: RemoteMediaNative.LiveStream) {
        self.native = native
    }

    /// Pushes an item; suspends while there is no room and the policy is to wait. When cancelled, it was not pushed.
    ///
    /// - Parameter node: id of the node that takes it; nil: every node that takes input.
    public func push(_ item: Item, to node: String? = nil) async throws {
        let given = item.native
        while true {
            try Task.checkCancellation()
            if try calling({ try native.tryPush(item: given, to: node) }) { return }
            await finish(native.waitForRoom())
        }
    }

    /// The results, until `end` and the last one, or an error. One iterator at a time: two would share them. Cancelling
    /// the task throws `CancellationError` and loses nothing: the next iterator goes on.
    public var outputs: LiveOutputs { LiveOutputs(stream: self) }

    /// No more items: every node gives back what it holds, and `outputs` ends after it.
    public func end() throws { try calling { try native.end() } }

    /// Throws away what is queued or held, at once. Gives the new generation.
    @discardableResult
    public func interrupt() -> Int { Int(native.interrupt()) }

    /// Begins another stream, also after a failure.
    public func reset() throws { try calling { try native.reset() } }

    /// Changes a parameter of a node, from the next item that reaches it on. The value is JSON text.
    public func setParam(node: String, name: String, valueJSON: String) throws {
        try calling { try native.setParam(node: node, name: name, valueJson: valueJSON) }
    }

    /// How many items a full queue has dropped.
    public var droppedItems: Int { Int(native.droppedItems()) }

    /// How many results a full queue has dropped.
    public var droppedOutputs: Int { Int(native.droppedOutputs()) }

    /// Ends it: what is queued or held is dropped, and whoever waits gets `RemoteMediaError.closed`. Not needed: a stream
    /// ends with its last reference.
    public func close() { native.shutdown() }
}

/// Waits, or comes back at once when the task is cancelled.
private func finish(_ wait: LiveWait) async {
    await withTaskCancellationHandler {
        await wait.done()
    } onCancel: {
        wait.stop()
    }
}

/// The results of a live stream: see `LiveStream.outputs`.
public struct LiveOutputs: AsyncSequence, Sendable {
    /// Results.
    public typealias Element = StreamOutput

    let stream: LiveStream

    /// Begins with the next result that nobody has taken.
    public func makeAsyncIterator() -> Iterator { Iterator(stream: stream) }

    /// The place in the stream.
    public struct Iterator: AsyncIteratorProtocol {
        private let stream: LiveStream

        init(stream: LiveStream) {
            self.stream = stream
        }

        /// The next result; nil after the last one.
        public mutating func next() async throws -> StreamOutput? {
            while true {
                try Task.checkCancellation()
                // One at a time: what an iterator holds back would be lost with it.
                if let first = try calling({ try stream.native.take(most: 1) }).first { return StreamOutput(first) }
                if stream.native.isFinished() { return nil }
                await finish(stream.native.waitForResults())
            }
        }
    }
}
