#include "Shim.h"

#include <arrow/c/bridge.h>
#include <arrow/type.h>
#include <parquet/arrow/writer.h>
#include <parquet/properties.h>

using arrow::Status;

struct CArrowParquetWriter {
    std::shared_ptr<arrow::Schema> schema;
    parquet::WriterProperties::Builder properties;
    bool threads;
    std::shared_ptr<arrow::io::OutputStream> sink;
    std::shared_ptr<arrow::io::BufferOutputStream> memory;  // the sink again, when it is memory
    std::unique_ptr<parquet::arrow::FileWriter> writer;  // from the first batch on
    std::shared_ptr<arrow::Buffer> contents;

    Status begin() {
        if (writer) return Status::OK();
        parquet::ArrowWriterProperties::Builder arrow;
        arrow.set_use_threads(threads);
        return parquet::arrow::FileWriter::Open(*schema, carrow::pool(), sink, properties.build(), arrow.build()).Value(&writer);
    }
};

static parquet::Compression::type codec(int32_t compression) {
    switch (compression) {
        case CARROW_SNAPPY: return parquet::Compression::SNAPPY;
        case CARROW_ZSTD: return parquet::Compression::ZSTD;
        default: return parquet::Compression::UNCOMPRESSED;
    }
}

CArrowParquetWriter *carrow_parquet_writer(
    const char *path, ArrowSchema *schema, int32_t compression, int64_t row_group_rows, bool threads, CArrowError *error) {
    std::unique_ptr<CArrowParquetWriter> made;
    const bool done = carrow::guarded(error, [&]() -> Status {
        ARROW_ASSIGN_OR_RAISE(auto imported, arrow::ImportSchema(schema));
        made = std::make_unique<CArrowParquetWriter>();
        made->schema = imported;
        if (path) {
            ARROW_ASSIGN_OR_RAISE(made->sink, arrow::io::FileOutputStream::Open(path));
        } else {
            ARROW_ASSIGN_OR_RAISE(made->memory, arrow::io::BufferOutputStream::Create(4096, carrow::pool()));
            made->sink = made->memory;
        }
        made->threads = threads;
        made->properties.memory_pool(carrow::pool())->compression(codec(compression))->max_row_group_length(row_group_rows);
        return Status::OK();
    });
    if (!done) made.reset();
    return made.release();
}

bool carrow_parquet_plain(CArrowParquetWriter *writer, const char *column, CArrowError *error) {
    return carrow::guarded(error, [&]() -> Status {
        writer->properties.disable_dictionary(column);
        return Status::OK();
    });
}

bool carrow_parquet_write(CArrowParquetWriter *writer, ArrowArray *batch, CArrowError *error) {
    return carrow::guarded(error, [&]() -> Status {
        ARROW_ASSIGN_OR_RAISE(auto imported, arrow::ImportRecordBatch(batch, writer->schema));
        ARROW_RETURN_NOT_OK(writer->begin());
        return writer->writer->WriteRecordBatch(*imported);
    });
}

bool carrow_parquet_close(CArrowParquetWriter *writer, const uint8_t **bytes, size_t *count, CArrowError *error) {
    return carrow::guarded(error, [&]() -> Status {
        ARROW_RETURN_NOT_OK(writer->begin());
        ARROW_RETURN_NOT_OK(writer->writer->Close());
        if (writer->memory) {
            ARROW_ASSIGN_OR_RAISE(writer->contents, writer->memory->Finish());
            *bytes = writer->contents->data();
            *count = static_cast<size_t>(writer->contents->size());
            return Status::OK();
        }
        return writer->sink->Close();
    });
}

void carrow_parquet_free(CArrowParquetWriter *writer) {
    CArrowError ignored;
    carrow::guarded(&ignored, [&]() -> Status {
        delete writer;
        return Status::OK();
    });
}
