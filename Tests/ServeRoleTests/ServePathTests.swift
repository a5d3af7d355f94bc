import Testing

@testable import ServeRole

@Suite struct ServePathTests {
    @Test(
        arguments: [
            ("GET", "/v1/models", .models), ("GET", "/V1/Models/", .models),
            ("GET", "/v1/models/half", .status(model: "half", .latest)),
            ("GET", "/v1/models/half/versions/3", .status(model: "half", .version(3))),
            ("GET", "/v1/models/half/labels/stable", .status(model: "half", .label("stable"))),
            ("GET", "/v1/models/half/metadata", .metadata(model: "half", .latest)),
            ("GET", "/v1/models/half/versions/3/METADATA", .metadata(model: "half", .version(3))),
            ("POST", "/v1/models/half:predict", .call(model: "half", .latest, .predict)),
            ("POST", "/v1/models/Half%20two:PREDICT", .call(model: "Half two", .latest, .predict)),
            ("POST", "/v1/models/half/versions/12:predict", .call(model: "half", .version(12), .predict)),
            ("POST", "/v1/models/half/labels/champion:regress", .call(model: "half", .label("champion"), .regress)),
            ("POST", "/v1/models/versions:classify", .call(model: "versions", .latest, .classify)),
        ] as [(String, String, ServePath)])
    func `every form of the protocol is understood, in any case`(method: String, path: String, expected: ServePath) throws {
        #expect(try ServePath.parse(method: method, path: path) == expected)
    }

    @Test(arguments: [
        ("GET", "/v1"), ("GET", "/v1/model"), ("POST", "/v1/models"), ("GET", "/v1/models/half:predict"), ("POST", "/v1/models/half"),
        ("PUT", "/v1/models/half:predict"), ("POST", "/v1/models/half:explode"), ("POST", "/v1/models/:predict"),
        ("GET", "/v1/models/half/versions/x"), ("GET", "/v1/models/half/versions"), ("GET", "/v1/models/half/other"),
        ("POST", "/v1/models/half/metadata:predict"), ("POST", "/v1/models/a:b:predict"), ("GET", "/v1/models/half/versions/1/more"),
    ])
    func `anything else is malformed and says what was asked`(method: String, path: String) {
        #expect(throws: ServeFailure(.invalid, "Malformed request: \(method) \(path)")) { try ServePath.parse(method: method, path: path) }
    }

    @Test func `a version beyond 64 bits cannot be converted`() {
        #expect(throws: ServeFailure(.invalid, "Failed to convert version: 99999999999999999999 to numeric.")) {
            try ServePath.parse(method: "GET", path: "/v1/models/half/versions/99999999999999999999")
        }
        #expect(throws: Never.self) { try ServePath.parse(method: "GET", path: "/v1/models/half/versions/9223372036854775807") }
    }
}
