package import Domain
package import Project

/// What the monitor knows: predictions joined with labels, errors by version and window, the latest rows.
///
/// A pure state machine: records in, numbers out. Time is what the records say. A window is that of the features a
/// prediction was made from; its drift is judged when event time has left it.
package struct MonitorEngine: Sendable {
    package struct Settings: Sendable {
        package var model: String
        package var windows: MonitoringDefinition.Windows
        /// How long after `predictedFor` a label still counts.
        package var labelWait: EventTime.Milliseconds
        package var drift: MonitoringDefinition.Drift
        /// The column of the label view that holds the truth.
        package var labelColumn: String
        /// The column whose value at prediction time is the baseline; `nil` without such a baseline. Taken from the features,
        /// and where the model has no such input but labels are of this column, from the label of the features' time.
        package var baseline: String?
        /// Predictions, labels and marks that the join may hold.
        package var maxJoinEntries = 200_000
        /// The latest rows of a version, which its drift now is judged on.
        package var recentRows = 5_000
        /// Rows that are kept for the verdicts of windows, of all versions; a version keeps its ``recentRows`` in any case. Rows
        /// come for long after their window has ended: those of one partition before those of another, gaps when they are filled.
        package var keptRows = 50_000
        /// Windows that are kept; older ones live on in the totals.
        package var maxWindows = 1_000

        package init(
            model: String, windows: MonitoringDefinition.Windows, labelColumn: String, labelWait: EventTime.Milliseconds,
            drift: MonitoringDefinition.Drift, baseline: String?
        ) {
            self.model = model
            self.windows = windows
            self.labelColumn = labelColumn
            self.labelWait = labelWait
            self.drift = drift
            self.baseline = baseline
        }
    }

    package struct WindowKey: Sendable, Hashable, Comparable {
        package let start: EventTime.Milliseconds
        package let version: String

        package static func < (a: WindowKey, b: WindowKey) -> Bool { (a.start, a.version) < (b.start, b.version) }
    }

    package struct Window: Sendable, Equatable {
        package var errors = ErrorSums()
        /// Set when the window has ended with enough rows and a reference; made again when more of its rows come.
        package var drift: DriftSummary?
        package var isClosed = false
    }

    /// What of a verdict is kept for the time line.
    package struct DriftSummary: Sendable, Equatable {
        package let share: Double
        package let isDrifted: Bool
        package let rows: Int
    }

    /// What became of the records, since the first one.
    package struct Counts: Sendable, Equatable {
        package var predictions = 0
        package var repeated = 0
        package var stale = 0
        /// Features came with the request: no label is awaited.
        package var withoutEntity = 0
        package var withoutOutput = 0
        package var otherModels = 0
        package var unreadable = 0
        package var labels = 0
    }

    package let settings: Settings
    package internal(set) var join: LabelJoin
    package internal(set) var windows: [WindowKey: Window] = [:]
    /// By version.
    package internal(set) var totals: [String: ErrorSums] = [:]
    package internal(set) var recent: [String: RecentRows] = [:]
    /// Rows of the feature view since the first prediction: for columns that drift is judged on and the version does not read.
    package internal(set) var viewRows: RecentRows
    /// Features' time of the first prediction, by version.
    package internal(set) var since: [String: EventTime.Milliseconds] = [:]
    package internal(set) var counts = Counts()
    /// What drift is measured against, by version; the role supplies it.
    package var references: [String: DriftReference] = [:]

    var changedWindows: Set<WindowKey> = []
    var changedTotals: Set<String> = []
    var changedSince: Set<String> = []
    /// Closed windows that have rows which their verdict does not know.
    private var unjudged: Set<WindowKey> = []

    package init(_ settings: Settings) {
        self.settings = settings
        join = LabelJoin(wait: settings.labelWait, maxEntries: settings.maxJoinEntries)
        viewRows = RecentRows(limit: settings.keptRows)
    }

    /// Greatest time any record told.
    package var now: EventTime.Milliseconds? { join.now }
    /// Versions seen, in order of their numbers.
    package var versions: [String] {
        Set(recent.keys).union(totals.keys).sorted { (Int($0) ?? 0, $0) < (Int($1) ?? 0, $1) }
    }

    /// The version whose features are the newest; of equals the higher number.
    package var latestVersion: String? {
        versions.last { version in recent[version]?.lastTime == recent.values.compactMap(\.lastTime).max() }
    }

    func windowKey(_ time: EventTime.Milliseconds, _ version: String) -> WindowKey {
        WindowKey(start: time.flooredQuotient(by: settings.windows.length) * settings.windows.length, version: version)
    }

    package mutating func take(_ prediction: MonitoredPrediction) {
        guard prediction.model == settings.model else { return counts.otherModels += 1 }
        advance(to: prediction.featureTime)
        counts.predictions += 1
        guard let entity = prediction.entity else {
            counts.withoutEntity += 1
            return keep(prediction)
        }
        // Not the entity's clock: where rows come in runs, such as filled gaps, all predictions of a run come before its labels.
        guard let output = prediction.output else { return counts.withoutOutput += 1 }
        let waiting = LabelJoin.Waiting(
            version: prediction.version, requestedAt: prediction.requestedAt, featureTime: prediction.featureTime, output: output,
            baseline: settings.baseline.flatMap { prediction.number(of: $0) })
        switch join.add(waiting, entity: entity, predictedFor: prediction.predictedFor) {
        case .stale: counts.stale += 1
        case .repeated, .replaced: counts.repeated += 1
        case .waits:
            begin(prediction)
        case .joined(let outcome):
            begin(prediction)
            settle(outcome)
        }
    }

    /// A label row of the label view.
    package mutating func take(label: Double?, entity: EntityKey, at time: EventTime.Milliseconds) {
        counts.labels += 1
        advance(to: time)
        for outcome in join.add(label: label, entity: entity, at: time) + join.advance(entity, to: time) { settle(outcome) }
    }

    /// A row of the view that the features come from; what came before the first prediction does not count.
    package mutating func take(row: [Value], names: [String], at time: EventTime.Milliseconds) {
        advance(to: time)
        guard !since.isEmpty else { return }
        viewRows.add(row, names: names, at: time)
        for version in since.keys { noteRow(at: time, of: version) }
    }

    /// After a restart: closed windows of which more rows are kept than their verdict knows.
    mutating func noteUnjudged() {
        var rows: [WindowKey: Int] = [:]
        for (version, recent) in recent {
            for row in recent.rows { rows[windowKey(row.featureTime, version), default: 0] += 1 }
        }
        for (key, window) in windows where window.isClosed && rows[key, default: 0] > window.drift?.rows ?? 0 { unjudged.insert(key) }
    }

    package mutating func noteUnreadable() { counts.unreadable += 1 }

    /// Tells that event time has come to `time`.
    package mutating func advance(to time: EventTime.Milliseconds) {
        if let now = join.now, time <= now { return }
        for outcome in join.advance(to: time) { settle(outcome) }
        for (key, window) in windows where !window.isClosed && key.start + settings.windows.length <= time { close(key) }
        while windows.count > settings.maxWindows, let oldest = windows.keys.min() {
            windows[oldest] = nil
            changedWindows.insert(oldest)
            unjudged.remove(oldest)
        }
    }

    /// Judges the drift of the windows that have closed, or got more rows since, after the last call. To be called before the
    /// changes are taken.
    package mutating func judgeWindows() {
        for key in unjudged.sorted() {
            let end = key.start + settings.windows.length
            guard let verdict = drift(of: key.version, in: keptRows(of: key.version) { $0 >= key.start && $0 < end }),
                let share = verdict.share
            else { continue }
            // Of a window whose rows have been given up the verdict stays that of the most rows.
            if let known = windows[key]?.drift, known.rows > verdict.rows { continue }
            windows[key]?.drift = DriftSummary(share: share, isDrifted: verdict.isDrifted, rows: verdict.rows)
            changedWindows.insert(key)
        }
        // Windows of a version whose reference cannot be read now wait for it.
        unjudged = unjudged.filter { references[$0.version] == nil }
    }

    private mutating func begin(_ prediction: MonitoredPrediction) {
        keep(prediction)
        totals[prediction.version, default: ErrorSums()].addPrediction()
        changedTotals.insert(prediction.version)
        let key = windowKey(prediction.featureTime, prediction.version)
        windows[key, default: Window()].errors.addPrediction()
        changedWindows.insert(key)
        // What comes after its window has ended is of the window all the same.
        if let now, windows[key]?.isClosed == false, key.start + settings.windows.length <= now { close(key) }
    }

    private mutating func keep(_ prediction: MonitoredPrediction) {
        if since[prediction.version] == nil {
            since[prediction.version] = prediction.featureTime
            changedSince.insert(prediction.version)
        }
        guard !prediction.features.isEmpty else { return }
        recent[prediction.version, default: RecentRows(limit: settings.keptRows)].add(prediction)
        noteRow(at: prediction.featureTime, of: prediction.version)
        while recent.values.reduce(0, { $0 + $1.count }) > settings.keptRows, let oldest = versionToShorten {
            recent[oldest]?.removeOldest()
        }
    }

    /// A closed window that gets one more row is judged again.
    private mutating func noteRow(at time: EventTime.Milliseconds, of version: String) {
        let key = windowKey(time, version)
        if windows[key]?.isClosed == true { unjudged.insert(key) }
    }

    /// Of the versions with more than the rows that each keeps, the one whose last row is the oldest.
    private var versionToShorten: String? {
        recent.filter { $0.value.count >= settings.recentRows + RecentRows.chunkRows }
            .min { ($0.value.lastTime ?? .min, $0.key) < ($1.value.lastTime ?? .min, $1.key) }?.key
    }

    private mutating func settle(_ outcome: LabelJoin.Outcome) {
        let version = outcome.prediction.version
        var baseline = outcome.prediction.baseline
        if baseline == nil, settings.baseline == settings.labelColumn {
            baseline = join.label(of: outcome.entity, at: outcome.prediction.featureTime)
        }
        totals[version, default: ErrorSums()].add(outcome, baseline: baseline)
        changedTotals.insert(version)
        let key = windowKey(outcome.prediction.featureTime, version)
        // A window that is no longer kept does not come back for one late label.
        guard windows[key] != nil else { return }
        windows[key]?.errors.add(outcome, baseline: baseline)
        changedWindows.insert(key)
    }

    private mutating func close(_ key: WindowKey) {
        windows[key]?.isClosed = true
        changedWindows.insert(key)
        unjudged.insert(key)
    }
}
