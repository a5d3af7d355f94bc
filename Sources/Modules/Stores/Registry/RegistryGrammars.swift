import Tracking

/// What searches of the registry may name.
enum RegistryGrammars {
    static let models: SearchGrammar = {
        let tags = SearchGrammar.Collection(.text, table: "registered_model_tags @", condition: "@.model = m.name AND @.key = ?")
        // The version that an alias stands for, as text.
        let aliases = SearchGrammar.Collection(
            .text, table: "(SELECT model, alias, CAST(number AS TEXT) AS value FROM model_aliases) @",
            condition: "@.model = m.name AND @.alias = ?")
        let updated = SearchGrammar.Attribute(.number, "m.last_update_time")
        let created = SearchGrammar.Attribute(.number, "m.creation_time")
        return SearchGrammar(
            subject: "registered model",
            attributes: [
                "name": .init(.text, "m.name", isListed: true), "creation_timestamp": created, "creation_time": created,
                "last_updated_timestamp": updated, "last_updated_time": updated, "timestamp": updated,
            ],
            collections: ["tag": tags, "tags": tags, "alias": aliases, "aliases": aliases])
    }()

    static let versions: SearchGrammar = {
        let tags = SearchGrammar.Collection(
            .text, table: "model_version_tags @", condition: "@.model = v.model AND @.number = v.number AND @.key = ?")
        let updated = SearchGrammar.Attribute(.number, "v.last_update_time")
        let created = SearchGrammar.Attribute(.number, "v.creation_time")
        let number = SearchGrammar.Attribute(.number, "v.number")
        return SearchGrammar(
            subject: "model version",
            attributes: [
                "name": .init(.text, "v.model", isListed: true), "run_id": .init(.text, "v.run", isListed: true),
                "source": .init(.text, "v.source", isListed: true),
                "source_path": .init(.text, "v.source", isListed: true), "version_number": number, "version": number,
                "creation_timestamp": created, "creation_time": created, "last_updated_timestamp": updated, "last_updated_time": updated,
            ],
            collections: ["tag": tags, "tags": tags])
    }()
}
