// What the translation units of the shim share: turning statuses and exceptions into CArrowError.
#pragma once

#include "CArrow.h"

#include <arrow/buffer.h>
#include <arrow/io/file.h>
#include <arrow/io/memory.h>
#include <arrow/memory_pool.h>
#include <arrow/record_batch.h>
#include <arrow/result.h>
#include <arrow/status.h>

#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>

namespace carrow {

// The C library's memory. Arrow's own allocator keeps what it has been given: 40 MB after one small file.
inline arrow::MemoryPool *pool() { return arrow::system_memory_pool(); }

// What one reader may take, counted apart from all others: a small file can say it is a large one, and be it.
class Allowance {
  public:
    explicit Allowance(int64_t limit) : counted_(carrow::pool()), capped_(&counted_, limit) {}
    arrow::MemoryPool *pool() { return &capped_; }

  private:
    arrow::ProxyMemoryPool counted_;
    arrow::CappedMemoryPool capped_;
};

inline void set(CArrowError *error, int32_t code, const char *message) {
    error->code = code;
    std::strncpy(error->message, message, sizeof error->message - 1);
    error->message[sizeof error->message - 1] = 0;
}

inline int32_t code(const arrow::Status &status) {
    if (status.IsIOError()) return CARROW_IO;
    if (status.IsOutOfMemory()) return CARROW_MEMORY;
    if (status.IsInvalid() || status.IsTypeError() || status.IsKeyError() || status.IsSerializationError() || status.IsNotImplemented())
        return CARROW_INVALID;
    return CARROW_OTHER;
}

// Runs `body`, which returns an arrow::Status; true when it is OK. Every failure ends up in `error`.
template <typename Body>
bool guarded(CArrowError *error, Body &&body) noexcept {
    error->code = CARROW_OK;
    error->message[0] = 0;
    try {
        const arrow::Status status = body();
        if (status.ok()) return true;
        set(error, code(status), status.message().c_str());
    } catch (const std::bad_alloc &) {
        set(error, CARROW_MEMORY, "out of memory");
    } catch (const std::exception &exception) {
        set(error, CARROW_INVALID, exception.what());
    } catch (...) {
        set(error, CARROW_OTHER, "unknown C++ exception");
    }
    return false;
}

// A reader that owns what its batches come from, and whose exceptions become statuses: the exported stream's callbacks
// are called from outside C++.
class GuardedReader final : public arrow::RecordBatchReader {
  public:
    GuardedReader(std::shared_ptr<void> owner, std::shared_ptr<arrow::RecordBatchReader> inner)
        : owner_(std::move(owner)), inner_(std::move(inner)) {}

    std::shared_ptr<arrow::Schema> schema() const override { return inner_->schema(); }

    arrow::Status ReadNext(std::shared_ptr<arrow::RecordBatch> *batch) override {
        try {
            return inner_->ReadNext(batch);
        } catch (const std::bad_alloc &) {
            return arrow::Status::OutOfMemory("out of memory");
        } catch (const std::exception &exception) {
            return arrow::Status::Invalid(exception.what());
        } catch (...) {
            return arrow::Status::UnknownError("unknown C++ exception");
        }
    }

    arrow::Status Close() override { return inner_->Close(); }

  private:
    std::shared_ptr<void> owner_;
    std::shared_ptr<arrow::RecordBatchReader> inner_;  // destroyed before its owner
};

inline arrow::Result<std::shared_ptr<arrow::io::RandomAccessFile>> open(const CArrowInput &input) {
    if (input.path) {
        ARROW_ASSIGN_OR_RAISE(auto file, arrow::io::ReadableFile::Open(input.path, pool()));
        return std::static_pointer_cast<arrow::io::RandomAccessFile>(file);
    }
    std::string copy(reinterpret_cast<const char *>(input.bytes), input.count);
    return std::make_shared<arrow::io::BufferReader>(arrow::Buffer::FromString(std::move(copy)));
}

}  // namespace carrow
