import Foundation

/// Lends memory to one native call, without a copy. The bytes must not be kept: they are valid inside `body` alone.
func lend<Result>(_ memory: UnsafeRawBufferPointer, _ body: (Data) throws -> Result) throws -> Result {
    guard memory.count <= Int(Int32.max) else {
        throw RemoteMediaError.badValue("\(memory.count) bytes are too many for one call, expected at most 2 GiB")
    }
    guard let address = memory.baseAddress, !memory.isEmpty else { return try body(Data()) }
    let bytes = UnsafeMutableRawPointer(mutating: address)
    return try body(Data(bytesNoCopy: bytes, count: memory.count, deallocator: .none))
}

/// The same with samples: arrays, slices and buffer pointers are lent as they are, other sequences are gathered first.
func lend<Samples: Sequence, Result>(_ samples: Samples, _ body: (Data) throws -> Result) throws -> Result {
    let lent = try samples.withContiguousStorageIfAvailable { try lend(UnsafeRawBufferPointer($0), body) }
    if let lent { return lent }
    return try Array(samples).withUnsafeBytes { try lend($0, body) }
}

/// The same with bytes.
func lend<Result>(_ data: Data, _ body: (Data) throws -> Result) throws -> Result {
    try data.withUnsafeBytes { try lend($0, body) }
}

/// Samples from little-endian bytes.
func samples<Sample: BitwiseCopyable>(_ data: Data, of _: Sample.Type) -> [Sample] {
    let count = data.count / MemoryLayout<Sample>.stride
    return [Sample](unsafeUninitializedCapacity: count) { buffer, initialized in
        _ = data.copyBytes(to: buffer)
        initialized = count
    }
}
