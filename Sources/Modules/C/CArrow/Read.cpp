#include "Shim.h"

#include <arrow/c/bridge.h>
#include <arrow/csv/api.h>
#include <arrow/type.h>
#include <parquet/arrow/reader.h>
#include <parquet/file_reader.h>
#include <parquet/schema.h>

#include <set>
#include <utility>
#include <vector>

using arrow::Status;

bool carrow_open_parquet(
    const CArrowInput *input, const char *const *columns, size_t column_count, int64_t batch_rows, int64_t max_bytes,
    ArrowArrayStream *out, int64_t *row_count, CArrowError *error) {
    return carrow::guarded(error, [&]() -> Status {
        ARROW_ASSIGN_OR_RAISE(auto file, carrow::open(*input));
        auto allowance = max_bytes > 0 ? std::make_shared<carrow::Allowance>(max_bytes) : nullptr;
        arrow::MemoryPool *const pool = allowance ? allowance->pool() : carrow::pool();
        parquet::arrow::FileReaderBuilder builder;
        ARROW_RETURN_NOT_OK(builder.Open(file, parquet::ReaderProperties(pool)));
        builder.memory_pool(pool);
        parquet::ArrowReaderProperties properties(/*use_threads=*/false);
        properties.set_batch_size(batch_rows);
        properties.set_pre_buffer(false);
        ARROW_ASSIGN_OR_RAISE(auto built, builder.properties(properties)->Build());
        std::shared_ptr<parquet::arrow::FileReader> reader(std::move(built));

        const auto metadata = reader->parquet_reader()->metadata();
        *row_count = metadata->num_rows();
        std::vector<int> groups(reader->num_row_groups());
        for (size_t index = 0; index < groups.size(); index++) groups[index] = static_cast<int>(index);
        const std::set<std::string> wanted(columns, columns + (columns ? column_count : 0));
        std::vector<int> leaves;
        for (int leaf = 0; leaf < metadata->num_columns(); leaf++) {
            const auto root = metadata->schema()->Column(leaf)->path()->ToDotVector().front();
            if (!columns || wanted.count(root)) leaves.push_back(leaf);
        }
        ARROW_ASSIGN_OR_RAISE(auto batches, reader->GetRecordBatchReader(groups, leaves));
        std::shared_ptr<arrow::RecordBatchReader> inner(std::move(batches));
        // Destroyed in reverse: the batches, the file, and then the memory they were in.
        auto owner = std::make_shared<std::pair<std::shared_ptr<carrow::Allowance>, std::shared_ptr<void>>>(allowance, reader);
        return arrow::ExportRecordBatchReader(std::make_shared<carrow::GuardedReader>(owner, inner), out);
    });
}

namespace {

arrow::Result<std::shared_ptr<arrow::DataType>> typeOf(const std::string &format) {
    if (format == "b") return arrow::boolean();
    if (format == "l") return arrow::int64();
    if (format == "g") return arrow::float64();
    if (format == "u") return arrow::utf8();
    if (format == "tsm:UTC") return arrow::timestamp(arrow::TimeUnit::MILLI, "UTC");
    return Status::Invalid("no CSV column type ", format);
}

arrow::Result<std::shared_ptr<arrow::csv::StreamingReader>> makeCSV(
    const CArrowInput &input, const arrow::csv::ReadOptions &read, const arrow::csv::ParseOptions &parse,
    const arrow::csv::ConvertOptions &convert) {
    ARROW_ASSIGN_OR_RAISE(auto file, carrow::open(input));
    return arrow::csv::StreamingReader::Make(arrow::io::IOContext(carrow::pool()), file, read, parse, convert);
}

}  // namespace

bool carrow_open_csv(
    const CArrowInput *input, const CArrowCSVOptions *options, ArrowArrayStream *out, CArrowError *error) {
    return carrow::guarded(error, [&]() -> Status {
        auto read = arrow::csv::ReadOptions::Defaults();
        read.use_threads = false;
        read.block_size = options->block_bytes;
        if (options->column_names)
            read.column_names.assign(options->column_names, options->column_names + options->column_name_count);
        auto parse = arrow::csv::ParseOptions::Defaults();
        parse.delimiter = options->delimiter;
        parse.newlines_in_values = true;
        auto convert = arrow::csv::ConvertOptions::Defaults();
        convert.strings_can_be_null = true;
        convert.quoted_strings_can_be_null = false;
        convert.null_values.assign(options->null_values, options->null_values + options->null_value_count);
        if (options->columns) convert.include_columns.assign(options->columns, options->columns + options->column_count);
        for (size_t index = 0; index < options->typed_count; index++) {
            ARROW_ASSIGN_OR_RAISE(auto type, typeOf(options->typed_formats[index]));
            convert.column_types[options->typed_names[index]] = type;
        }
        ARROW_ASSIGN_OR_RAISE(auto reader, makeCSV(*input, read, parse, convert));
        bool hasTimeOfDay = false;
        for (const auto &field : reader->schema()->fields()) {
            if (field->type()->id() != arrow::Type::TIME32 && field->type()->id() != arrow::Type::TIME64) continue;
            convert.column_types[field->name()] = arrow::utf8();
            hasTimeOfDay = true;
        }
        if (hasTimeOfDay) { ARROW_ASSIGN_OR_RAISE(reader, makeCSV(*input, read, parse, convert)); }
        return arrow::ExportRecordBatchReader(std::make_shared<carrow::GuardedReader>(nullptr, reader), out);
    });
}
