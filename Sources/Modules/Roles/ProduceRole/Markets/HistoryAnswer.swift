import Markets
import Web

/// Asks for a page of the past until there is an answer or patience is over.
enum HistoryAnswer {
    /// The exchange refused, or was not there, for too long.
    struct Refused: Error {
        let reason: String
    }

    /// Exchanges also say within an answer that they were asked too often: that is waited for like a failed request.
    /// - Throws: ``Refused``, or what the lease says.
    static func patient(
        _ request: HistoryRequest, codec: any MarketCodec, from client: HistoryClient, writer: SourceWriter,
        jitter: @Sendable () -> Double
    ) async throws -> [UInt8] {
        var failures = 0
        while true {
            let reason: String
            do throws(HTTPFailure) {
                let answer = try await client.fetch(request)
                guard let refusal = codec.refusal(in: answer) else { return answer }
                reason = refusal
            } catch {
                try Task.checkCancellation()
                throw Refused(reason: "\(error)")
            }
            failures += 1
            guard let delay = HistoryClient.patience.delay(afterFailures: failures, jitter: jitter()) else { throw Refused(reason: reason) }
            try await writer.renewLease()
            try await Task.sleep(for: delay)
        }
    }
}
