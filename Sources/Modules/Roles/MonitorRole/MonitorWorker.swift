package import Domain
package import EventLog
package import Features
package import Logging
package import Table

/// Feeds the engine from the log, and commits its state together with the positions it was computed from.
package actor MonitorWorker {
    package struct Plan: Sendable {
        /// Prefix included.
        package var predictionsTopic: String
        /// Where the truth comes from; `nil` watches drift alone.
        package var labelView: CompiledView?
        /// Where the features come from, for drift of columns that the served version does not read; `nil` leaves those out.
        package var featureView: CompiledView?
        /// Tells two monitors of one process apart.
        package var instance: String

        package init(predictionsTopic: String, labelView: CompiledView?, featureView: CompiledView? = nil, instance: String = "monitor") {
            self.predictionsTopic = predictionsTopic
            self.labelView = labelView
            self.featureView = featureView
            self.instance = instance
        }

        /// What the monitor waits for.
        var topics: [String] { [predictionsTopic] + [labelView, featureView].compactMap { $0?.definition.topic } }
    }

    /// Records in one unit.
    private static let unitRecords = 5_000
    private static let leaseTime: Int64 = 10_000
    /// A verdict on drift sorts thousands of rows: not for every record.
    private static let driftInterval = Duration.seconds(5)
    private static let renewal = Duration.seconds(3)
    /// After this the reference of a version is asked for again.
    private static let referenceRetry = Duration.seconds(30)

    private let plan: Plan
    private let log: any EventLog
    private let reference: @Sendable (ModelVersion) async throws -> Table?
    private let logger: Logger
    private let wall: @Sendable () -> EventTime.Milliseconds
    private let owner: String
    private let fresh: MonitorEngine
    private var engine: MonitorEngine
    private var input: MergedInput?
    private var lease: Lease?
    private var renewed = ContinuousClock.now
    private var metrics: MonitorMetrics
    private var referenceTried: [String: ContinuousClock.Instant] = [:]
    /// What the last verdict on drift was made from, and when.
    private var judged = 0
    private var judgedAt = ContinuousClock.now
    /// Grows when the engine has taken something in.
    package private(set) var revision = 0

    /// - Parameters:
    ///   - reference: The training sample of a version; `nil` when it has none.
    ///   - wall: Milliseconds since the epoch; only the lease goes by it.
    package init(
        _ settings: MonitorEngine.Settings, plan: Plan, log: any EventLog,
        reference: @escaping @Sendable (ModelVersion) async throws -> Table?, logger: Logger,
        wall: @escaping @Sendable () -> EventTime.Milliseconds
    ) {
        self.plan = plan
        self.log = log
        self.reference = reference
        self.logger = logger
        self.wall = wall
        owner = Lease.ownerName(plan.instance)
        fresh = MonitorEngine(settings)
        engine = fresh
        metrics = MonitorMetrics(model: settings.model)
    }

    private var group: String { "monitor/\(fresh.settings.model)" }

    /// What is known now.
    package var snapshot: MonitorEngine { engine }

    /// Another process monitors this model from this log.
    package struct Held: Error, Equatable, CustomStringConvertible {
        package let model: String
        package var description: String { "another process monitors model \"\(model)\" from this log" }
    }

    /// Takes everything that the topics hold now, and judges drift.
    /// - Returns: Records taken.
    /// - Throws: ``Held`` while another process monitors.
    @discardableResult
    package func drain() async throws -> Int {
        guard try await open() else { throw Held(model: fresh.settings.model) }
        do {
            let total = try await takeAll()
            tellDrift()
            return total
        } catch {
            // The engine is ahead of what was committed.
            forget()
            throw error
        }
    }

    /// - Returns: Records taken; 0 also while another process monitors.
    private func takeAll() async throws -> Int {
        if ContinuousClock.now - renewed > Self.renewal || input == nil, try await !open() { return 0 }
        guard var input else { return 0 }
        let ends = try await input.ends(), names = input.featureNames
        var total = 0
        while !Task.isCancelled {
            if ContinuousClock.now - renewed > Self.renewal {
                // Another process may have gone on in between: then what it saved counts.
                guard try await open(), let saved = self.input else { return total }
                input = saved
            }
            for version in try await input.fill(upTo: ends) { await loadReference(version) }
            var taken = 0
            while taken < Self.unitRecords, let item = input.next(upTo: ends) {
                take(item, names)
                taken += 1
            }
            if taken == 0 { break }
            total += taken
            try await commit(input)
            self.input = input
            metrics.tell(lag: input.lag(ends))
        }
        self.input = input
        if total > 0 { metrics.tell(engine) }
        return total
    }

    /// Follows the topics until the task is cancelled.
    func run() async throws {
        while !Task.isCancelled {
            let topics = plan.topics
            let version = log.version(of: topics)
            do {
                let taken = try await takeAll()
                if revision > judged, ContinuousClock.now - judgedAt > Self.driftInterval { tellDrift() }
                if taken > 0 { continue }
                // While another process monitors, asking for the lease now and then is enough.
                if lease == nil { try await Task.sleep(for: .seconds(1)) }
            } catch let error as EventLogError {
                if case .fenced = error.code {
                    logger.warning("another process monitors now", metadata: ["model": "\(fresh.settings.model)"])
                } else {
                    guard error.isRetriable else { throw error }
                    logger.warning("the monitor waits for the log", metadata: ["error": "\(error)"])
                }
                forget()
            }
            await log.waitForAppend(to: topics, after: version, timeout: .milliseconds(200))
        }
    }

    /// Gives the right to monitor back, so that the next process need not wait for it.
    package func release() async throws {
        if let lease { try await log.release(lease) }
        forget()
    }

    /// Takes or renews the right to monitor, and puts the saved state back when it is new.
    /// - Returns: Whether this process has it.
    private func open() async throws -> Bool {
        renewed = .now
        let held = try await log.acquire(
            group: group, topic: plan.predictionsTopic, partition: 0, owner: owner, now: wall(), timeToLive: Self.leaseTime)
        if held != lease { forget() }
        lease = held
        guard held != nil else { return false }
        guard input == nil else { return true }
        let references = engine.references
        engine = fresh
        engine.references = references
        let saved = try await log.savedState(group: group, partition: 0)
        try engine.restore(saved.entries)
        input = try await MergedInput(
            log: log, predictionsTopic: plan.predictionsTopic,
            labels: plan.labelView.map { .init(view: $0, column: fresh.settings.labelColumn) }, features: plan.featureView, saved: saved)
        for version in engine.versions {
            if let number = Int(version) { await loadReference(ModelVersion(model: fresh.settings.model, number: number)) }
        }
        return true
    }

    /// What was taken since the last commit is void: whoever goes on, this process or another, goes on from there.
    private func forget() {
        input = nil
        lease = nil
    }

    private func take(_ item: MonitorItem, _ featureNames: [String]) {
        revision += 1
        switch item {
        case .prediction(let prediction):
            engine.take(prediction)
            if prediction.model == fresh.settings.model { metrics.took(output: prediction.output) }
        case .label(let label, let entity, let time): engine.take(label: label, entity: entity, at: time)
        case .row(let values, let time): engine.take(row: values, names: featureNames, at: time)
        case .unreadable(let reason):
            if engine.counts.unreadable == 0 { logger.warning("a record is no prediction", metadata: ["record": "\(reason)"]) }
            engine.noteUnreadable()
        }
    }

    private func commit(_ input: MergedInput) async throws {
        engine.judgeWindows()
        let state = engine.takeChanges().map { LogUnit.StateChange(key: $0.key, value: $0.value) }
        try await log.commit(
            LogUnit(group: group, state: state, offsets: input.positions, lease: lease))
    }

    private func loadReference(_ version: ModelVersion) async {
        let number = String(version.number)
        guard version.model == fresh.settings.model, engine.references[number] == nil else { return }
        if let last = referenceTried[number], ContinuousClock.now - last < Self.referenceRetry { return }
        referenceTried[number] = .now
        do {
            guard let table = try await reference(version) else {
                return logger.notice("a model without reference: its drift is not judged", metadata: ["model": "\(version)"])
            }
            engine.references[number] = DriftReference(table)
            logger.info(
                "drift reference", metadata: ["model": "\(version)", "rows": "\(table.rowCount)", "columns": "\(table.columns.count)"])
        } catch {
            logger.warning("the drift reference cannot be read", metadata: ["model": "\(version)", "error": "\(error)"])
        }
    }

    private func tellDrift() {
        judged = revision
        judgedAt = .now
        // Old versions keep the last verdict they had.
        guard let version = engine.latestVersion, let verdict = engine.drift(of: version) else { return }
        metrics.tell(verdict, version: version)
    }
}
