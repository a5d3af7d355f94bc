import CRDKafka

/// How glibc's allocator is to treat a process of many threads.
enum AllocatorArenas {
    /// Keeps few arenas, and gives large blocks back as soon as they are free.
    ///
    /// Each client of a cluster brings some threads, a process of `features` has fifty, and glibc keeps an arena for each of
    /// them with what it once held. It holds for the whole process from the first log on.
    static let areLimited: Bool = {
        #if canImport(Glibc)
        mallopt(M_ARENA_MAX, 2) != 0 && mallopt(M_MMAP_THRESHOLD, 128 * 1_024) != 0
        #else
        false
        #endif
    }()
}
