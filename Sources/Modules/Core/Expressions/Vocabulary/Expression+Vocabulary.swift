import Domain

extension Expression {
    /// Parses a text in which `canonical` names vocabularies. Without a second argument a call uses the vocabulary that is named like its
    /// column, if there is one; the canonical spelling says so.
    package static func parse(_ text: String, vocabularies: [String: Vocabulary]) throws(ExpressionError) -> Expression {
        let expression = try parse(text)
        return Expression(try expression.syntax.naming(vocabularies))
    }

    /// The vocabularies that the expression looks values up in.
    package var vocabularies: Set<Vocabulary> {
        var found: Set<Vocabulary> = []
        syntax.visit { if case .literal(.vocabulary(let vocabulary)) = $0.form { found.insert(vocabulary) } }
        return found
    }

    /// What the expression means, as far as text can say: its canonical spelling and what its vocabularies hold.
    package var definition: String {
        let contents = vocabularies.map { "\n\($0.name) \($0.hash.hex)" }.sorted()
        return normalised + contents.joined()
    }
}

extension Syntax {
    /// This syntax with the names of vocabularies replaced by what they stand for.
    func naming(_ vocabularies: [String: Vocabulary]) throws(ExpressionError) -> Syntax {
        switch form {
        case .literal, .column: return self
        case .unary(let symbol, let operand): return try Syntax(.unary(symbol, try operand.naming(vocabularies)), at: offset)
        case .binary(let symbol, let left, let right):
            return try Syntax(.binary(symbol, try left.naming(vocabularies), try right.naming(vocabularies)), at: offset)
        case .call(let name, let arguments):
            var named: [Syntax] = []
            for argument in arguments { named.append(try argument.naming(vocabularies)) }
            if name == "canonical" { try Self.nameVocabulary(&named, vocabularies, at: offset) }
            return try Syntax(.call(name, named), at: offset)
        }
    }

    private static func nameVocabulary(
        _ arguments: inout [Syntax], _ vocabularies: [String: Vocabulary], at offset: Int
    ) throws(ExpressionError) {
        if arguments.count == 1, case .column(let column) = arguments[0].form, let vocabulary = vocabularies[column] {
            arguments.append(try Syntax(.literal(.vocabulary(vocabulary)), at: offset))
        } else if arguments.count == 2, case .literal(.string(let name)) = arguments[1].form {
            guard let vocabulary = vocabularies[name] else {
                let hint =
                    vocabularies.isEmpty ? "; the file has none" : SpellingSuggestion.hint(for: name, among: Array(vocabularies.keys))
                throw ExpressionError("there is no vocabulary \"\(name)\"" + hint, at: arguments[1].offset)
            }
            arguments[1] = try Syntax(.literal(.vocabulary(vocabulary)), at: arguments[1].offset)
        }
    }
}
