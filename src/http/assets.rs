//! Pages in the binary: the landing page, and what npm built from `admin/`: the admin panel and GraphiQL.

use std::sync::Arc;

use axum::{
    Router,
    extract::{Path, State},
    response::{Html, IntoResponse, Response},
    routing::get,
};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use rust_embed::RustEmbed;

/// What `npm run build` in `admin/` made; nothing where it did not run before the build.
#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/admin/dist"]
#[allow_missing = true]
struct Dist;

/// Monaco, GraphiQL's editor, makes style elements and runs workers; all else is strict.
const GRAPHIQL_CSP: &str = "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
    font-src 'self' data:; worker-src 'self' blob:; object-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
const PAGE_CSP: &str =
    "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";
/// The origin of downloads takes the place of `{}`: the panel shows pictures from there.
const PANEL_CSP: &str = "default-src 'self'; img-src 'self' blob: data: {}; connect-src 'self'; object-src 'none'; \
    base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/// `downloads` is the origin of signed URLs.
pub(super) fn pages(graphiql: bool, downloads: &str) -> Router {
    let router = Router::new().route("/", get(async move || landing(graphiql))).merge(panel(downloads));
    if !graphiql {
        return router;
    }
    router.route("/graphiql", get(async || page("graphiql", GRAPHIQL_CSP))).route(
        "/graphiql/assets/{name}",
        get(async |Path(name): Path<String>, headers: HeaderMap| asset("graphiql", &name, GRAPHIQL_CSP, &headers)),
    )
}

/// One page for every address below `/admin`, which reads the address itself; and its assets.
fn panel(downloads: &str) -> Router {
    Router::new()
        .route("/admin", get(panel_page))
        .route("/admin/", get(panel_page))
        .route("/admin/{*path}", get(panel_path))
        .with_state(Arc::<str>::from(PANEL_CSP.replace("{}", downloads)))
}

async fn panel_page(State(csp): State<Arc<str>>) -> Response {
    page("panel", &csp)
}

async fn panel_path(State(csp): State<Arc<str>>, Path(path): Path<String>, headers: HeaderMap) -> Response {
    match path.strip_prefix("assets/") {
        Some(name) => asset("panel", name, &csp, &headers),
        None => page("panel", &csp),
    }
}

fn landing(graphiql: bool) -> Response {
    let graphiql = if graphiql { "<dt><a href=/graphiql>/graphiql</a><dd>try queries and read the schema" } else { "" };
    let page = format!(
        "<!doctype html><html lang=en><meta charset=utf-8><meta name=viewport content='width=device-width'>\
        <title>Snaphaven</title><style>{LANDING_STYLE}</style><main><h1>Snaphaven <small>{}</small></h1>\
        <p>Files and photos over two buckets in two regions, with proof of where every copy is.</p><dl>\
        <dt><a href=/admin/>/admin/</a><dd>the panel for admins and operators\
        <dt><code>POST /graphql</code><dd>the API{graphiql}\
        <dt><a href=/readyz>/readyz</a><dd>what the server needs, and whether it is there</dl></main></html>",
        env!("CARGO_PKG_VERSION")
    );
    ([(header::CONTENT_SECURITY_POLICY, PAGE_CSP)], Html(page)).into_response()
}

const LANDING_STYLE: &str = ":root{color-scheme:light dark;\
    --ink:light-dark(oklch(25% 0 0),oklch(92% 0 0));--dim:light-dark(oklch(45% 0 0),oklch(72% 0 0));\
    --accent:light-dark(oklch(50% .13 55),oklch(80% .14 70))}\
    body{margin:0;background:light-dark(oklch(98.5% 0 0),oklch(18% 0 0));color:var(--ink);font:15px/24px system-ui,sans-serif}\
    main{max-width:36rem;margin:12vh auto;padding:0 24px}h1{font-size:20px;line-height:28px;font-weight:600;margin:0}\
    small{color:var(--dim);font-size:13px;font-weight:400}p{color:var(--dim);margin:4px 0 24px}\
    dl{display:grid;grid-template-columns:max-content 1fr;gap:12px 24px;margin:0}dd{margin:0;color:var(--dim)}\
    a{color:var(--accent)}code{font:13px ui-monospace,monospace}";

/// The page of a folder of `admin/dist`, or how to build it.
fn page(folder: &str, csp: &str) -> Response {
    match Dist::get(&format!("{folder}/index.html")) {
        Some(page) => {
            let headers = [(header::CONTENT_SECURITY_POLICY, csp), (header::CACHE_CONTROL, "no-cache")];
            (headers, Html(page.data)).into_response()
        }
        None => ([(header::CONTENT_SECURITY_POLICY, PAGE_CSP)], Html(NOT_BUILT)).into_response(),
    }
}

const NOT_BUILT: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>This page is not built</title>\
    <h1>This page is not built into this binary</h1><p>It needs Node 20 or later. Build it, then the server:</p>\
    <pre>cd admin &amp;&amp; npm ci &amp;&amp; npm run build\ncargo build</pre><p><code>make run</code> does both.</p></html>";

/// A file of a folder's assets, whose name holds its hash. Compressed at build time, where the browser takes that.
fn asset(folder: &str, name: &str, csp: &str, headers: &HeaderMap) -> Response {
    let path = format!("{folder}/assets/{name}");
    let Some(plain) = Dist::get(&path) else { return StatusCode::NOT_FOUND.into_response() };
    let brotli = accepts_brotli(headers).then(|| Dist::get(&format!("{path}.br"))).flatten();
    let encoding = brotli.is_some().then(|| HeaderValue::from_static("br"));
    let kind = plain.metadata.mimetype().to_owned();
    let mut response = brotli.unwrap_or(plain).data.into_response();
    let headers = response.headers_mut();
    if let Ok(kind) = HeaderValue::from_str(&kind) {
        headers.insert(header::CONTENT_TYPE, kind);
    }
    if let Some(encoding) = encoding {
        headers.insert(header::CONTENT_ENCODING, encoding);
    }
    // A worker is bound by the policy of its own script.
    if let Ok(csp) = HeaderValue::from_str(csp) {
        headers.insert(header::CONTENT_SECURITY_POLICY, csp);
    }
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=31536000, immutable"));
    response
}

fn accepts_brotli(headers: &HeaderMap) -> bool {
    let lines = headers.get_all(header::ACCEPT_ENCODING).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|coding| {
        let (name, parameters) = coding.split_once(';').unwrap_or((coding, ""));
        name.trim() == "br" && !matches!(parameters.trim(), "q=0" | "q=0.0")
    })
}
