import Crypto
import Domain
import Foundation

/// A copy of a group's state in a file, which spares a restart the reading of the changelog.
///
/// It counts only when it belongs to the same cluster and nothing was written to the changelog after it. The bytes:
/// `MLOPSST · version · position i64 · stamp · count u32 · (key · value)… · SHA-256 of all before`, where stamp, key and value are a
/// length u32 and bytes, the version one digit; integers are little-endian.
struct StateCache: Sendable {
    enum Unusable: Error, CustomStringConvertible, Equatable {
        case corrupt(String)
        case otherVersion(String, found: UInt8)
        case otherCluster

        var description: String {
            switch self {
            case .corrupt(let path): "\(path) is damaged"
            case .otherVersion(let path, let found):
                "\(path) was written by a program of state version \(Unicode.Scalar(found)), this one has \(Unicode.Scalar(StateCache.version))"
            case .otherCluster: "the copy belongs to another cluster or topic"
            }
        }
    }

    let directory: String
    /// Names the cluster and the changelog.
    let stamp: String

    private static let magic = Array("MLOPSST".utf8)
    private static let version = UInt8(ascii: "1")

    func path(group: String, partition: Int) -> String { "\(directory)/\(group)-\(partition).state" }

    func write(_ image: ChangelogImage, group: String, partition: Int) throws {
        var bytes = Self.magic + [Self.version]
        append(image.position, to: &bytes)
        append(Array(stamp.utf8), to: &bytes)
        append(UInt32(image.entries.count), to: &bytes)
        for (key, value) in image.entries.sorted(by: { $0.key.lexicographicallyPrecedes($1.key) }) {
            append(key, to: &bytes)
            append(value, to: &bytes)
        }
        bytes += SHA256.hash(data: bytes)
        try FileManager.default.createDirectory(atPath: directory, withIntermediateDirectories: true)
        try Data(bytes).write(to: URL(filePath: path(group: group, partition: partition)), options: .atomic)
    }

    /// - Returns: `nil` when there is no copy.
    func read(group: String, partition: Int) throws -> ChangelogImage? {
        let path = path(group: group, partition: partition)
        guard let data = FileManager.default.contents(atPath: path) else { return nil }
        guard data.count > 32 + Self.magic.count, data.prefix(Self.magic.count).elementsEqual(Self.magic),
            SHA256.hash(data: data.dropLast(32)) == data.suffix(32)
        else { throw Unusable.corrupt(path) }
        return try data.dropLast(32).withUnsafeBytes { bytes in
            var at = Self.magic.count + 1
            guard bytes[at - 1] == Self.version else { throw Unusable.otherVersion(path, found: bytes[at - 1]) }
            guard let position = BatchCodec.read(Int64.self, bytes, &at), let stamp = Self.take(bytes, &at),
                let count = BatchCodec.read(UInt32.self, bytes, &at)
            else { throw Unusable.corrupt(path) }
            guard stamp == Array(self.stamp.utf8) else { throw Unusable.otherCluster }
            var image = ChangelogImage()
            image.position = position
            for _ in 0..<count {
                guard let key = Self.take(bytes, &at), let value = Self.take(bytes, &at) else { throw Unusable.corrupt(path) }
                image.apply(key: key, value: value)
            }
            return image
        }
    }

    /// Before the state goes on changing, the copy goes: after a crash nobody mistakes it for the present.
    func remove(group: String, partition: Int) { try? FileManager.default.removeItem(atPath: path(group: group, partition: partition)) }

    private func append(_ value: some FixedWidthInteger, to bytes: inout [UInt8]) {
        withUnsafeBytes(of: value.littleEndian) { bytes.append(contentsOf: $0) }
    }

    private func append(_ value: [UInt8], to bytes: inout [UInt8]) {
        append(UInt32(value.count), to: &bytes)
        bytes += value
    }

    private static func take(_ bytes: UnsafeRawBufferPointer, _ at: inout Int) -> [UInt8]? {
        BatchCodec.read(UInt32.self, bytes, &at).flatMap { BatchCodec.take(Int($0), bytes, &at) }.map(Array.init)
    }
}
