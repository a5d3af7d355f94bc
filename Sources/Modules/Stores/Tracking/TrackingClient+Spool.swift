import Logging
import Web

extension TrackingClient {
    /// Sends what belongs to a run and may be sent twice; keeps it on disk when the server is away or does not know who asks,
    /// and there is a spool.
    ///
    /// Nothing overtakes what waits already: the server sees a run's requests in the order they were made.
    func report(_ route: String, run: String, _ body: (inout JSONWriter) -> Void) async throws(TrackingFailure) {
        guard let spool else {
            _ = try await post(route, isIdempotent: true, body)
            return
        }
        let entry = TrackingSpool.Entry(route: route, body: JSONWriter.object(body))
        let isFirst = await spool.isEmpty(run)
        do throws(TrackingFailure) {
            if !isFirst { try await replay(run: run) }
            try await send(entry)
        } catch {
            guard error.mayPass else { throw error }
            do throws(TrackingSpool.Failure) { try await spool.add(entry, run: run) } catch let full {
                throw TrackingFailure(HTTPFailure(error.cause.code, during: "\(error.cause.operation), and \(full)"))
            }
            if isFirst {
                spool.logger.warning(
                    "what the run reports waits on disk until the tracking server takes it",
                    metadata: ["run": "\(run)", "reason": "\(error)"])
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
    /// - Throws: The first failure, when the server does not take a run's requests now; what waits stays. The others are
    ///   sent all the same.
    @discardableResult
    package func replay() async throws(TrackingFailure) -> Int {
        var taken = 0, failure: TrackingFailure?
        for run in await spool?.runs() ?? [] {
            do throws(TrackingFailure) { taken += try await replay(run: run) } catch {
                failure = failure ?? error
                // Every other run would wait for the same time-out.
                if error.isRetriable { break }
            }
        }
        if let failure { throw failure }
        return taken
    }

    /// - Returns: How many requests the server took. Those that it refuses for what they say are put aside and told: sent
    ///   again they would hold up the others for ever.
    @discardableResult
    private func replay(run: String) async throws(TrackingFailure) -> Int {
        guard let spool else { return 0 }
        var taken = 0, end = 0
        do {
            repeat {
                while true {
                    let lines = try await spool.batch(run, from: end).lines
                    guard let last = lines.last else { break }
                    var aside: [TrackingSpool.Batch.Line] = []
                    // What was refused before the server went away is kept all the same.
                    let result = await send(lines, of: run, spool, aside: &aside, taken: &taken)
                    try await spool.setAside(aside, run: run)
                    try result.get()
                    end = last.end
                }
            } while try await !spool.remove(run, upTo: end)
        } catch let failure as TrackingFailure {
            throw failure
        } catch {
            throw TrackingFailure(HTTPFailure(.badRequest, during: "replay of run \(run): \(error)"))
        }
        return taken
    }

    private func send(
        _ lines: [TrackingSpool.Batch.Line], of run: String, _ spool: TrackingSpool, aside: inout [TrackingSpool.Batch.Line],
        taken: inout Int
    ) async -> Result<Void, TrackingFailure> {
        for line in lines {
            guard let entry = line.entry else {
                spool.logger.error("a line of a run's spool cannot be read and is put aside", metadata: ["run": "\(run)"])
                aside.append(line)
                continue
            }
            do throws(TrackingFailure) {
                try await send(entry)
                taken += 1
            } catch {
                guard error.isForGood else { return .failure(error) }
                spool.logger.error(
                    "the tracking server refuses what a run reported; it is put aside",
                    metadata: ["run": "\(run)", "request": "\(entry.route)", "reason": "\(error)"])
                aside.append(line)
            }
        }
        return .success(())
    }
}
