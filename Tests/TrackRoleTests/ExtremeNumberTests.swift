import Testing
import Tracking
import Web

@testable import TrackRole

/// Clients state times, steps and values as they like; no page may fail on one, for one failing page ends the server.
@Suite struct ExtremeNumberTests {
    private static let edges: [Int64] = [.min, .min + 1, -62_135_596_800_001, -1, 0, 253_402_300_800_000, .max - 1, .max]

    @Test func `every page shows runs whose numbers no calendar and no chart has`() async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            var ids: [String] = []
            for (index, edge) in Self.edges.enumerated() {
                let parent = ids.first.map { #",{"key":"mlflow.parentRunId","value":"\#($0)"}"# } ?? ""
                let made = await server.api(
                    .post, "runs/create", #"{"experiment_id":"0","start_time":\#(edge),"tags":[{"key":"t","value":"v"}\#(parent)]}"#)
                let id = try #require(made.json?["run"]?["info"]?["run_id"]?.string)
                ids.append(id)
                let end = Self.edges[Self.edges.count - 1 - index]
                #expect(
                    await server.api(.post, "runs/update", #"{"run_id":"\#(id)","status":"FINISHED","end_time":\#(end)}"#).status == 200)
                let metrics = Self.edges.map { step in
                    #"{"key":"m","value":\#(step < 0 ? "-1.7976931348623157e308" : "5e-324"),"timestamp":\#(max(0, edge)),"step":\#(step)}"#
                }
                let batch = #"{"run_id":"\#(id)","metrics":[\#(metrics.joined(separator: ","))],"params":[{"key":"p","value":"\#(edge)"}]}"#
                #expect(await server.api(.post, "runs/log-batch", batch).status == 200)
            }
            typealias Query = [(name: String, value: String)]
            let run = "/runs/\(ids[0])", picked: Query = ids.map { (name: "run", value: $0) }
            var pages: [(path: String, query: Query)] = [
                ("/", []), ("/experiments/0", [("expand", ids[0])]), ("/experiments/0", [("order", "metrics.m DESC")]),
                ("/compare", picked), ("/compare", picked + [(name: "view", value: "scatter")]),
                ("/compare", picked + [(name: "view", value: "parallel")]), ("/datasets", [("page", "-9223372036854775808")]),
                ("/system", []),
                ("/models", []),
            ]
            for id in ids { pages.append(("/runs/" + id, [])) }
            for x in ["", "step", "time", "relative"] {
                for scale in ["", "log"] {
                    let query: Query = [("x", x), ("scale", scale), ("smooth", "0.9"), ("with", ids[7]), ("view", "charts")]
                    pages.append((run + "/charts", query))
                    pages.append(("/compare", picked + query))
                }
            }
            pages.append((run + "/charts", [("page", "9223372036854775807")]))
            for page in pages {
                #expect(await server.call(.get, page.path, query: page.query).status == 200, "\(page)")
            }
            for edge in Self.edges {
                let body =
                    #"{"experiment_ids":["0"],"filter":"attributes.start_time = \#(edge) AND metrics.m < 1","order_by":["metrics.m"]}"#
                let status = await server.api(.post, "runs/search", body).status
                #expect([200, 400].contains(status))
                let interval: Query = [
                    ("run_ids", ids[0]), ("metric_key", "m"), ("start_step", "\(edge)"), ("end_step", "\(Int64.max)"), ("max_results", "3"),
                ]
                #expect(await server.api(.get, "metrics/get-history-bulk-interval", query: interval).status == 200)
            }
            #expect(await server.call(.get, "/health").status == 200)
        }
    }

    @Test(arguments: [Int64.min, -62_135_596_800_001, 253_402_300_800_000, .max])
    func `a time outside the calendar shows as nothing`(time: Int64) {
        #expect(Piece.relative(time, now: 0) == "" && Piece.relative(0, now: time) == "")
        #expect(Piece.momentAgo(time, now: 0).text == "")
    }
}
