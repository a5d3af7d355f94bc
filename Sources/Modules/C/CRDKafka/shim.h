#include <librdkafka/rdkafka.h>
// The mock cluster, for tests; it lies in the same library.
#include <librdkafka/rdkafka_mock.h>
// The library brings many threads: see AllocatorArenas.
#if defined(__GLIBC__)
#include <malloc.h>
#endif
