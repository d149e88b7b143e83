// swift-tools-version: 6.0
// Programs that know the package alone. `cargo xtask test` builds them, compares what `Speech` finds with what Python
// finds, and compiles the README's lines as `Readme`.
import Foundation
import PackageDescription

let readme = "generated/Readme"
let isThere = FileManager.default.fileExists(atPath: "\(Context.packageDirectory)/\(readme)/main.swift")
let remoteMedia: Target.Dependency = .product(name: "RemoteMedia", package: "swift")

let package = Package(
    name: "Example",
    platforms: [.macOS(.v13)],
    dependencies: [.package(path: "..")],
    targets: [.executableTarget(name: "Speech", dependencies: [remoteMedia])]
        + (isThere ? [.executableTarget(name: "Readme", dependencies: [remoteMedia], path: readme)] : []),
    swiftLanguageModes: [.v6]
)
