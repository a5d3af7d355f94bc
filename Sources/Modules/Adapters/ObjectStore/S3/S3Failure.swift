import AsyncHTTPClient
import NIOCore
import NIOHTTP1

/// What a bucket's refusals mean to who asked.
enum S3Failure {
    /// Of an answer that is an error.
    static func error(_ answer: HTTPClientResponse, _ call: S3Call, region: String) async -> ObjectStoreError {
        let bytes = (try? await answer.body.collect(upTo: 64 << 10)).map { Array($0.readableBytesView) } ?? []
        let document = try? S3XML.read(bytes)
        let elsewhere = answer.headers.first(name: "x-amz-bucket-region") ?? document?.text("Region")
        return error(
            status: answer.status.code, code: document?.text("Code"), message: document?.text("Message"), call,
            elsewhere: elsewhere.flatMap { $0 == region ? nil : $0 }, region: region)
    }

    /// Source: Amazon S3 API Reference, "Error responses".
    static func error(
        status: UInt, code: String?, message: String?, _ call: S3Call, elsewhere: String? = nil, region: String
    ) -> ObjectStoreError {
        func made(_ kind: ObjectStoreError.Code, _ reason: String, isTransient: Bool = false) -> ObjectStoreError {
            ObjectStoreError(kind, call.operation, path: call.path, reason, isTransient: isTransient)
        }
        let said = [code, message.map { String($0.prefix(300)) }].compactMap(\.self).joined(separator: ": ")
        let answered = "the store answered \(status)" + (said.isEmpty ? "" : ", \(said)")
        switch (status, code) {
        case (_, "NoSuchBucket"): return made(.badSettings, "there is no such bucket")
        case (404, "NoSuchUpload"): return made(.notFound, said)
        case (404, _): return made(.notFound, "there is no such object")
        case (_, "PermanentRedirect"), (_, "AuthorizationHeaderMalformed"), (301, _), (307, _):
            let right = elsewhere.map { "it is in region \($0)" } ?? "it is in another region or behind another endpoint"
            return made(.badSettings, "\(right), and requests are signed for \(region): set s3.region (\(answered))")
        case (416, _): return made(.outOfRange, "the range is not inside the object")
        case (412, _): return made(.corrupt, "it was replaced meanwhile", isTransient: false)
        case (_, "RequestTimeTooSkewed"): return made(.denied, "the clock of this machine is wrong (\(answered))")
        case (_, "KeyTooLongError"): return made(.invalidPath, "the key is too long")
        case (_, "SlowDown"), (_, "RequestTimeout"), (_, "InternalError"), (_, "OperationAborted"), (429, _), (500..., _):
            return status == 501 ? made(.io, answered) : made(.unavailable, answered, isTransient: true)
        case (401, _), (403, _): return made(.denied, "the store denies it to these credentials (\(answered))")
        default: return made(.io, answered)
        }
    }

    /// Of a request that was not answered to its end.
    static func error(_ error: any Error, _ call: S3Call) -> ObjectStoreError {
        if let known = error as? ObjectStoreError { return known }
        if error is NIOTooManyBytesError {
            return ObjectStoreError(.io, call.operation, path: call.path, "the store's answer is too large")
        }
        if error is CancellationError { return ObjectStoreError(.io, call.operation, path: call.path, "it was cancelled") }
        return ObjectStoreError(.unavailable, call.operation, path: call.path, "the store does not answer: \(error)", isTransient: true)
    }
}
