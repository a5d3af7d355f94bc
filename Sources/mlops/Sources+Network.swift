import Domain
import EventLog
import Features
import Markets
import ProduceRole
import Project
import Settings
import WebSocket

extension Sources {
    func marketSender(_ source: SourceDefinition, _ market: MarketDefinition) throws -> MarketSender {
        let stream = try stream(of: source), codec = market.codec
        guard let address = WebSocketAddress(codec.url(base: market.url ?? codec.defaultURL)) else {
            throw Failure(.badSettings, "source \"\(source.name)\": \(market.url ?? "") is not a URL such as wss://host/path")
        }
        let plan = MarketSender.Plan(
            target: SourceWriter.Target(
                source: source.name, topic: stream.topic, input: marketInput(market), projectHash: session.project.hash),
            codec: codec, address: address, restURL: market.restURL ?? codec.defaultRESTURL, trust: trust(market),
            encoder: TradeEncoder(stream: stream, constants: source.set), idlePatience: Self.idlePatience, capture: capture)
        return MarketSender(plan, log: session.log, clocks: clocks, logger: session.logger(.produce))
    }

    /// - Parameter to: The end as it was written; `nil` means that a later run has a later end.
    func backfill(_ name: String, _ span: Range<EventTime.Milliseconds>, to: String?) throws -> MarketBackfill {
        guard let source = session.project.sources.first(where: { $0.name == name }), case .market(let market) = source.kind else {
            throw Failure(.badSettings, "source \"\(name)\" is not an exchange; kraken and binance tell their past")
        }
        let stream = try stream(of: source), codec = market.codec
        let target = SourceWriter.Target(
            source: MarketBackfill.name(source.name), topic: stream.topic,
            input: "\(marketInput(market)) from \(span.lowerBound)" + (to == nil ? "" : " to \(span.upperBound)"),
            projectHash: session.project.hash)
        let plan = MarketBackfill.Plan(
            target: target, codec: codec, pairs: market.pairs, restURL: market.restURL ?? codec.defaultRESTURL,
            trust: trust(market), encoder: TradeEncoder(stream: stream, constants: source.set), span: span)
        return MarketBackfill(plan, log: session.log, clocks: clocks, logger: session.logger(.produce))
    }

    /// Another endpoint is the same input: proxies come and go.
    private func marketInput(_ market: MarketDefinition) -> String {
        let name = "\(market.exchange.rawValue) \(market.pairs.joined(separator: ","))"
        if case .replay(let path) = capture { return "\(name) capture \(path)" }
        return name
    }

    private func trust(_ market: MarketDefinition) -> String? {
        market.caFile.map { $0.hasPrefix("/") ? $0 : session.project.directory + "/" + $0 }
    }

    func topicSender(_ source: SourceDefinition, topic: String, log: String?, once: Bool) async throws -> TopicSender {
        let stream = try stream(of: source)
        var input: any EventLog = session.log
        if let log {
            input = try await LogURL(log).open { $0.complete(from: session.settings, topicPrefix: session.project.topicPrefix) }
            if !once { input.keepTrying() }
        }
        let target = SourceWriter.Target(
            source: source.name, topic: stream.topic, input: "topic \(topic) \(log ?? "")", projectHash: session.project.hash)
        return TopicSender(
            .init(target: target, topic: topic, stream: stream, idlePatience: once ? nil : Self.idlePatience, once: once), from: input,
            to: session.log, clocks: clocks, logger: session.logger(.produce))
    }
}

extension MarketDefinition {
    var codec: any MarketCodec {
        switch exchange {
        case .kraken: KrakenCodec(pairs: pairs)
        case .binance: BinanceCodec(pairs: pairs)
        case .coinbase: CoinbaseCodec(pairs: pairs, channel: channel == .matches ? .matches : .marketTrades)
        }
    }
}
