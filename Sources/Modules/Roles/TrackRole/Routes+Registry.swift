import Registry
import Tracking
import Web

extension Route {
    static let models: [Route] = [
        Route(.post, path: "registered-models/create") { service, arguments in
            let now = service.now()
            let model = try await service.registry.createModel(
                name: arguments.text("name"), description: arguments.optionalText("description") ?? "", tags: arguments.pairs("tags"),
                now: now)
            let event = RegistryEvent(.modelCreated, model: model.name, time: now, details: RegistryEvent.Details(model))
            await service.tell(event, isPrompt: Prompts.isPrompt(model.tags))
            return .message("registered_model") { $0.model(model) }
        },
        Route(.get, path: "registered-models/get") { service, arguments in
            let model = try await service.registry.model(name: arguments.text("name"))
            return .message("registered_model") { $0.model(model) }
        },
        Route(.post, path: "registered-models/rename") { service, arguments in
            let now = service.now()
            let model = try await service.registry.renameModel(name: arguments.text("name"), to: arguments.text("new_name"), now: now)
            await service.tell(RegistryEvent(.modelUpdated, model: model.name, time: now), isPrompt: Prompts.isPrompt(model.tags))
            return .message("registered_model") { $0.model(model) }
        },
        Route(.patch, .post, path: "registered-models/update") { service, arguments in
            let now = service.now()
            let model = try await service.registry.describeModel(
                name: arguments.text("name"), arguments.optionalText("description") ?? "", now: now)
            await service.tell(RegistryEvent(.modelUpdated, model: model.name, time: now), isPrompt: Prompts.isPrompt(model.tags))
            return .message("registered_model") { $0.model(model) }
        },
        Route(.delete, path: "registered-models/delete") { service, arguments in
            let name = try arguments.text("name"), now = service.now()
            let isPrompt = try await service.registry.isPrompt(name)
            let aliases = try await service.registry.deleteModel(name: name, promotion: promotion(arguments), now: now)
            for alias in aliases { await service.tell(RegistryEvent(removed: alias), isPrompt: isPrompt) }
            await service.tell(RegistryEvent(.modelDeleted, model: name, time: now), isPrompt: isPrompt)
            return .empty
        },
        Route(.get, .post, path: "registered-models/search") { service, arguments in
            let page = try await service.registry.searchModels(
                filter: arguments.optionalText("filter") ?? "", order: arguments.texts("order_by"), scope: Caller.current.models,
                maxResults: Validation.maxResults(arguments.optionalInt("max_results"), default: 100, limit: 1_000),
                pageToken: arguments.optionalText("page_token"))
            return .object { writer in
                writer.list("registered_models", page.elements) { $0.model($1) }
                writer.field("next_page_token", page.nextPageToken)
            }
        },
        Route(.get, .post, path: "registered-models/get-latest-versions") { service, arguments in
            let versions = try await service.registry.latestVersions(model: arguments.text("name"), stages: arguments.texts("stages"))
            return .object { $0.list("model_versions", versions) { $0.version($1) } }
        },
        Route(.post, path: "registered-models/set-tag") { service, arguments in
            let name = try arguments.text("name"), tag = try arguments.tag(), now = service.now()
            try await service.registry.setModelTag(name: name, tag, now: now)
            if try await service.registry.isPrompt(name) {
                let details = RegistryEvent.Details(key: tag.key, value: tag.value)
                await service.publish(RegistryEvent(.promptTagSet, model: name, time: now, details: details))
            }
            return .empty
        },
        Route(.delete, path: "registered-models/delete-tag") { service, arguments in
            let name = try arguments.text("name"), key = try arguments.text("key"), now = service.now()
            try await service.registry.deleteModelTag(name: name, key: key, now: now)
            if try await service.registry.isPrompt(name) {
                await service.publish(RegistryEvent(.promptTagDeleted, model: name, time: now, details: RegistryEvent.Details(key: key)))
            }
            return .empty
        },
    ]

    static let aliases: [Route] = [
        // Besides the protocol's fields ours may say who moves the alias and why; other servers ignore them.
        Route(.post, path: "registered-models/alias") { service, arguments in
            let model = try arguments.text("name"), alias = try arguments.text("alias")
            let number = try RegistryValidation.number(arguments.text("version"))
            let promotion = try promotion(arguments)
            let now = service.now()
            let isPrompt = try await service.registry.isPrompt(model)
            try await service.registry.setAlias(model: model, alias: alias, number: number, promotion: promotion, now: now)
            let event = RegistryEvent(.aliasSet, model: model, number: number, alias: alias, time: now, promotion: promotion)
            await service.tell(event, isPrompt: isPrompt)
            return .empty
        },
        Route(.delete, path: "registered-models/alias") { service, arguments in
            let model = try arguments.text("name"), alias = try arguments.text("alias")
            let promotion = try promotion(arguments)
            let now = service.now()
            let isPrompt = try await service.registry.isPrompt(model)
            if try await service.registry.deleteAlias(model: model, alias: alias, promotion: promotion, now: now) {
                let event = RegistryEvent(.aliasDeleted, model: model, alias: alias, time: now, promotion: promotion)
                await service.tell(event, isPrompt: isPrompt)
            }
            return .empty
        },
        Route(.get, path: "registered-models/alias") { service, arguments in
            let version = try await service.registry.version(model: arguments.text("name"), alias: arguments.text("alias"))
            var reply = Reply.message("model_version") { $0.version(version) }
            reply.etag = "\"\(version.number)-\(version.creationTime)-\(version.lastUpdateTime)-\(version.aliases.joined(separator: "-"))\""
            return reply
        },
        Route(.post, path: "registered-models/rollback") { service, arguments in
            let model = try arguments.text("name"), alias = try arguments.text("alias"), now = service.now()
            let isPrompt = try await service.registry.isPrompt(model)
            let record = try await service.registry.rollback(model: model, alias: alias, promotion: promotion(arguments), now: now)
            await service.tell(
                RegistryEvent(.aliasSet, model: model, number: record.number, alias: alias, time: now, promotion: record.promotion),
                isPrompt: isPrompt)
            return .message("promotion") { $0.promotion(record) }
        },
        Route(.get, path: "registered-models/promotions") { service, arguments in
            let records = try await service.registry.promotions(
                model: arguments.text("name"),
                limit: Validation.maxResults(arguments.optionalInt("max_results"), default: 100, limit: 1_000))
            return .object { $0.list("promotions", records) { $0.promotion($1) } }
        },
    ]

    private static func promotion(_ arguments: Arguments) throws(TrackingError) -> Promotion {
        // Who has a token cannot act under another name.
        let token = Caller.current.name
        let promotion = Promotion(
            actor: token.isEmpty ? try arguments.optionalText("actor") ?? "" : token, reason: try arguments.optionalText("reason") ?? "",
            verdict: try arguments.optionalText("verdict"))
        try Validation.length(promotion.actor, limit: 255, "Actor")
        try Validation.length(promotion.reason, limit: 5_000, "Reason")
        try Validation.length(promotion.verdict ?? "", limit: 100_000, "Verdict")
        return promotion
    }

    static let versions: [Route] = [
        Route(.post, path: "model-versions/create") { service, arguments in
            var new = RegistryStore.NewVersion(model: try arguments.text("name"), source: try arguments.text("source"))
            new.run = try arguments.optionalText("run_id") ?? ""
            new.loggedModel = try arguments.optionalText("model_id") ?? ""
            new.runLink = try arguments.optionalText("run_link") ?? ""
            new.description = try arguments.optionalText("description") ?? ""
            new.tags = try arguments.pairs("tags")
            if !new.loggedModel.isEmpty, new.run.isEmpty {
                new.run = try await service.store.loggedModel(id: new.loggedModel).sourceRun
            }
            try await service.checkSource(of: new)
            let now = service.now()
            let version = try await service.registry.createVersion(new, now: now)
            let event = RegistryEvent(
                .versionCreated, model: version.model, number: version.number, time: now, details: RegistryEvent.Details(version))
            await service.tell(event, isPrompt: Prompts.isPrompt(version.tags))
            return .message("model_version") { $0.version(version) }
        },
        Route(.get, path: "model-versions/get") { service, arguments in
            let version = try await service.registry.version(model: arguments.text("name"), number: number(arguments))
            return .message("model_version") { $0.version(version) }
        },
        Route(.patch, path: "model-versions/update") { service, arguments in
            let now = service.now()
            let version = try await service.registry.describeVersion(
                model: arguments.text("name"), number: number(arguments), arguments.optionalText("description") ?? "", now: now)
            await service.tell(
                RegistryEvent(.versionUpdated, model: version.model, number: version.number, time: now),
                isPrompt: Prompts.isPrompt(version.tags))
            return .message("model_version") { $0.version(version) }
        },
        Route(.post, path: "model-versions/transition-stage") { service, arguments in
            let now = service.now()
            let version = try await service.registry.setStage(
                model: arguments.text("name"), number: number(arguments), arguments.text("stage"),
                archivesOthers: arguments.flag("archive_existing_versions"), now: now)
            await service.tell(
                RegistryEvent(.versionUpdated, model: version.model, number: version.number, time: now),
                isPrompt: Prompts.isPrompt(version.tags))
            return .message("model_version") { $0.version(version) }
        },
        Route(.delete, path: "model-versions/delete") { service, arguments in
            let model = try arguments.text("name"), number = try number(arguments), now = service.now()
            let isPrompt = try await service.registry.isPrompt(model)
            let aliases = try await service.registry.deleteVersion(
                model: model, number: number, promotion: promotion(arguments), now: now)
            for alias in aliases { await service.tell(RegistryEvent(removed: alias), isPrompt: isPrompt) }
            await service.tell(RegistryEvent(.versionDeleted, model: model, number: number, time: now), isPrompt: isPrompt)
            return .empty
        },
        Route(.get, .post, path: "model-versions/search") { service, arguments in
            let page = try await service.registry.searchVersions(
                filter: arguments.optionalText("filter") ?? "", order: arguments.texts("order_by"), scope: Caller.current.models,
                maxResults: Validation.maxResults(arguments.optionalInt("max_results"), default: 10_000, limit: 200_000),
                pageToken: arguments.optionalText("page_token"))
            return .object { writer in
                writer.list("model_versions", page.elements) { $0.version($1) }
                writer.field("next_page_token", page.nextPageToken)
            }
        },
        Route(.get, path: "model-versions/get-download-uri") { service, arguments in
            let version = try await service.registry.version(model: arguments.text("name"), number: number(arguments))
            let uri = try await service.downloadURI(of: version)
            return .object { $0.field("artifact_uri", uri) }
        },
        Route(.post, path: "model-versions/set-tag") { service, arguments in
            let model = try arguments.text("name"), number = try number(arguments), now = service.now()
            let tag = try arguments.tag()
            try await service.registry.setVersionTag(model: model, number: number, tag, now: now)
            let details = RegistryEvent.Details(key: tag.key, value: tag.value)
            let event = RegistryEvent(.versionTagSet, model: model, number: number, time: now, details: details)
            await service.tell(event, isPrompt: try await service.registry.isPrompt(model))
            return .empty
        },
        Route(.delete, path: "model-versions/delete-tag") { service, arguments in
            let model = try arguments.text("name"), number = try number(arguments), now = service.now()
            let key = try arguments.text("key")
            try await service.registry.deleteVersionTag(model: model, number: number, key: key, now: now)
            let details = RegistryEvent.Details(key: key)
            let event = RegistryEvent(.versionTagDeleted, model: model, number: number, time: now, details: details)
            await service.tell(event, isPrompt: try await service.registry.isPrompt(model))
            return .empty
        },
    ]

    /// From a version to what it was made of: its run, the data that run read, and how it came to its aliases.
    static let lineage: [Route] = [
        Route(.get, path: "model-versions/lineage") { service, arguments in
            let number = try RegistryValidation.number(arguments.text("version"))
            let version = try await service.registry.version(model: arguments.text("name"), number: number)
            let run = await service.reachedRun(version.runID)
            let moves = try await service.registry.promotions(model: version.model, onto: number, limit: 1_000)
            return .object { writer in
                writer.key("model_version")
                writer.version(version)
                if let run {
                    writer.key("run")
                    writer.run(run)
                }
                writer.list("promotions", moves) { $0.promotion($1) }
            }
        }
    ]

    private static func number(_ arguments: Arguments) throws(TrackingError) -> Int {
        try RegistryValidation.number(arguments.text("version"))
    }
}

extension JSONWriter {
    mutating func promotion(_ record: PromotionRecord) {
        object { writer in
            writer.field("name", record.model)
            writer.field("alias", record.alias)
            writer.field("previous_version", record.previous.map { String($0) })
            writer.field("version", record.number.map { String($0) })
            writer.field("actor", record.promotion.actor)
            writer.field("reason", record.promotion.reason)
            writer.field("verdict", record.promotion.verdict)
            writer.field("timestamp", record.time)
        }
    }
}
