//! The admin panel of `admin/panel/` in Chromium. What it asks for is tested on each database elsewhere: here two of them do, and
//! one where only the panel's own work is looked at.

use entity::user;
use sea_orm::{ActiveEnum as _, ColumnTrait as _, EntityTrait as _, QueryFilter as _, sea_query::Expr};

use super::scale::{Crowded, crowded_process};
use crate::{
    clients::passes,
    servers::{KIND, Kind, TestDatabase},
    support::process::repository,
};

const ROWS: u64 = 10_000;

#[tokio::test]
async fn the_admin_panel_in_chromium() {
    panel_passes("panel.test.mjs").await;
}

#[tokio::test]
async fn moderation_in_chromium() {
    panel_passes("moderation.test.mjs").await;
}

#[tokio::test]
async fn replication_in_chromium() {
    if *KIND != Kind::Sqlite {
        return;
    }
    panel_passes("replication.test.mjs").await;
}

#[tokio::test]
async fn ten_thousand_rows_scroll_by_in_chromium() {
    if *KIND != Kind::Sqlite {
        return;
    }
    let Crowded { server, db, .. } = &mut crowded_process(ROWS).await;
    let role = Expr::value(user::Role::Admin.to_value());
    let ada = user::Entity::update_many().filter(user::Column::Username.eq("ada"));
    ada.col_expr(user::Column::Role, role).exec(db.read()).await.unwrap();
    runs("scroll.test.mjs", &[("SNAPHAVEN_TEST_APP", &server.app)]).await;
    assert_eq!(server.stop().await.code(), Some(0), "{}", server.log());
}

async fn panel_passes(test: &str) {
    if *KIND == Kind::MariaDb {
        return;
    }
    let database = TestDatabase::new().await;
    runs(test, &[("SNAPHAVEN_TEST_DATABASE_URL", &database.url)]).await;
}

async fn runs(test: &str, variables: &[(&str, &str)]) {
    let folder = "tests/js/browser";
    assert!(repository().join(folder).join("node_modules").exists(), "run scripts/test-node.sh first (make test does)");
    assert!(
        repository().join("admin/dist/panel/index.html").exists(),
        "run npm ci && npm run build in admin, then build again"
    );
    passes(folder, &[test], variables).await;
}
