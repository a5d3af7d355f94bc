import Testing

@testable import ObjectStore

@Suite struct S3PlaceTests {
    @Test(arguments: [
        ("s3://bucket", "bucket", ""), ("s3://my.bucket-1/", "my.bucket-1", ""), ("s3://abc/a/b", "abc", "a/b/"),
        ("s3://abc/a//", "abc", "a/"),
    ])
    func `a bucket's address has a name and a prefix`(url: String, bucket: String, prefix: String) throws {
        let place = try S3Place(url: url)
        #expect(place.bucket == bucket && place.prefix == prefix)
    }

    @Test(arguments: [
        "s3:bucket", "s3://", "s3://ab", "s3://Bucket", "s3://a_b", "s3://-abc", "s3://a..b", "s3://abc/../x", "s3://abc//x", "https://abc",
        "s3://abc/a\0b", "s3://user@abc",
    ])
    func `an address that no bucket has is refused`(url: String) {
        #expect(throws: ObjectStoreError.self) { try S3Place(url: url) }
    }

    @Test func `a key is the prefix and the path, and no longer than keys may be`() throws {
        let place = try S3Place(url: "s3://abc/p")
        let path = try ObjectPath("a/b")
        #expect(try place.key(path, "put") == "p/a/b")
        #expect(place.path("p/a/b") == path && place.path("p/") == nil && place.path("q/a") == nil && place.path("p/a/../b") == nil)
        let long = try ObjectPath(Array(repeating: String(repeating: "x", count: 204), count: 5).joined(separator: "/"))
        #expect(throws: ObjectStoreError.self) { try place.key(long, "put") }
    }
}

@Suite struct S3OptionsTests {
    private func options(_ environment: [String: String], endpoint: String? = nil, style: Bool? = nil, region: String? = nil) -> S3Options {
        S3Options(endpoint: endpoint, region: region, isPathStyle: style, environment: environment, now: { 0 })
    }

    @Test func `settings go before the environment, and the environment before what Amazon has`() throws {
        let plain = options([:])
        #expect(plain.region == "us-east-1" && plain.endpoint == nil && !plain.isPathStyle && plain.credentials == nil)
        let environment = ["AWS_ENDPOINT_URL": "http://a:1/", "AWS_REGION": "eu-west-1", "AWS_DEFAULT_REGION": "x", "AWS_CA_BUNDLE": "/ca"]
        let told = options(environment)
        #expect(told.endpoint == "http://a:1" && told.region == "eu-west-1" && told.isPathStyle && told.authority == "/ca")
        #expect(options(environment.merging(["AWS_ENDPOINT_URL_S3": "http://b"]) { $1 }).endpoint == "http://b")
        let set = options(environment, endpoint: "http://c", style: false, region: "r")
        #expect(set.endpoint == "http://c" && set.region == "r" && !set.isPathStyle)
        #expect(options(["AWS_ACCESS_KEY_ID": "a"]).credentials == nil)
        #expect(options(["AWS_ACCESS_KEY_ID": "", "AWS_SECRET_ACCESS_KEY": "b"]).credentials == nil)
    }

    @Test func `a bucket stands in the host or in the path`() throws {
        let amazon = try options([:], region: "eu-west-1").base(bucket: "abc")
        #expect(amazon.origin == "https://abc.s3.eu-west-1.amazonaws.com" && amazon.path == "")
        // No certificate covers a bucket with dots.
        let dotted = try options([:]).base(bucket: "a.b.c")
        #expect(dotted.origin == "https://s3.us-east-1.amazonaws.com" && dotted.path == "/a.b.c")
        let own = try options([:], endpoint: "http://127.0.0.1:9000/s3").base(bucket: "abc")
        #expect(own.origin == "http://127.0.0.1:9000" && own.host == "127.0.0.1:9000" && own.path == "/s3/abc")
        #expect(try options([:], endpoint: "http://h:1", style: false).base(bucket: "abc").origin == "http://abc.h:1")
        for bad in ["ftp://a", "http://", "http://a?b", "http://user:hush@a"] {
            let error = #expect(throws: ObjectStoreError.self) { try options(["AWS_ENDPOINT_URL": bad]).base(bucket: "abc") }
            #expect(error?.description.contains("hush") == false)
        }
    }

    @Test func `ten thousand parts are enough for the largest object`() {
        var options = options([:])
        for size in [1, 78 << 30, (78 << 30) + 1, 1 << 40] as [Int64] {
            options.maxObjectBytes = size
            #expect(options.partBytes >= 8 << 20 && Int64(options.partBytes) * 10_000 >= size)
        }
    }
}

@Suite struct S3XMLTests {
    @Test func `elements, text, entities and attributes are read`() throws {
        let xml = try S3XML.read(
            Array("<?xml version=\"1.0\"?>\n<A x=\"1\">\n <B>a &lt;&amp;&#233;&#x21;</B><B/><C><D>1</D></C></A>".utf8))
        #expect(xml.name == "A" && xml.all("B").map(\.text) == ["a <&é!", ""] && xml["C"]?.text("D") == "1" && xml.text("X") == nil)
        #expect(S3XML.escaped("a<b>&\"") == "a&lt;b&gt;&amp;&quot;")
    }

    @Test(arguments: [
        "", "a", "<A>", "<A></B>", "<A>&nope;</A>", "<A>&", "<!DOCTYPE a [<!ENTITY x \"y\">]><A>&x;</A>", "<A><!-- c --></A>", "</A>", "<",
        "<A", String(repeating: "<A>", count: 100), "<A>&#xD800;</A>", "<?xml",
    ])
    func `anything else is refused`(text: String) {
        #expect(throws: S3XML.Error.self) { try S3XML.read(Array(text.utf8)) }
    }

    @Test func `no cut of a document is read, and none crashes`() {
        let whole = Array("<?xml version=\"1.0\"?><A><B>x&amp;y</B></A>".utf8)
        for count in 0..<whole.count { #expect(throws: S3XML.Error.self) { try S3XML.read(Array(whole[..<count])) } }
    }

    @Test func `the times of answers are read`() {
        #expect(S3Time.http("Thu, 29 Feb 2024 23:59:59 GMT") == 1_709_251_199_000)
        #expect(S3Time.http("Thu, 9 Foo 2024 23:59:59 GMT") == nil && S3Time.http("") == nil)
        #expect(S3Time.iso("2024-02-29T23:59:59.000Z") == 1_709_251_199_000)
    }
}
