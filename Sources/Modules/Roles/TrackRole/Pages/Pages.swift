import Domain
import HTTPTypes
import Hummingbird
import Tracking
import Web

/// The server as a person sees it: experiments → runs → run, models → versions and their audit, datasets, the system.
///
/// Pages only read. Everything a person chose is in the address, so every state can be kept and sent.
struct Pages: Sendable {
    let service: ScopedService
    /// When the server began, for its uptime.
    let startedAt: EventTime.Milliseconds

    static let assets = PageAssets(root: "/assets")

    enum Section: String, CaseIterable {
        case experiments = "/", models = "/models", datasets = "/datasets", system = "/system"

        var link: Page.Link {
            switch self {
            case .experiments: Page.Link("Experiments", rawValue)
            case .models: Page.Link("Models", rawValue)
            case .datasets: Page.Link("Datasets", rawValue)
            case .system: Page.Link("System", rawValue)
            }
        }
    }

    init(service: TrackService) {
        self.service = ScopedService(service)
        startedAt = service.now()
    }

    /// A page in the product's frame.
    static func page(_ title: String, in section: Section?, trail: [Page.Link] = [], body: HTML = .empty) -> Page {
        var page = Page(title: title, navigation: Section.allCases.map(\.link), section: section?.rawValue, trail: trail, body: body)
        page.assets = assets
        return page
    }

    func add(to router: Router<WebContext>) {
        Self.assets.add(to: router)
        let experiments = ExperimentPages(service: service), runs = RunPages(service: service), models = ModelPages(service: service)
        show("/", router) { try await experiments.list($0) }
        show("/experiments/{id}", router) { try await RunTablePage(service: service).show($0) }
        let traces = TracePages(service: service)
        show("/experiments/{id}/traces", router) { try await traces.list($0) }
        show("/traces/{id}", router) { try await traces.one($0) }
        show("/runs/{id}", router) { try await runs.overview($0) }
        show("/runs/{id}/charts", router) { try await runs.charts($0) }
        show("/runs/{id}/artifacts", router) { try await runs.artifacts($0) }
        show("/compare", router) { try await ComparePage(service: service).show($0) }
        show("/models", router) { try await models.list($0) }
        show("/models/{name}", router) { try await models.model($0) }
        show("/models/{name}/versions/{version}", router) { try await models.version($0) }
        show("/models/{name}/compare", router) { try await models.compare($0) }
        show("/logged-models/{id}", router) { try await models.logged($0) }
        show("/datasets", router) { try await DatasetPage(service: service).show($0) }
        show("/system", router) { try await SystemPage(service: service, startedAt: startedAt).show($0) }
        router.get("/preview") { request, _ in try await ArtifactPreview(service: service).send(PageQuery(request)) }
    }

    private func show(_ path: RouterPath, _ router: Router<WebContext>, _ make: @escaping @Sendable (PageQuery) async throws -> Page) {
        router.get(path) { request, context in
            do {
                return Response.page(try await make(PageQuery(request, context)))
            } catch let error as TrackingError {
                return Self.answer(error)
            }
        }
    }

    /// A refusal as a page.
    static func answer(_ error: TrackingError) -> Response {
        let status = Failure.status(error.code)
        let title = status == .notFound ? "Not found" : "This did not work"
        let page = page(title, in: nil, body: "<p role=\"alert\">\(error.message)</p><p><a href=\"/\">All experiments</a></p>")
        return .page(page, status: status)
    }
}
