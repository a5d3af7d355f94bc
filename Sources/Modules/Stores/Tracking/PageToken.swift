import Foundation
import GRDB
import Web

/// Where the next page of a search begins, as text that clients carry without reading it.
package enum PageToken {
    /// - Parameter digest: Of the search that the token is good for.
    static func encode(_ values: [DatabaseValue], digest: String) -> String {
        let json = JSONWriter.object { writer in
            writer.field("of", digest)
            writer.key("after")
            writer.array { writer in
                for value in values {
                    switch value.storage {
                    case .null, .blob: writer.null()
                    case .int64(let number): writer.value(number)
                    case .double(let number): writer.value(number)
                    case .string(let text): writer.value(text)
                    }
                }
            }
        }
        return Data(json).base64EncodedString()
    }

    /// - Throws: `invalidParameter` unless the token was made for the same search with as many values.
    static func values(of token: String, count: Int, digest: String) throws(TrackingError) -> [DatabaseValue] {
        guard let data = Data(base64Encoded: token), let json = try? JSONReader.read(Array(data)), json["of"]?.string == digest,
            let values = json["after"]?.array, values.count == count
        else { throw TrackingError(.invalidParameter, "Invalid page token: it is not of this search") }
        var place: [DatabaseValue] = []
        for value in values {
            switch value {
            case .null: place.append(.null)
            case .int(let number): place.append(number.databaseValue)
            case .double(let number): place.append(number.databaseValue)
            case .string(let text): place.append(text.databaseValue)
            default: throw TrackingError(.invalidParameter, "Invalid page token")
            }
        }
        return place
    }
}
