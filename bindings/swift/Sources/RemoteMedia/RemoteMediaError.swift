import Foundation
internal import RemoteMediaNative

/// Any failure, one case a kind. Its description is one line that names the node and the value and ends with what to do.
public enum RemoteMediaError: Error, Sendable {
    /// The manifest cannot be read or says something impossible: see `Details.problems`.
    case manifest(Details)
    /// A stream's format is not what a node takes, or it is not known.
    case format(Details)
    /// An input item is of a kind that cannot be used here.
    case inputType(Details)
    /// An input item is of the right kind with a wrong value.
    case inputValue(Details)
    /// A node failed while it processed.
    case node(Details)
    /// A worker process did not start.
    case workerStart(Details)
    /// A worker process died.
    case workerCrashed(Details)
    /// The time allowed has passed.
    case timeout(Details)
    /// The object was closed, or the run was stopped.
    case closed(Details)
    /// Another thread is in the object.
    case busy(Details)
    /// A bounded queue is full.
    case full(Details)
    /// Reading or writing a file failed.
    case io(Details)
    /// This object, build or platform cannot do it.
    case unsupported(Details)
    /// A fault of RemoteMedia itself: please report it.
    case `internal`(Details)

    /// What every kind of failure says.
    public struct Details: Sendable, Equatable {
        /// Stable code, for example `RM0202`; `docs/errors.md` explains each.
        public let code: String
        /// What happened, in one line.
        public let reason: String
        /// Id of the node concerned, if there is one.
        public let node: String?
        /// JSON pointer into the manifest, or the file concerned.
        public let path: String?
        /// What to do about it.
        public let hint: String?
        /// The input item concerned, counted from 0.
        public let itemIndex: Int?
        /// Everything that is wrong with a manifest, with line, column and fix.
        public let problems: [Problem]
    }

    /// The details, whatever the kind.
    public var details: Details {
        switch self {
        case .manifest(let details), .format(let details), .inputType(let details), .inputValue(let details),
            .node(let details), .workerStart(let details), .workerCrashed(let details), .timeout(let details),
            .closed(let details), .busy(let details), .full(let details), .io(let details),
            .unsupported(let details), .internal(let details):
            return details
        }
    }
}

extension RemoteMediaError: CustomStringConvertible, LocalizedError {
    /// The reason, in one line.
    public var description: String { details.reason }
    /// The same for Foundation.
    public var errorDescription: String? { details.reason }
}

/// One thing that is wrong with a manifest.
public struct Problem: Sendable, Equatable {
    /// Stable code, for example `RM0103`.
    public let code: String
    /// Whether it stops the manifest from running; else it is a warning.
    public let isError: Bool
    /// JSON pointer of the place.
    public let path: String
    /// What is wrong, in one line.
    public let reason: String
    /// The value that was found.
    public let found: String?
    /// What was expected in its place.
    public let expected: String?
    /// The known name nearest to the one found.
    public let nearest: String?
    /// What to do about it.
    public let fix: String?
    /// Id of the node concerned.
    public let node: String?
    /// Line in the manifest's text, from 1.
    public let line: Int?
    /// Column in characters, from 1.
    public let column: Int?
    /// The line with a mark under the place.
    public let excerpt: String?

    init(_ from: RemoteMediaNative.Problem) {
        code = from.code
        isError = from.severity == "error"
        path = from.path
        reason = from.reason
        found = from.found
        expected = from.expected
        nearest = from.nearest
        fix = from.fix
        node = from.node
        line = from.line.map(Int.init)
        column = from.column.map(Int.init)
        excerpt = from.excerpt
    }
}

extension RemoteMediaError {
    /// A value that the native side is not asked about.
    static func badValue(_ reason: String) -> RemoteMediaError {
        .inputValue(Details(code: "RM0310", reason: reason))
    }

    init(_ native: RemoteMediaNative.RemoteMediaError) {
        switch native {
        case .Manifest(let info): self = .manifest(Details(info))
        case .Format(let info): self = .format(Details(info))
        case .InputType(let info): self = .inputType(Details(info))
        case .InputValue(let info): self = .inputValue(Details(info))
        case .Node(let info): self = .node(Details(info))
        case .WorkerStart(let info): self = .workerStart(Details(info))
        case .WorkerCrashed(let info): self = .workerCrashed(Details(info))
        case .Timeout(let info): self = .timeout(Details(info))
        case .Closed(let info): self = .closed(Details(info))
        case .Busy(let info): self = .busy(Details(info))
        case .Full(let info): self = .full(Details(info))
        case .Io(let info): self = .io(Details(info))
        case .Unsupported(let info): self = .unsupported(Details(info))
        case .Internal(let info): self = .internal(Details(info))
        }
    }
}

extension RemoteMediaError.Details {
    init(code: String, reason: String) {
        self.init(code: code, reason: reason, node: nil, path: nil, hint: nil, itemIndex: nil, problems: [])
    }

    init(_ info: ErrorInfo) {
        self.init(
            code: info.code, reason: info.reason, node: info.node, path: info.path, hint: info.hint,
            itemIndex: info.itemIndex.map(Int.init), problems: info.problems.map(Problem.init))
    }
}

/// Calls the native side: what it throws becomes one of our errors.
func calling<Result>(_ body: () throws -> Result) throws -> Result {
    do { return try body() } catch { throw translated(error) }
}

/// The error that a user sees for one of the generated code: a panic is of a type that it keeps to itself.
func translated(_ error: any Error) -> any Error {
    switch error {
    case let native as RemoteMediaNative.RemoteMediaError: RemoteMediaError(native)
    case is RemoteMediaError, is CancellationError: error
    default: RemoteMediaError.internal(
        .init(code: "RM0900", reason: "\(error); this is a fault of RemoteMedia, please report it"))
    }
}
