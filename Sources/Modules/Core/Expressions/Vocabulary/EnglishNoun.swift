/// The singular of English nouns in capital letters: a fixed set of rules and exceptions, enough to bring `SHOES` and `SHOE` together.
/// What it gets wrong, a file of synonyms puts right.
///
/// Applied to its own result it changes nothing.
enum EnglishNoun {
    /// The text with its last word in the singular.
    static func singular(_ text: String) -> String {
        var word = text.split(separator: " ").last.map(String.init) ?? ""
        guard !word.isEmpty, word.utf8.allSatisfy({ (65...90).contains($0) }) else { return text }
        let rest = text.dropLast(word.count)
        // A rule may lay bare another plural; each makes the word shorter or ends it, so a few rounds are enough.
        for _ in 0..<8 {
            let next = step(word)
            guard next != word else { break }
            word = next
        }
        return rest + word
    }

    private static func step(_ word: String) -> String {
        if let known = irregular[word] { return known }
        guard word.utf8.count > 3, word.hasSuffix("S"), !unchanged.contains(word) else { return word }
        if ["SS", "US", "IS"].contains(where: word.hasSuffix) { return word }
        if word.hasSuffix("IES"), word.utf8.count > 4 { return String(word.dropLast(3)) + (keepsIE.contains(word) ? "IE" : "Y") }
        if dropsES(word) { return String(word.dropLast(2)) }
        return String(word.dropLast())
    }

    private static func dropsES(_ word: String) -> Bool {
        if keepsE.contains(where: word.hasSuffix) { return false }
        return ["XES", "CHES", "SHES", "SSES", "ZZES", "USES", "OES"].contains(where: word.hasSuffix)
    }

    /// Endings whose singular has an E.
    private static let keepsE = [
        "ACHES", "NICHES", "AVALANCHES", "CREPES", "AXES", "SHOES", "CANOES", "TIPTOES", "OBOES", "ALOES", "HOUSES", "BLOUSES", "MOUSES",
        "CAUSES", "CLAUSES", "FUSES", "EXCUSES", "REFUSES", "MUSES", "ABUSES", "DELUXES",
    ]

    private static let keepsIE: Set<String> = [
        "MOVIES", "COOKIES", "HOODIES", "SELFIES", "BROWNIES", "SMOOTHIES", "CALORIES", "ZOMBIES", "BEANIES", "BOOTIES", "CALORIES",
        "COOLIES", "DOGGIES", "EERIES", "GENIES", "GOALIES", "HIPPIES", "LASSIES", "MEANIES", "NEWBIES", "NIGHTIES", "ONESIES", "PIXIES",
        "PRAIRIES", "ROOKIES", "SORTIES", "TALKIES", "VEGGIES", "WALKIES", "PINKIES", "BUDGIES", "BOGIES", "CADDIES", "TOONIES",
    ]

    /// Singulars, or words without one, that look like plurals.
    private static let unchanged: Set<String> = [
        "SERIES", "SPECIES", "NEWS", "LENS", "BIAS", "CANVAS", "ATLAS", "CHRISTMAS", "CHAOS", "COSMOS", "ETHOS", "RHINOCEROS", "ALIAS",
        "PANCREAS", "TEXAS", "KANSAS", "ARKANSAS", "DALLAS", "ALWAYS", "PERHAPS", "SWISS", "MARS", "PARIS", "HERPES", "RABIES", "DIABETES",
    ]

    private static let irregular: [String: String] = [
        "MEN": "MAN", "WOMEN": "WOMAN", "CHILDREN": "CHILD", "PEOPLE": "PERSON", "FEET": "FOOT", "TEETH": "TOOTH", "GEESE": "GOOSE",
        "MICE": "MOUSE", "OXEN": "OX", "DICE": "DIE", "KNIVES": "KNIFE", "WIVES": "WIFE", "LIVES": "LIFE", "SHELVES": "SHELF",
        "BOOKSHELVES": "BOOKSHELF", "WOLVES": "WOLF", "HALVES": "HALF", "CALVES": "CALF", "LOAVES": "LOAF", "LEAVES": "LEAF",
        "THIEVES": "THIEF", "SCARVES": "SCARF", "ELVES": "ELF", "SELVES": "SELF", "PENKNIVES": "PENKNIFE", "GASES": "GAS",
        "LENSES": "LENS", "CANVASES": "CANVAS", "ATLASES": "ATLAS", "ALIASES": "ALIAS", "QUIZZES": "QUIZ", "PIES": "PIE", "TIES": "TIE",
        "LIES": "LIE", "DIES": "DIE", "TOES": "TOE", "FOES": "FOE", "WOES": "WOE", "HOES": "HOE", "AXES": "AXE", "ANALYSES": "ANALYSIS",
        "CRISES": "CRISIS", "BASES": "BASE", "CRITERIA": "CRITERION", "PHENOMENA": "PHENOMENON", "INDICES": "INDEX", "MATRICES": "MATRIX",
        "VERTICES": "VERTEX", "APPENDICES": "APPENDIX", "MUMMIES": "MUMMY", "STATUSES": "STATUS",
    ]
}
