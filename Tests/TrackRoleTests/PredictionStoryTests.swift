import Testing
import Web

@testable import TrackRole

@Suite struct PredictionStoryTests {
    private func story(prediction: String = Self.prediction, lineage: String = Self.lineage, artefact: String? = Self.artefact) throws
        -> String
    {
        try PredictionStory(
            prediction: JSONReader.read(Array(prediction.utf8)), entity: "BTC/USD", lineage: JSONReader.read(Array(lineage.utf8)),
            artefact: artefact.map { try JSONReader.read(Array($0.utf8)) }
        ).text
    }

    private static let prediction = """
        {"id":"p","requested_at_ms":0,"feature_time_ms":60000,"predicted_for_ms":660000,"model":"m","version":"2",
        "features":{"close":1.5,"rsi_14":null},"values_hash":"ab","output":2.25}
        """
    private static let lineage = #"""
        {"model_version":{"name":"m","version":"2","description":"good","tags":[{"key":"mlops.kind","value":"ridge"}]},
        "run":{"info":{"run_id":"r","run_name":"train m","status":"FINISHED"},"data":{"params":[{"key":"candidate","value":"ridge"}],
        "tags":[{"key":"mlops.version","value":"1.2"},{"key":"mlops.definitions","value":"ff"},{"key":"mlflow.source.git.commit","value":"c0"}]},
        "inputs":{"dataset_inputs":[{"dataset":{"name":"rows","digest":"d1"}}]}},
        "promotions":[{"alias":"champion","version":"2","previous_version":"1","actor":"ann","reason":"better","verdict":"{\"sentence\":\"yes\"}","timestamp":2000},
        {"alias":"shadow","version":"2","actor":"bob","reason":"","timestamp":1000}]}
        """#
    private static let artefact = """
        {"definition_hashes":{"close":"0123456789abcdef"},"snapshots":[{"topic":"rows","partition":0,"first":3,"next":9}],
        "learnt_until_ms":0,"training_rows":7}
        """

    @Test func `every fact has a line`() throws {
        #expect(
            try story() == """
                prediction  p
                output      2.25
                entity      BTC/USD
                asked       1970-01-01T00:00:00Z
                features of 1970-01-01T00:01:00Z
                for         1970-01-01T00:11:00Z
                model       m version 2, ridge
                            good
                alias       shadow since 1970-01-01T00:00:01Z by bob
                alias       champion since 1970-01-01T00:00:02Z by ann, before it version 1
                            because better
                            gate: yes
                run         r train m, FINISHED
                            ridge
                code        mlops 1.2, definitions ff, commit c0
                data        rows@d1
                            rows partition 0, records 3 to before 9
                            7 rows, nothing later than 1970-01-01T00:00:00Z
                inputs
                  close   1.5   definition 0123456789ab
                  rsi_14  null

                """)
    }

    @Test func `what is not known is said`() throws {
        let text = try story(
            prediction: #"{"id":"p\u001b[2J","model":"m","version":"2","features":null,"values_hash":"ab"}"#, lineage: "{}", artefact: nil)
        #expect(text.contains("prediction  p?[2J\n") && text.contains("alias       none has stood for this version\n"))
        #expect(
            text.contains("run         none: ") && text.contains("data        the run does not say\n")
                && text.contains("asked       unknown\n"))
        #expect(text.contains("inputs\n  not kept; their SHA-256 is ab\n"))
    }
}
