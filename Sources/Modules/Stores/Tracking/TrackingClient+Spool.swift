import Web

extension TrackingClient {
    /// Sends what belongs to a run and may be sent twice; keeps it on disk when the server is away and there is a spool.
    ///
    /// Nothing overtakes what waits already: the server sees a run's requests in the order they were made.
    func report(_ route: String, run: String, _ body: (inout JSONWriter) -> Void) async throws(TrackingFailure) {
        guard let spool else {
            _ = try await post(route, isIdempotent: true, body)
            return
        }
        let entry = TrackingSpool.Entry(route: route, body: JSONWriter.object(body))
        do throws(TrackingFailure) {
            if await !spool.isEmpty(run) { try await replay(run: run) }
            try await send(entry)
        } catch {
            guard error.isRetriable else { throw error }
            do throws(TrackingSpool.Failure) { try await spool.add(entry, run: run) } catch let full {
                throw TrackingFailure(HTTPFailure(error.cause.code, during: "\(error.cause.operation), and \(full)"))
            }
        }
    }

    private func send(_ entry: TrackingSpool.Entry) async throws(TrackingFailure) {
        var call = JSONClient.Call(.post, Self.api + entry.route, isIdempotent: true)
        call.body = entry.body
        _ = try await json(call)
    }

    /// Sends what waits, of every run that has something waiting.
    /// - Returns: How many requests the server took.
    /// - Throws: When the server is still away; what waits stays.
    @discardableResult
    package func replay() async throws(TrackingFailure) -> Int {
        var taken = 0
        for run in await spool?.runs() ?? [] { taken += try await replay(run: run) }
        return taken
    }

    @discardableResult
    private func replay(run: String) async throws(TrackingFailure) -> Int {
        guard let spool else { return 0 }
        var taken = 0
        repeat {
            let entries = await spool.entries(run)
            for entry in entries.dropFirst(taken) {
                do throws(TrackingFailure) {
                    try await send(entry)
                } catch {
                    // A run that was deleted meanwhile takes nothing; what it had to say is kept beside, not sent for ever.
                    guard !error.isRetriable else { throw error }
                    await spool.setAside(run)
                    throw error
                }
                taken += 1
            }
        } while await !spool.remove(run, taken: taken)
        return taken
    }
}
