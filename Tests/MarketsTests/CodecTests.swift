import Testing

@testable import Markets

@Suite struct KrakenCodecTests {
    private let codec = KrakenCodec(pairs: ["BTC/USD", "ETH/USD"])

    private func decode(_ text: String) throws -> MarketMessage { try codec.decode(Array(text.utf8)) }

    @Test func `it asks for the trades of all pairs with a snapshot`() {
        #expect(
            codec.subscriptions() == [
                #"{"method":"subscribe","params":{"channel":"trade","symbol":["BTC/USD","ETH/USD"],"snapshot":true},"req_id":1}"#
            ])
    }

    @Test func `a trade message holds trades, numbers as they were written`() throws {
        let message = try decode(
            """
            {"channel":"trade","type":"update","data":[{"symbol":"BTC/USD","side":"buy","price":30243.4,"qty":0.34507674,\
            "ord_type":"market","trade_id":61044952,"timestamp":"2023-07-06T18:53:17.827736Z"}]}
            """)
        #expect(
            message
                == .trades([
                    MarketTrade(
                        pair: "BTC/USD", id: 61_044_952, price: 30_243.4, quantity: 0.345_076_74, side: .buy,
                        nanoseconds: 1_688_669_597_827_736_000)
                ]))
    }

    @Test(arguments: [
        (#"{"channel":"heartbeat"}"#, MarketMessage.other), (#"{"channel":"status","type":"update","data":[{"system":"online"}]}"#, .other),
        (#"{"method":"pong","req_id":5,"time_in":"2022-12-25T09:30:59.123456Z"}"#, .other),
        (
            #"{"method":"subscribe","result":{"channel":"trade","symbol":"BTC/USD","snapshot":true},"success":true,"time_in":"x","req_id":1}"#,
            .subscribed
        ),
        (
            #"{"error":"Currency pair not supported","method":"subscribe","success":false,"req_id":1}"#,
            .refused("Currency pair not supported")
        ),
        (#"{"channel":"trade","type":"snapshot","data":[]}"#, .trades([])),
    ])
    func `what stands between the trades is known`(text: String, message: MarketMessage) throws {
        #expect(try decode(text) == message)
    }

    @Test(arguments: [
        "", "nothing", "[1]", #"{"channel":"trade"}"#, #"{"channel":"trade","data":[{}]}"#,
        #"{"channel":"trade","data":[{"symbol":"BTC/USD","side":"hold","price":1,"qty":1,"trade_id":1,"timestamp":"2023-07-06T18:53:17Z"}]}"#,
        #"{"channel":"trade","data":[{"symbol":"BTC/USD","side":"buy","price":"nan","qty":1,"trade_id":1,"timestamp":"2023-07-06T18:53:17Z"}]}"#,
        #"{"channel":"trade","data":[{"symbol":"XXX/USD","side":"buy","price":1,"qty":1,"trade_id":1,"timestamp":"2023-07-06T18:53:17Z"}]}"#,
        #"{"channel":"trade","data":[{"symbol":"BTC/USD","side":"buy","price":1,"qty":1,"trade_id":1.5,"timestamp":"2023-07-06T18:53:17Z"}]}"#,
    ])
    func `what is not of its language is refused whole`(text: String) {
        #expect(throws: MarketError.self) { try decode(text) }
    }

    @Test func `a trade is the same over REST`() throws {
        var history = KrakenHistory(pair: "BTC/USD", from: .time(nanoseconds: 1_688_669_597_000_000_000))
        #expect(history.request?.text == "/0/public/Trades?pair=XBTUSD&since=1688669596999999999&count=1000")
        let answer =
            #"{"error":[],"result":{"XXBTZUSD":[["30243.40000","0.34507674",1688669597.827736,"b","m","",61044952]],"last":"1688669597827736000"}}"#
        let trades = try history.take(Array(answer.utf8))
        let live = try decode(
            #"{"channel":"trade","data":[{"symbol":"BTC/USD","side":"buy","price":30243.40000,"qty":0.34507674,"trade_id":61044952,"timestamp":"2023-07-06T18:53:17.827736Z"}]}"#
        )
        #expect(.trades(trades) == live)
        // The page's last moment is asked for once more, and a page without anything new is the end.
        #expect(history.request?.query[1].value == "1688669597827735999")
        #expect(try history.take(Array(answer.utf8)).isEmpty)
        #expect(history.request == nil)
    }

    @Test func `the fraction of a second keeps all its digits`() {
        #expect(ExchangeText.nanoseconds(seconds: "1688669597.8279999") == 1_688_669_597_827_999_900)
        #expect(ExchangeText.nanoseconds(seconds: "1688669597") == 1_688_669_597_000_000_000)
        #expect(ExchangeText.nanoseconds(iso: "2023-07-06T18:53:17.828Z") == 1_688_669_597_828_000_000)
        #expect(ExchangeText.nanoseconds(seconds: "1e9") == nil)
        #expect(ExchangeText.nanoseconds(iso: "9999-01-01T00:00:00Z") == nil)
        let trade = MarketTrade(pair: "A/B", id: 1, price: 1, quantity: 1, side: .buy, nanoseconds: 1_688_669_597_827_999_900)
        #expect(trade.time == 1_688_669_597_827)
    }

    @Test func `an answer that refuses is told from trades`() {
        #expect(codec.refusal(in: Array(#"{"error":["EAPI:Rate limit exceeded"]}"#.utf8)) == "EAPI:Rate limit exceeded")
        #expect(codec.refusal(in: Array(#"{"error":[],"result":{}}"#.utf8)) == nil)
    }
}

@Suite struct BinanceCodecTests {
    private let codec = BinanceCodec(pairs: ["BNB/BTC", "BTC/USDT"])
    private let trade = MarketTrade(
        pair: "BNB/BTC", id: 12_345, price: 0.001, quantity: 100, side: .sell, nanoseconds: 1_672_515_782_136_000_000)

    @Test func `the streams stand in the address`() {
        #expect(codec.url(base: "wss://h:9443") == "wss://h:9443/stream?streams=bnbbtc@trade/btcusdt@trade")
    }

    @Test(arguments: [
        #"{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","T":1672515782136,"m":true,"M":true}"#,
        #"{"stream":"bnbbtc@trade","data":{"e":"trade","E":1672515782136,"s":"BNBBTC","t":12345,"p":"0.001","q":"100","b":88,"a":50,"T":1672515782136,"m":true,"M":true}}"#,
        #"{"e":"trade","E":1672515782136000,"s":"BNBBTC","t":12345,"p":"0.00100000","q":"100.0","T":1672515782136000,"m":true,"M":true}"#,
    ])
    func `a buyer who was there already means that the taker sold`(text: String) throws {
        #expect(try codec.decode(Array(text.utf8)) == .trades([trade]))
    }

    @Test func `a time becomes the number of a trade, and trades are asked for by number`() throws {
        var history = try #require(codec.history(of: "BNB/BTC", from: .time(nanoseconds: 1_672_515_782_135_000_001)))
        #expect(history.request?.text == "/api/v3/aggTrades?symbol=BNBBTC&startTime=1672515782136&limit=1")
        #expect(
            try history.take(Array(#"[{"a":9,"p":"0.001","q":"150","f":12345,"l":12346,"T":1672515782136,"m":true,"M":true}]"#.utf8))
                .isEmpty)
        #expect(history.request?.text == "/api/v3/historicalTrades?symbol=BNBBTC&fromId=12345&limit=1000")
        let answer =
            #"[{"id":12345,"price":"0.001","qty":"100","quoteQty":"0.1","time":1672515782136,"isBuyerMaker":true,"isBestMatch":true}]"#
        #expect(try history.take(Array(answer.utf8)) == [trade])
        #expect(history.request?.query[1].value == "12346")
        #expect(try history.take(Array("[]".utf8)).isEmpty)
        #expect(history.request == nil)
    }
}

@Suite struct CoinbaseCodecTests {
    private let codec = CoinbaseCodec(pairs: ["BTC/USD"])

    @Test func `it listens to heartbeats too, which keep a quiet channel open`() {
        #expect(codec.subscriptions().map { $0.contains("heartbeats") } == [false, true])
        #expect(codec.subscriptions()[0] == #"{"type":"subscribe","product_ids":["BTC-USD"],"channel":"market_trades"}"#)
    }

    @Test func `the exchange feed has another address and asks for matches`() {
        let feed = CoinbaseCodec(pairs: ["BTC/USD", "ETH/USD"], channel: .matches)
        #expect(
            feed.subscriptions() == [#"{"type":"subscribe","product_ids":["BTC-USD","ETH-USD"],"channels":["matches","heartbeat"]}"#])
        #expect(feed.defaultURL == "wss://ws-feed.exchange.coinbase.com" && codec.defaultURL == "wss://advanced-trade-ws.coinbase.com")
    }

    @Test func `the side of a match is the maker's, so the taker did the other`() throws {
        let text =
            #"{"type":"match","trade_id":10,"sequence":50,"maker_order_id":"a","taker_order_id":"b","time":"2014-11-07T08:19:27.028459Z","product_id":"BTC-USD","size":"5.23","price":"400.23","side":"sell"}"#
        let trade = MarketTrade(
            pair: "BTC/USD", id: 10, price: 400.23, quantity: 5.23, side: .buy, nanoseconds: 1_415_348_367_028_459_000)
        #expect(try codec.decode(Array(text.utf8)) == .trades([trade]))
    }

    @Test func `trades of a message come in the order of their numbers`() throws {
        func trade(_ id: Int) -> String {
            #"{"trade_id":"\#(id)","product_id":"BTC-USD","price":"1.5","size":"2","side":"BUY","time":"2019-08-14T20:42:27.265Z"}"#
        }
        let text =
            #"{"channel":"market_trades","timestamp":"x","sequence_num":0,"events":[{"type":"snapshot","trades":[\#(trade(3)),\#(trade(2))]},{"type":"update","trades":[\#(trade(4))]}]}"#
        guard case .trades(let trades) = try codec.decode(Array(text.utf8)) else { return #expect(Bool(false)) }
        #expect(trades.map(\.id) == [2, 3, 4] && trades.allSatisfy { $0.side == .buy && $0.price == 1.5 })
        #expect(try codec.decode(Array(#"{"channel":"heartbeats","events":[]}"#.utf8)) == .other)
        #expect(try codec.decode(Array(#"{"type":"error","message":"Failed"}"#.utf8)) == .refused("Failed"))
    }
}
