extension ViewSchema {
    /// The names of the declared columns that say something about the entity: all but its key.
    package var features: [String] {
        let names = Set(key.map(\.name))
        return declared.map(\.name).filter { !names.contains($0) }
    }
}
