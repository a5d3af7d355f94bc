// swift-tools-version: 6.2
//
// The architecture, bottom-up. A module lives in `Sources/Modules/<Layer>/<Name>` and may use only
// modules listed above it; a role never uses another role: roles meet at topics, tables and HTTP.
// The loop at the end of the list enforces both, so an arrow drawn the wrong way stops the build.

import PackageDescription

enum Layer: String { case c = "C", core = "Core", adapters = "Adapters", stores = "Stores", roles = "Roles", tests = "Tests" }

struct Module {
    enum Kind { case swift, cxx, system(pkgConfig: String?, apt: String) }
    var name: String
    var layer: Layer
    var kind: Kind = .swift
    var uses: [String] = []
    var products: [Target.Dependency] = []
    var tested = false
    /// What its tests use beyond what it uses itself; of the layer `tests`.
    var testUses: [String] = []
}

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let collections = Target.Dependency.product(name: "DequeModule", package: "swift-collections")
let configuration = Target.Dependency.product(name: "Configuration", package: "swift-configuration")
let crypto = Target.Dependency.product(name: "Crypto", package: "swift-crypto")
let grdb = Target.Dependency.product(name: "GRDB", package: "GRDB.swift")
let sqlite = Target.Dependency.product(name: "GRDBSQLite", package: "GRDB.swift")
let httpClient = Target.Dependency.product(name: "AsyncHTTPClient", package: "async-http-client")
let httpTypes = Target.Dependency.product(name: "HTTPTypes", package: "swift-http-types")
let hummingbirdCore = Target.Dependency.product(name: "HummingbirdCore", package: "hummingbird")
let hummingbirdTLS = Target.Dependency.product(name: "HummingbirdTLS", package: "hummingbird")
let hummingbird = Target.Dependency.product(name: "Hummingbird", package: "hummingbird")
let lifecycle = Target.Dependency.product(name: "ServiceLifecycle", package: "swift-service-lifecycle")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let metrics = Target.Dependency.product(name: "Metrics", package: "swift-metrics")
let coreMetrics = Target.Dependency.product(name: "CoreMetrics", package: "swift-metrics")
let nioCore = Target.Dependency.product(name: "NIOCore", package: "swift-nio")
let nioHTTP1 = Target.Dependency.product(name: "NIOHTTP1", package: "swift-nio")
let nioHTTPTypes = Target.Dependency.product(name: "NIOHTTPTypes", package: "swift-nio-extras")
let nioPosix = Target.Dependency.product(name: "NIOPosix", package: "swift-nio")
let nioSSL = Target.Dependency.product(name: "NIOSSL", package: "swift-nio-ssl")
let nioWebSocket = Target.Dependency.product(name: "NIOWebSocket", package: "swift-nio")
let systemPackage = Target.Dependency.product(name: "SystemPackage", package: "swift-system")
let unixSignals = Target.Dependency.product(name: "UnixSignals", package: "swift-service-lifecycle")

let roleProducts = [lifecycle, logging, metrics]

let modules: [Module] = [
    Module(name: "CYAML", layer: .c, kind: .system(pkgConfig: "yaml-0.1", apt: "libyaml-dev")),
    Module(name: "CRDKafka", layer: .c, kind: .system(pkgConfig: "rdkafka", apt: "librdkafka-dev")),
    Module(name: "CXGBoost", layer: .c, kind: .system(pkgConfig: nil, apt: "libxgboost-dev")),
    Module(name: "CZlib", layer: .c, kind: .system(pkgConfig: nil, apt: "zlib1g-dev")),
    Module(name: "CArrowLibrary", layer: .c, kind: .system(pkgConfig: "mlops-arrow", apt: "scripts/install-deps")),
    Module(name: "CArrow", layer: .c, kind: .cxx, uses: ["CArrowLibrary"]),

    Module(name: "Domain", layer: .core, products: [crypto], tested: true),
    Module(name: "Table", layer: .core, uses: ["Domain"], tested: true),
    Module(name: "Statistics", layer: .core, uses: ["Domain"], tested: true),
    Module(name: "Expressions", layer: .core, uses: ["Domain", "Table"], tested: true),
    Module(name: "Streaming", layer: .core, uses: ["Domain", "Table", "Statistics", "Expressions"], tested: true),
    Module(name: "Features", layer: .core, uses: ["Domain", "Table", "Expressions", "Streaming"], products: [crypto], tested: true),
    Module(name: "Inference", layer: .core, uses: ["Domain", "Table"], tested: true),
    Module(name: "Learning", layer: .core, uses: ["Domain", "Table", "Statistics", "Inference"], tested: true),
    Module(name: "Project", layer: .core, uses: ["Domain", "Table", "Expressions", "Streaming", "Features", "Learning"], tested: true),

    Module(name: "YAML", layer: .adapters, uses: ["CYAML", "Domain"], tested: true),
    Module(
        name: "Settings", layer: .adapters, uses: ["Domain", "Expressions", "Project", "YAML"], products: [configuration, systemPackage],
        tested: true),
    Module(name: "Telemetry", layer: .adapters, uses: ["Domain"], products: [logging, metrics, coreMetrics], tested: true),
    Module(
        name: "EventLog", layer: .adapters, uses: ["CRDKafka", "Domain"], products: [crypto, grdb, logging, metrics], tested: true),
    Module(name: "TestLogs", layer: .tests, uses: ["Domain", "EventLog"]),
    Module(name: "Columnar", layer: .adapters, uses: ["CArrow", "Domain", "Table"], tested: true),
    Module(name: "Boosting", layer: .adapters, uses: ["CXGBoost", "Domain", "Statistics", "Inference", "Learning"], tested: true),
    Module(
        name: "Web", layer: .adapters, uses: ["CZlib", "Domain", "Telemetry"],
        products: [
            hummingbird, hummingbirdCore, hummingbirdTLS, httpClient, httpTypes, lifecycle, logging, metrics, nioCore, nioHTTP1,
            nioHTTPTypes, nioPosix, nioSSL,
        ], tested: true),
    Module(
        name: "ObjectStore", layer: .adapters, uses: ["Domain", "Web"], products: [crypto, httpClient, nioCore, nioHTTP1], tested: true),
    Module(
        name: "WebSocket", layer: .adapters, products: [nioCore, nioHTTP1, nioPosix, nioSSL, nioWebSocket], tested: true),
    Module(name: "Markets", layer: .adapters, uses: ["Domain", "Web"], products: [httpClient, nioSSL], tested: true),

    Module(
        name: "FeatureStore", layer: .stores,
        uses: ["Domain", "Table", "Features", "EventLog", "Columnar", "ObjectStore"], tested: true, testUses: ["TestLogs"]),
    Module(
        name: "Tracking", layer: .stores, uses: ["Domain", "Expressions", "ObjectStore", "Web"],
        products: [grdb, sqlite, httpClient, logging], tested: true),
    Module(
        name: "Registry", layer: .stores, uses: ["Domain", "Table", "Inference", "Columnar", "ObjectStore", "Web", "Tracking"],
        products: [crypto, grdb], tested: true),

    Module(
        name: "ProduceRole", layer: .roles,
        uses: [
            "Domain", "Table", "Expressions", "Features", "Project", "Settings", "EventLog", "Columnar", "Web", "WebSocket", "Markets",
            "FeatureStore",
        ],
        products: roleProducts, tested: true, testUses: ["TestLogs"]),
    Module(
        name: "FeatureRole", layer: .roles,
        uses: [
            "Domain", "Table", "Expressions", "Streaming", "Features", "Project", "Settings", "Telemetry", "EventLog", "Columnar",
            "ObjectStore", "Web", "FeatureStore",
        ],
        products: roleProducts + [hummingbird, httpTypes, nioCore], tested: true, testUses: ["TestLogs"]),
    Module(
        name: "TrainRole", layer: .roles,
        uses: [
            "Domain", "Table", "Expressions", "Features", "Statistics", "Inference", "Learning", "Project", "Settings",
            "EventLog", "Columnar", "Boosting", "ObjectStore", "FeatureStore", "Tracking", "Registry", "Web",
        ],
        products: roleProducts, tested: true),
    Module(
        name: "TrackRole", layer: .roles,
        uses: ["Domain", "Table", "Project", "Settings", "EventLog", "Columnar", "ObjectStore", "Web", "Tracking", "Registry"],
        products: roleProducts + [collections, hummingbird, httpTypes, nioCore], tested: true),
    Module(
        name: "ServeRole", layer: .roles,
        uses: [
            "Domain", "Table", "Expressions", "Features", "Inference", "Project", "Settings", "Telemetry", "EventLog", "ObjectStore",
            "Web", "FeatureStore", "Tracking", "Registry",
        ],
        products: roleProducts + [hummingbird, httpTypes, nioCore], tested: true),
    Module(
        name: "MonitorRole", layer: .roles,
        uses: [
            "Domain", "Table", "Expressions", "Features", "Statistics", "Inference", "Project", "Settings", "Telemetry", "EventLog",
            "Columnar", "ObjectStore", "Web", "FeatureStore", "Tracking", "Registry",
        ],
        products: roleProducts + [hummingbird], tested: true),
]

var above: [String: Layer] = [:]
for module in modules {
    for name in module.uses {
        guard let layer = above[name] else { fatalError("\(module.name) uses \(name), which is not listed above it") }
        guard layer != .roles else { fatalError("\(module.name) uses \(name), but a role never uses a role") }
        guard layer != .tests else { fatalError("\(module.name) uses \(name), which is for tests only") }
    }
    above[module.name] = module.layer
}

let strict: [SwiftSetting] = [
    .enableUpcomingFeature("ExistentialAny"),
    .enableUpcomingFeature("InternalImportsByDefault"),
    .enableUpcomingFeature("MemberImportVisibility"),
    .treatAllWarnings(as: .error),
]

var targets: [Target] = modules.map { module in
    let path = "Sources/Modules/\(module.layer.rawValue)/\(module.name)"
    let dependencies = module.uses.map { Target.Dependency(stringLiteral: $0) } + module.products
    return switch module.kind {
    case .system(let pkgConfig, let apt):
        .systemLibrary(name: module.name, path: path, pkgConfig: pkgConfig, providers: [.apt([apt])])
    case .cxx: .target(name: module.name, dependencies: dependencies, path: path)
    case .swift: .target(name: module.name, dependencies: dependencies, path: path, swiftSettings: strict)
    }
}

// Tests of a module see that module, what it uses, what is there for tests, and nothing else of this package.
targets += modules.filter(\.tested).map { module in
    .testTarget(
        name: "\(module.name)Tests",
        dependencies: ([module.name] + module.uses + module.testUses).map { Target.Dependency(stringLiteral: $0) } + module.products,
        path: "Tests/\(module.name)Tests", swiftSettings: strict)
}

targets.append(
    .executableTarget(
        name: "mlops",
        dependencies: modules.filter { $0.layer != .c && $0.layer != .tests }.map { Target.Dependency(stringLiteral: $0.name) }
            + [argumentParser, lifecycle, logging, metrics, unixSignals],
        path: "Sources/mlops", swiftSettings: strict))

// What Benchmarks/kafka_produce.py measures; not part of the program.
targets.append(
    .executableTarget(
        name: "kafka-produce", dependencies: ["Domain", "EventLog", logging], path: "Benchmarks/kafka_produce", swiftSettings: strict))

let package = Package(
    name: "mlops",
    platforms: [.macOS(.v15)],
    products: [.executable(name: "mlops", targets: ["mlops"])],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-configuration", from: "1.4.0", traits: []),
        .package(url: "https://github.com/apple/swift-crypto", from: "4.5.2"),
        .package(url: "https://github.com/apple/swift-http-types", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
        .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
        .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
        .package(url: "https://github.com/apple/swift-nio-extras.git", from: "1.35.2"),
        .package(url: "https://github.com/apple/swift-nio-ssl", from: "2.37.6"),
        .package(url: "https://github.com/apple/swift-system", from: "1.8.1"),
        .package(url: "https://github.com/groue/GRDB.swift", from: "7.10.0"),
        .package(url: "https://github.com/hummingbird-project/hummingbird", from: "2.28.1"),
        .package(url: "https://github.com/swift-server/async-http-client", from: "1.37.0"),
        .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
    ],
    targets: targets,
    swiftLanguageModes: [.v6],
    cxxLanguageStandard: .cxx20
)
