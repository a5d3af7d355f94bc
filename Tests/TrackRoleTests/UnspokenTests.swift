import Testing
import Web

@testable import TrackRole

@Suite struct UnspokenTests {
    @Test(arguments: [
        "/api/3.0/mlflow/datasets/search", "/api/3.0/mlflow/scorers/list", "/graphql", "/api/2.0/mlflow/nothing", "/ajax-api/3.0/x",
    ])
    func `what the server does not speak is said in a sentence`(path: String) async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            let answer = await server.call(.get, path)
            #expect(answer == .refused(404, "ENDPOINT_NOT_FOUND"))
            #expect(answer.json?["message"]?.string?.hasPrefix("This server does not speak GET \(path)") == true)
            // A person gets a page.
            #expect(await server.page("/nothing").text.contains("There is nothing at this address"))
        }
    }

    @Test(arguments: [
        #""0""#, #"["abc"]"#, #"[""]"#, "7",
    ])
    func `experiments of a search are a list of numbers`(ids: String) async throws {
        try await TrackServer.with { (server: TrackServer) async throws in
            for route in ["runs/search", "logged-models/search"] {
                #expect(await server.api(.post, route, #"{"experiment_ids":\#(ids)}"#) == .refused(400, "INVALID_PARAMETER_VALUE"))
                #expect(await server.api(.post, route, #"{"experiment_ids":["999"]}"#).status == 200)
                #expect(await server.api(.post, route, #"{"experiment_ids":["0"],"max_results":500}"#).status == 200)
            }
        }
    }
}
