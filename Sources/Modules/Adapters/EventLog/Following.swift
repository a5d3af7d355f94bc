extension EventLog {
    /// Keeps somebody up to date with a topic: calls `refresh` now, and whenever the topic may have something new, until the task is
    /// cancelled.
    ///
    /// What passes by itself is told to `trouble`, and tried again after a second, or when something has been appended.
    /// - Throws: What `refresh` throws besides.
    package func follow(
        _ topic: String, trouble: @Sendable (EventLogError) -> Void, refresh: @Sendable () async throws -> Void
    ) async throws {
        while !Task.isCancelled {
            // Before it reads: what comes meanwhile ends the wait.
            let version = version(of: [topic])
            var pause = Duration.milliseconds(100)
            do {
                try await refresh()
            } catch let error as EventLogError {
                guard error.isRetriable else { throw error }
                trouble(error)
                pause = .seconds(1)
            }
            await waitForAppend(to: [topic], after: version, timeout: pause)
        }
    }
}
