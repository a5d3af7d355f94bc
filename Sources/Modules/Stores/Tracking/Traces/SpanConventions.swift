import Web

/// What instrumentations of other makers call the things that have a name of their own here.
///
/// Sources: OpenTelemetry's generative AI conventions, OpenInference, OpenLLMetry (their attribute registries).
struct SpanConvention: Sendable {
    let kind: String
    let types: [String: String]
    let inputTokens: String
    let outputTokens: String
    var totalTokens: String?
    var cacheReadTokens: String?
    var cacheWriteTokens: [String] = []
    let inputs: [String]
    let outputs: [String]
    var model: [String] = []
    var provider: String?

    /// The first that knows an attribute is believed.
    static let all = [openInference, generativeAI, traceloop]

    private static let openInference = SpanConvention(
        kind: "openinference.span.kind",
        types: [
            "TOOL": "TOOL", "CHAIN": "CHAIN", "LLM": "LLM", "RETRIEVER": "RETRIEVER", "EMBEDDING": "EMBEDDING", "AGENT": "AGENT",
            "RERANKER": "RERANKER", "UNKNOWN": "UNKNOWN", "GUARDRAIL": "GUARDRAIL", "EVALUATOR": "EVALUATOR",
        ],
        inputTokens: "llm.token_count.prompt", outputTokens: "llm.token_count.completion", totalTokens: "llm.token_count.total",
        cacheReadTokens: "llm.token_count.prompt_details.cache_read", cacheWriteTokens: ["llm.token_count.prompt_details.cache_write"],
        inputs: ["input.value"], outputs: ["output.value"],
        model: ["llm.response.model_name", "llm.model_name", "llm.request.model_name", "embedding.model_name"], provider: "llm.provider")

    private static let generativeAI = SpanConvention(
        kind: "gen_ai.operation.name",
        types: [
            "chat": "CHAT_MODEL", "create_agent": "AGENT", "embeddings": "EMBEDDING", "execute_tool": "TOOL", "generate_content": "LLM",
            "invoke_agent": "AGENT", "text_completion": "LLM", "response": "LLM",
        ],
        inputTokens: "gen_ai.usage.input_tokens", outputTokens: "gen_ai.usage.output_tokens",
        cacheReadTokens: "gen_ai.usage.cache_read.input_tokens",
        cacheWriteTokens: ["gen_ai.usage.cache_write.input_tokens", "gen_ai.usage.cache_creation.input_tokens"],
        inputs: ["gen_ai.input.messages", "gen_ai.tool.call.arguments"], outputs: ["gen_ai.output.messages", "gen_ai.tool.call.result"],
        model: ["gen_ai.response.model", "gen_ai.request.model"], provider: "gen_ai.provider.name")

    private static let traceloop = SpanConvention(
        kind: "traceloop.span.kind",
        types: ["workflow": "WORKFLOW", "task": "TASK", "agent": "AGENT", "tool": "TOOL", "unknown": "UNKNOWN"],
        inputTokens: "gen_ai.usage.prompt_tokens", outputTokens: "gen_ai.usage.completion_tokens",
        totalTokens: "llm.usage.total_tokens", inputs: ["traceloop.entity.input"], outputs: ["traceloop.entity.output"],
        provider: "gen_ai.system")
}

extension TraceSpan {
    static let typeKey = "mlflow.spanType", inputsKey = "mlflow.spanInputs", outputsKey = "mlflow.spanOutputs"
    static let usageKey = "mlflow.chat.tokenUsage", modelKey = "mlflow.llm.model", providerKey = "mlflow.llm.provider"
    static let costKey = "mlflow.llm.cost"

    /// Adds the attributes of this protocol that the span says in the words of another.
    mutating func translate() {
        if [nil, "UNKNOWN"].contains(text(Self.typeKey)), let type = first({ $0.types[self.text($0.kind) ?? ""] }) {
            set(Self.typeKey, json: PythonJSON.text(.string(type)))
        }
        for (key, names) in [(Self.inputsKey, \SpanConvention.inputs), (Self.outputsKey, \SpanConvention.outputs)]
        where attribute(key) == nil {
            if let json = first({ self.said($0[keyPath: names]) }) { set(key, json: json) }
        }
        if attribute(Self.usageKey) == nil, let usage = first({ self.usage($0) }) { set(Self.usageKey, json: PythonJSON.text(usage)) }
        if attribute(Self.modelKey) == nil, let model = first({ self.said($0.model) }) ?? modelInValues {
            set(Self.modelKey, json: model)
        }
        if attribute(Self.providerKey) == nil, let provider = first({ $0.provider.flatMap { self.said([$0]) } }) {
            set(Self.providerKey, json: provider)
        }
    }

    private func first<Value>(_ find: (SpanConvention) -> Value?) -> Value? {
        for convention in SpanConvention.all { if let found = find(convention) { return found } }
        return nil
    }

    /// The first of these attributes that says something.
    private func said(_ keys: [String]) -> String? {
        for key in keys {
            if let json = attribute(key), !["null", "\"\"", "{}", "[]", "0", "0.0", "false"].contains(json) { return json }
        }
        return nil
    }

    /// A model that a call names in what it was given or gave back.
    private var modelInValues: String? {
        for key in [Self.inputsKey, Self.outputsKey] {
            guard let json = attribute(key), let value = try? JSONReader.read(json.utf8), let model = value["model"]?.string,
                !model.isEmpty
            else { continue }
            return PythonJSON.text(.string(model))
        }
        return nil
    }

    private func count(_ key: String?) -> Int64? {
        guard let key, let json = attribute(key), let value = try? JSONReader.read(json.utf8) else { return nil }
        return value.int64
    }

    private func usage(_ convention: SpanConvention) -> JSONValue? {
        let input = count(convention.inputTokens), output = count(convention.outputTokens)
        var total = count(convention.totalTokens)
        if total == nil, let input, let output { total = input &+ output }
        guard input != nil || output != nil || total != nil else { return nil }
        let cacheWrite = convention.cacheWriteTokens.lazy.compactMap { count($0) }.first
        let counts: [(String, Int64?)] = [
            ("input_tokens", input), ("output_tokens", output), ("total_tokens", total),
            ("cache_read_input_tokens", count(convention.cacheReadTokens)), ("cache_creation_input_tokens", cacheWrite),
        ]
        return .object(counts.compactMap { name, count in count.map { .init(name, .int($0)) } })
    }
}
