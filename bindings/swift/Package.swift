// swift-tools-version: 6.0
// The Swift package: the hand-written layer over the generated code. `cargo xtask build-swift` makes `generated`.
import PackageDescription

let package = Package(
    name: "RemoteMedia",
    platforms: [.macOS(.v13), .iOS(.v16)],
    products: [.library(name: "RemoteMedia", targets: ["RemoteMedia"])],
    targets: [
        // The C header of the library and its module map.
        .systemLibrary(name: "CRemoteMedia", path: "generated/CRemoteMedia"),
        .target(
            name: "RemoteMediaNative",
            dependencies: ["CRemoteMedia"],
            path: "generated/RemoteMediaNative",
            linkerSettings: [.linkedLibrary("remotemedia")]
        ),
        // The public interface.
        .target(name: "RemoteMedia", dependencies: ["RemoteMediaNative"]),
        .testTarget(name: "RemoteMediaTests", dependencies: ["RemoteMedia"]),
    ],
    swiftLanguageModes: [.v6]
)
