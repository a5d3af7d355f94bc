import EventLog
import FeatureRole
import Project

/// All topics of a project.
enum Topics {
    static func predictions(_ project: ProjectDefinition) -> String { project.topicPrefix + "predictions" }
    static func registryEvents(_ project: ProjectDefinition) -> String { project.topicPrefix + "registry-events" }

    static func plans(_ project: ProjectDefinition) -> [EventLog.TopicPlan] {
        StreamTopics.plans(streams: project.streams, views: project.views) + [
            EventLog.TopicPlan(name: predictions(project), partitions: StreamTopics.partitions),
            EventLog.TopicPlan(name: registryEvents(project), partitions: 1),
        ]
    }
}
