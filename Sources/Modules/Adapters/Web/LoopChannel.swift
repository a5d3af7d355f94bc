import Hummingbird
import HummingbirdCore
import Logging
import NIOCore

/// A connection of HTTP/1.1 whose task runs on the connection's event loop: between reading, answering and writing no thread
/// hands over to another.
struct LoopChannel: ServerChildChannel {
    typealias Value = HTTP1Channel.Value

    let http: HTTP1Channel
    let responder: LimitedResponder

    func setup(channel: any Channel, logger: Logger) -> EventLoopFuture<Value> {
        http.setup(channel: channel, logger: logger).flatMapThrowing { value in
            guard !responder.quick.isEmpty else { return value }
            let pipeline = channel.pipeline.syncOperations
            let last = try pipeline.handler(type: HTTPConnectionStateHandler.self)
            try pipeline.addHandler(QuickHandler(responder), position: .after(last))
            return value
        }
    }

    func handle(value: Value, logger: Logger) async {
        await withTaskExecutorPreference(LoopExecutor(loop: value.channel.eventLoop)) {
            await http.handle(value: value, logger: logger)
        }
    }
}

/// Runs tasks on an event loop.
private final class LoopExecutor: TaskExecutor {
    private let loop: any EventLoop

    init(loop: any EventLoop) { self.loop = loop }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        loop.execute { job.runSynchronously(on: self.asUnownedTaskExecutor()) }
    }
}
