import Testing
import Tracking
import Web

@testable import TrackRole

/// A token that may train but not promote does not change what is served.
@Suite struct ServedFilesTests {
    private static let denied = TrackServer.Outcome.refused(403, "PERMISSION_DENIED")
    private static let root = "/api/2.0/mlflow-artifacts/artifacts/"

    private struct Hands {
        let trainer: TrackServer
        let promoter: TrackServer
        let admin: TrackServer

        init(_ server: TrackServer, _ tokens: TokenStore) async throws {
            trainer = server.with(token: try await tokens.create(name: "t", role: .trainer, now: 1).secret)
            promoter = server.with(token: try await tokens.create(name: "p", role: .promoter, now: 1).secret)
            admin = server.with(token: try await tokens.create(name: "a", role: .admin, now: 1).secret)
        }
    }

    @Test func `a logged model's files are its maker's until it is ready`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let hands = try await Hands(server, tokens), trainer = hands.trainer
            // In the order of the client: made, filled, made ready, registered.
            let made = await trainer.api(.post, "logged-models", #"{"experiment_id":"0","name":"x"}"#)
            let id = try #require(made.json?["model"]?["info"]?["model_id"]?.string)
            let folder = Self.root + "0/models/\(id)/artifacts", file = folder + "/model.pkl"
            #expect(await trainer.call(.put, file, "good").status == 200)
            #expect(await trainer.call(.put, file, "better").status == 200)
            #expect(await trainer.api(.patch, "logged-models/\(id)", #"{"status":"LOGGED_MODEL_READY"}"#).status == 200)
            for place in [file, folder + "/new/MLmodel", "/ajax-api" + String(file.dropFirst(4))] {
                #expect(await trainer.call(.put, place, "evil") == Self.denied, "\(place)")
            }
            for place in [file, folder, Self.root + "0/models/\(id)", Self.root + "0/models", Self.root + "0/models/\(id)/"] {
                #expect(await trainer.call(.delete, place) == Self.denied, "\(place)")
            }
            #expect(await hands.promoter.call(.put, folder + "/card.md", "text").status == 200)
            try await trainer.client.ensureModel("m")
            let version = #"{"name":"m","source":"models:/\#(id)","model_id":"\#(id)"}"#
            #expect(await trainer.api(.post, "model-versions/create", version).status == 200)
            for status in ["LOGGED_MODEL_PENDING", "LOGGED_MODEL_UPLOAD_FAILED"] {
                #expect(await trainer.api(.patch, "logged-models/\(id)", #"{"status":"\#(status)"}"#) == Self.denied)
            }
            #expect(await trainer.api(.delete, "logged-models/\(id)", "{}") == Self.denied)
            // A model that nothing was registered from is still its maker's to throw away.
            let spare = await trainer.api(.post, "logged-models", #"{"experiment_id":"0","name":"y"}"#)
            let other = try #require(spare.json?["model"]?["info"]?["model_id"]?.string)
            #expect(await trainer.api(.patch, "logged-models/\(other)", #"{"status":"LOGGED_MODEL_READY"}"#).status == 200)
            #expect(await trainer.api(.delete, "logged-models/\(other)", "{}").status == 200)
        }
    }

    @Test func `the files of a registered version are for promoters`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let hands = try await Hands(server, tokens), trainer = hands.trainer
            try await trainer.client.ensureModel("m")
            for source in ["runs:/RUN/model", "runs:/RUN/model/", "mlflow-artifacts:/0/RUN/artifacts/model"] {
                let run = try await trainer.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
                try await trainer.client.upload(run: run, path: "model/MLmodel", bytes: [1])
                try await trainer.client.upload(run: run, path: "report.html", bytes: [1])
                _ = try await trainer.client.createVersion(model: "m", source: source.replacing("RUN", with: run), run: run)
                let place = Self.root + "0/\(run)/artifacts"
                #expect(await trainer.call(.put, place + "/model/MLmodel", "evil") == Self.denied, "\(source)")
                #expect(await trainer.call(.put, place + "/model/extra", "evil") == Self.denied, "\(source)")
                let upload: [(name: String, value: String)] = [("run_id", run), ("path", "model/MLmodel")]
                #expect(await trainer.call(.post, "/ajax-api/2.0/mlflow/upload-artifact", "evil", query: upload) == Self.denied)
                for folder in ["/model/MLmodel", "/model", "", "/../artifacts/model"] {
                    let status = await trainer.call(.delete, place + folder).status
                    #expect([400, 403].contains(status), "\(source) \(folder)")
                }
                // What the run kept beside it is the trainer's, also by a name that begins alike.
                #expect(await trainer.call(.put, place + "/model2/MLmodel", "x").status == 200)
                #expect(await trainer.call(.delete, place + "/report.html").status == 200)
                #expect(try await trainer.client.download(run: run, path: "model/MLmodel") == [1])
                #expect(await hands.promoter.call(.put, place + "/model/MLmodel", "new").status == 200)
            }
        }
    }

    @Test func `the files of a whole experiment go with an administrator's token`() async throws {
        try await TrackServer.guarded { (server: TrackServer, tokens: TokenStore) async throws in
            let hands = try await Hands(server, tokens)
            let run = try await hands.trainer.client.createRun(experiment: "0", name: "r", startTime: 1).info.id
            try await hands.trainer.client.upload(run: run, path: "a", bytes: [1])
            for hand in [hands.trainer, hands.promoter] {
                for path in ["0", "0/"] { #expect(await hand.call(.delete, Self.root + path) == Self.denied) }
            }
            #expect(try await hands.trainer.client.download(run: run, path: "a") == [1])
            #expect(await hands.trainer.call(.delete, Self.root + "0/\(run)").status == 200)
            #expect(await hands.admin.call(.delete, Self.root + "0").status == 200)
        }
    }
}
