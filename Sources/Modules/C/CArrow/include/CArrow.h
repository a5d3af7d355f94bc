/*
 * Apache Arrow C++ behind a C surface: files become streams of record batches in Arrow's C data interface, and record
 * batches become Parquet. No logic of ours, only translation; no C++ exception leaves it.
 *
 * Structs: https://arrow.apache.org/docs/format/CDataInterface.html and …/CStreamInterface.html.
 */
#ifndef CARROW_H
#define CARROW_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifndef ARROW_C_DATA_INTERFACE
#define ARROW_C_DATA_INTERFACE

#define ARROW_FLAG_DICTIONARY_ORDERED 1
#define ARROW_FLAG_NULLABLE 2
#define ARROW_FLAG_MAP_KEYS_SORTED 4

struct ArrowSchema {
    const char *format;
    const char *name;
    const char *metadata;
    int64_t flags;
    int64_t n_children;
    struct ArrowSchema **children;
    struct ArrowSchema *dictionary;
    void (*release)(struct ArrowSchema *);
    void *private_data;
};

struct ArrowArray {
    int64_t length;
    int64_t null_count;
    int64_t offset;
    int64_t n_buffers;
    int64_t n_children;
    const void **buffers;
    struct ArrowArray **children;
    struct ArrowArray *dictionary;
    void (*release)(struct ArrowArray *);
    void *private_data;
};

#endif /* ARROW_C_DATA_INTERFACE */

#ifndef ARROW_C_STREAM_INTERFACE
#define ARROW_C_STREAM_INTERFACE

struct ArrowArrayStream {
    int (*get_schema)(struct ArrowArrayStream *, struct ArrowSchema *out);
    int (*get_next)(struct ArrowArrayStream *, struct ArrowArray *out);
    const char *(*get_last_error)(struct ArrowArrayStream *);
    void (*release)(struct ArrowArrayStream *);
    void *private_data;
};

#endif /* ARROW_C_STREAM_INTERFACE */

/* What kind of thing went wrong; the message is Arrow's own. */
enum CArrowCode { CARROW_OK = 0, CARROW_IO = 1, CARROW_INVALID = 2, CARROW_MEMORY = 3, CARROW_OTHER = 4 };

struct CArrowError {
    int32_t code;
    char message[1000];
};

/* Bytes to read: a file when `path` is set, otherwise `count` bytes at `bytes`, which are copied. */
struct CArrowInput {
    const char *path;
    const uint8_t *bytes;
    size_t count;
};

/*
 * Opens a Parquet file. `columns`: top-level names to read, NULL for all; names that are not there are left out, so the
 * caller compares. What is decoded may never take more than `max_bytes` at once; 0 for no such limit. On success the
 * caller releases `out`, after every batch it was given; `row_count` is what the footer says.
 */
bool carrow_open_parquet(
    const struct CArrowInput *input, const char *const *columns, size_t column_count, int64_t batch_rows, int64_t max_bytes,
    struct ArrowArrayStream *out, int64_t *row_count, struct CArrowError *error);

struct CArrowCSVOptions {
    char delimiter;
    /* Names of the columns of a file without a header line; NULL when the first line is the header. */
    const char *const *column_names;
    size_t column_name_count;
    /* Columns to read, NULL for all. */
    const char *const *columns;
    size_t column_count;
    /* Columns read with a given type instead of the inferred one: name and Arrow format (`b`, `l`, `g`, `u`, `tsm:UTC`). */
    const char *const *typed_names;
    const char *const *typed_formats;
    size_t typed_count;
    /* Unquoted spellings of null. */
    const char *const *null_values;
    size_t null_value_count;
    /* Bytes read at a time; types are inferred from the first block. */
    int32_t block_bytes;
};

/* Opens a CSV file. A column that looks like times of day is read as text. */
bool carrow_open_csv(
    const struct CArrowInput *input, const struct CArrowCSVOptions *options, struct ArrowArrayStream *out,
    struct CArrowError *error);

struct CArrowParquetWriter;

enum CArrowCompression { CARROW_UNCOMPRESSED = 0, CARROW_SNAPPY = 1, CARROW_ZSTD = 2 };

/*
 * A Parquet writer to the file `path`, or to memory when it is NULL. Takes over and releases `schema`. With `threads` the columns of
 * a batch are encoded side by side on the library's threads. NULL on error.
 */
struct CArrowParquetWriter *carrow_parquet_writer(
    const char *path, struct ArrowSchema *schema, int32_t compression, int64_t row_group_rows, bool threads,
    struct CArrowError *error);

/* Has a column written without a dictionary of its values; before the first batch. */
bool carrow_parquet_plain(struct CArrowParquetWriter *writer, const char *column, struct CArrowError *error);

/* Appends one record batch; takes over and releases `batch`, also on error. */
bool carrow_parquet_write(struct CArrowParquetWriter *writer, struct ArrowArray *batch, struct CArrowError *error);

/*
 * Writes the footer. In memory, `bytes` and `count` then tell the file's contents, valid until the writer is freed.
 */
bool carrow_parquet_close(
    struct CArrowParquetWriter *writer, const uint8_t **bytes, size_t *count, struct CArrowError *error);

void carrow_parquet_free(struct CArrowParquetWriter *writer);

#ifdef __cplusplus
}
#endif

#endif /* CARROW_H */
