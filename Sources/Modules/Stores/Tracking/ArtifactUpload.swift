import ObjectStore

/// A file that is being received: it takes its place, whole, when it is finished.
package struct ArtifactUpload: Sendable {
    private let object: any ObjectUpload

    init(_ object: any ObjectUpload) { self.object = object }

    package func write(_ bytes: [UInt8]) async throws(TrackingError) {
        do throws(ObjectStoreError) { try await object.write(bytes) } catch { throw ArtifactStore.sort(error) }
    }

    /// Gives the file its name. What was there before is replaced.
    package func finish() async throws(TrackingError) {
        do throws(ObjectStoreError) { try await object.finish() } catch { throw ArtifactStore.sort(error) }
    }

    /// Removes what was received; does nothing once it is finished.
    package func abandon() async throws(TrackingError) {
        do throws(ObjectStoreError) { try await object.abandon() } catch { throw ArtifactStore.sort(error) }
    }
}
