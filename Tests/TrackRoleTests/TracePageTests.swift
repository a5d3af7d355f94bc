import Foundation
import Testing
import Tracking
import Web

@testable import TrackRole

/// Pages of traces as they are shown to a token that reaches some experiments.
@Suite struct TracePageTests {
    private func trace(_ server: TrackServer, _ id: String, _ experiment: String) async -> Int {
        let place = #"{"type":"MLFLOW_EXPERIMENT","mlflow_experiment":{"experiment_id":"\#(experiment)"}}"#
        let more = #""request_time":"2026-01-01T00:00:00Z","state":"OK","tags":{"note":"\#(id)-note"}"#
        let info = #"{"trace_id":"\#(id)","trace_location":\#(place),\#(more)}"#
        return await server.call(.post, "/api/3.0/mlflow/traces", #"{"trace":{"trace_info":\#(info)}}"#).status
    }

    @Test func `a limited token sees the traces of its experiments, and of others not even that they are there`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let admin = server.with(token: try await tokens.create(name: "admin", role: .admin, now: 1).secret)
            let mine = server.with(
                token: try await tokens.create(
                    name: "mine", role: .reader, experiments: AccessScope(patterns: ["mine-*"]), models: AccessScope(patterns: []), now: 1
                ).secret)
            let own = try await admin.client.experiment(named: "mine-0"), other = try await admin.client.experiment(named: "other-0")
            #expect(await trace(admin, "tr-own", own) == 200)
            #expect(await trace(admin, "tr-other", other) == 200)
            // A run out of reach that a trace within reach belongs to.
            let run = try await admin.client.createRun(experiment: other, name: "hidden-run", startTime: 1).info.id
            let linked = await admin.api(.post, "traces/link-to-run", #"{"trace_ids":["tr-own"],"run_id":"\#(run)"}"#)
            #expect(linked.status == 200)
            #expect(await admin.page("/traces/tr-own").text.contains(run))

            let list = await mine.page("/experiments/\(own)/traces"), one = await mine.page("/traces/tr-own")
            #expect(list.status == 200 && list.text.contains("tr-own") && !list.text.contains("tr-other"))
            #expect(one.status == 200 && one.text.contains("tr-own-note"))
            #expect(!one.text.contains(run) && !one.text.contains("hidden-run") && !list.text.contains("hidden-run"))
            for address in [
                "/experiments/\(other)/traces", "/experiments/\(other)/traces?filter=status%20%3D%20%27OK%27", "/traces/tr-other",
                "/traces/tr-other?span=1",
            ] {
                let page = await mine.page(address)
                #expect(page.status == 403, "\(address)")
                #expect(!page.text.contains("tr-other-note") && !page.text.contains("other-0"), "\(address)")
            }
            #expect(await server.with(token: nil).page("/traces/tr-own").status == 401)
            #expect(await admin.page("/traces/tr-other").status == 200)
        }
    }
}
