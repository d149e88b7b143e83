import Foundation
internal import RemoteMediaNative

/// The version of the native library: that of every package made from it.
public var version: String { RemoteMediaNative.version() }

/// Everything the nodes say of themselves, as JSON: names, ports, parameters with their schema.
public func nodeCatalog() -> String { RemoteMediaNative.nodeCatalog() }

/// Runs a pipeline whose sources make their own data.
public func executePipeline(manifestJSON: String) async throws -> [Output] {
    try await executePipeline(manifestJSON: manifestJSON, input: [])
}

/// Compiles a manifest and runs items through it as one stream. Compile once with `Pipeline` to run it often.
///
/// Throws `RemoteMediaError.manifest` with everything that is wrong with the manifest.
public func executePipeline(manifestJSON: String, input: [Item]) async throws -> [Output] {
    try await Pipeline(manifestJSON: manifestJSON).run(input)
}
