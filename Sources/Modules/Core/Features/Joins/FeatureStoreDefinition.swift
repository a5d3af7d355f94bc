package import Domain

/// How features are looked up, as declared under `feature_store:`.
package struct FeatureStoreDefinition: Sendable, Hashable {
    /// A named list of features that callers ask for together.
    package struct Service: Sendable, Hashable {
        package let name: String
        package let features: [FeatureName]

        package init(name: String, features: [FeatureName]) {
            self.name = name
            self.features = features
        }
    }

    /// How old a row of a view may be, in milliseconds, before it counts as missing; no limit for the views that are not here.
    package let ttl: [String: EventTime.Milliseconds]
    /// In declaration order.
    package let services: [Service]

    package init(ttl: [String: EventTime.Milliseconds] = [:], services: [Service] = []) {
        self.ttl = ttl
        self.services = services
    }
}

/// A column of a view.
package struct FeatureName: Sendable, Hashable {
    package let view: String
    package let column: String

    package init(view: String, column: String) {
        self.view = view
        self.column = column
    }
}
