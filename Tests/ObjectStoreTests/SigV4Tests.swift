import Foundation
import Testing

@testable import ObjectStore

/// What botocore signs the same requests with; `IntegrationTests/s3_signatures.py` writes the file.
private struct Golden: Decodable, CustomTestStringConvertible {
    let access_key: String
    let secret_key: String
    let session_token: String?
    let region: String
    let method: String
    let path: String
    let query: String
    let headers: [String: String]
    let payload: String
    let time: Int64
    let authorization: String

    var testDescription: String { "\(method) \(path)?\(query)" }

    static let all: [Golden] = {
        let file = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../Fixtures/S3/signatures.json")
        return (try? JSONDecoder().decode([Golden].self, from: Data(contentsOf: file))) ?? []
    }()
}

@Suite struct SigV4Tests {
    @Test func `the golden signatures are there`() { #expect(Golden.all.count == 8) }

    @Test(arguments: Golden.all)
    fileprivate func `a request is signed as botocore signs it`(golden: Golden) {
        let signer = SigV4(
            credentials: .init(accessKey: golden.access_key, secretKey: golden.secret_key, sessionToken: golden.session_token),
            region: golden.region)
        let request = SigV4.Request(
            method: golden.method, path: golden.path, query: golden.query, headers: golden.headers.map { ($0, $1) },
            payload: Array(golden.payload.utf8))
        let signed = signer.sign(request, at: golden.time)
        #expect(signed.last?.name == "authorization" && signed.last?.value == golden.authorization)
    }

    @Test(
        arguments: [
            (0, "19700101T000000Z"), (-1, "19691231T235959Z"), (951_782_400_000, "20000229T000000Z"),
            (4_102_444_799_999, "20991231T235959Z"),
        ] as [(Int64, String)])
    func `a moment is told to the second`(time: Int64, text: String) { #expect(SigV4.stamp(time) == text) }

    @Test func `no text of credentials shows them`() {
        let credentials = SigV4.Credentials(accessKey: "AKIA", secretKey: "hush", sessionToken: "psst")
        var dumped = ""
        dump(credentials, to: &dumped)
        let options = S3Options(
            environment: ["AWS_ACCESS_KEY_ID": "AKIA", "AWS_SECRET_ACCESS_KEY": "hush", "AWS_SESSION_TOKEN": "psst"], now: { 0 })
        dump(options, to: &dumped)
        for text in ["\(credentials)", String(reflecting: credentials), dumped, "\(options)"] {
            #expect(!text.contains("hush") && !text.contains("psst") && !text.contains("AKIA"), "\(text)")
        }
    }
}
