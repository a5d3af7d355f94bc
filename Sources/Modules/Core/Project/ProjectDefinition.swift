package import Domain
package import Expressions
package import Features
package import Learning

/// The whole of `mlops.yaml` in typed form; every name in it has been resolved and every expression type-checked.
package struct ProjectDefinition: Sendable {
    package let name: String
    /// The folder of the project file; relative paths in it start here.
    package let directory: String
    package let sources: [SourceDefinition]
    package let streams: [StreamDefinition]
    package let tables: [TableDefinition]
    /// In dependency order: a view comes after what it reads.
    package let views: [ViewDefinition]
    package let training: TrainingDefinition?
    /// The target's expression, present with `training`.
    package let target: TargetProgram?
    package let serving: ServingDefinition?
    package let monitoring: MonitoringDefinition?
    /// `feature_store:`
    package var featureStore = FeatureStoreDefinition()
    /// `settings:` as dotted keys (`serve.port`) and their text, for the Settings module to read as its file layer.
    package let settings: [String: String]
    /// Put before every topic name.
    package let topicPrefix: String
    /// Of the definitions that matter to data (streams, tables, views), normalised: spacing and comments do not count.
    package let hash: ContentHash
    /// The views of each stream, ready to run; streams in declaration order.
    package let compiled: [(stream: StreamDefinition, views: CompiledViews)]
    /// The columns of every view of a stream, by view. Those of a table are known only from its files.
    package let schemas: [String: ViewSchema]
    /// Where each of ``settings`` stands, `mlops.yaml:90:12`.
    package let settingPlaces: [String: String]

    package init(
        name: String, directory: String, sources: [SourceDefinition], streams: [StreamDefinition], tables: [TableDefinition],
        views: [ViewDefinition], training: TrainingDefinition?, target: TargetProgram?, serving: ServingDefinition?,
        monitoring: MonitoringDefinition?, settings: [String: String], topicPrefix: String, hash: ContentHash,
        compiled: [(stream: StreamDefinition, views: CompiledViews)], schemas: [String: ViewSchema], settingPlaces: [String: String]
    ) {
        self.name = name
        self.directory = directory
        self.sources = sources
        self.streams = streams
        self.tables = tables
        self.views = views
        self.training = training
        self.target = target
        self.serving = serving
        self.monitoring = monitoring
        self.settings = settings
        self.topicPrefix = topicPrefix
        self.hash = hash
        self.compiled = compiled
        self.schemas = schemas
        self.settingPlaces = settingPlaces
    }

    package func stream(_ name: String) -> StreamDefinition? { streams.first { $0.name == name } }

    package func view(_ name: String) -> ViewDefinition? { views.first { $0.name == name } }
}

/// What is served, as declared under `serving:`.
package struct ServingDefinition: Sendable {
    package struct Model: Sendable, Hashable {
        package let name: String
        package let alias: String

        package init(name: String, alias: String) {
            self.name = name
            self.alias = alias
        }
    }

    package let models: [Model]
    /// The view whose latest rows answer entity-only requests.
    package let featuresFrom: String?
    /// Whether every new final row is also predicted.
    package let stream: Bool

    package init(models: [Model], featuresFrom: String?, stream: Bool) {
        self.models = models
        self.featuresFrom = featuresFrom
        self.stream = stream
    }
}

/// What is watched, as declared under `monitoring:`.
package struct MonitoringDefinition: Sendable {
    package struct Windows: Sendable, Hashable {
        package let length: EventTime.Milliseconds
        /// A window with fewer rows gives no verdict.
        package let minRows: Int

        package init(length: EventTime.Milliseconds, minRows: Int) {
            self.length = length
            self.minRows = minRows
        }
    }

    package struct Labels: Sendable, Hashable {
        package let view: String
        package let key: String
        package let horizon: EventTime.Milliseconds
        /// The column that holds the truth.
        package let value: String
        /// How long after `predicted_for` a label may come before it counts as missing.
        package let wait: EventTime.Milliseconds

        package init(view: String, key: String, horizon: EventTime.Milliseconds, value: String, wait: EventTime.Milliseconds) {
            self.view = view
            self.key = key
            self.horizon = horizon
            self.value = value
            self.wait = wait
        }
    }

    package struct Drift: Sendable, Hashable {
        package enum Method: String, Sendable, CaseIterable { case auto, ks, psi }
        package let method: Method
        /// The data set has drifted when at least this share of its columns has.
        package let share: Double

        package init(method: Method, share: Double) {
            self.method = method
            self.share = share
        }
    }

    package let windows: Windows
    package let labels: Labels?
    package let drift: Drift

    package init(windows: Windows, labels: Labels?, drift: Drift) {
        self.windows = windows
        self.labels = labels
        self.drift = drift
    }
}
