//! The admin panel of `admin/panel/` in Chromium.

use crate::{clients::passes, servers::TestDatabase, support::process::repository};

#[tokio::test]
async fn the_admin_panel_in_chromium() {
    panel_passes("panel.test.mjs").await;
}

#[tokio::test]
async fn moderation_in_chromium() {
    panel_passes("moderation.test.mjs").await;
}

async fn panel_passes(test: &str) {
    let folder = "tests/js/browser";
    assert!(repository().join(folder).join("node_modules").exists(), "run scripts/test-node.sh first (make test does)");
    assert!(
        repository().join("admin/dist/panel/index.html").exists(),
        "run npm ci && npm run build in admin, then build again"
    );
    let database = TestDatabase::new().await;
    passes(folder, &[test], &[("SNAPHAVEN_TEST_DATABASE_URL", &database.url)]).await;
}
