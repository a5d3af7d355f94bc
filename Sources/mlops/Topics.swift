import EventLog
import FeatureRole
import Project

/// All topics of a project.
enum Topics {
    static func predictions(_ project: ProjectDefinition) -> String { project.topicPrefix + "predictions" }
    static func registryEvents(_ project: ProjectDefinition) -> String { project.topicPrefix + "registry-events" }

    static func plans(_ project: ProjectDefinition) -> [TopicPlan] {
        StreamTopics.plans(streams: project.streams, views: project.views) + [
            TopicPlan(name: predictions(project), partitions: StreamTopics.partitions),
            TopicPlan(name: registryEvents(project), partitions: 1),
        ]
    }
}
