//! A snap goes from one account to another: received live, opened once, and gone.

use reqwest::StatusCode;
use serde_json::{Value, json};

use super::{WAIT, Walk, api, sign_up};
use crate::cli::{
    Failure,
    client::{Attachment, Client},
    smoke_test::report::{Seen, expect, step, unexpected, wait, while_doing},
};

impl Walk {
    /// The key of the picture that was erased.
    pub(super) async fn snap(&self, password: usize, picture: Attachment) -> Result<String, Failure> {
        let mut friend = Client::new(&self.url).map_err(while_doing("cannot ask the server"))?;
        let them = sign_up(&mut friend, password).await?;
        step(async {
            let input = json!({ "userId": them.user.id });
            let asked = self.client.mutate::<api::Asked>(api::REQUEST_FRIENDSHIP, input).await;
            let id = asked.map_err(while_doing("cannot ask for a friendship"))?.friendship.id;
            let answered = friend.mutate::<Value>(api::ACCEPT_FRIENDSHIP, json!({ "id": id })).await;
            answered.map_err(while_doing("cannot accept a friendship"))?;
            Ok(((), "the two are friends".to_owned()))
        })
        .await?;
        let snap = step(async {
            let failed = || while_doing("cannot subscribe to snaps");
            let log = friend.query::<api::Events>(api::LATEST, json!({})).await.map_err(failed())?.events;
            let after = json!({ "after": log.latest_cursor });
            let mut live = friend.subscribe(api::SNAP_RECEIVED, after).await.map_err(failed())?;
            let input = json!({ "recipientIds": [them.user.id], "caption": "Look!", "viewSeconds": 10 });
            let sent = self.client.upload::<api::SnapSent>(api::SEND_SNAP, input, picture).await;
            let sent = sent.map_err(while_doing("cannot send a snap"))?.snap.id;
            let heard = tokio::time::timeout(WAIT, live.next::<api::SnapHeard>()).await;
            let heard = heard.map_err(|_| unexpected("the subscription", "a snap", "nothing"))?.map_err(failed())?;
            let event = heard.snap_received;
            expect("the snap that was received", &sent, &event.snap.id)?;
            live.close().await;
            Ok((sent, format!("a snap was sent, and received over the WebSocket (cursor {})", event.cursor)))
        })
        .await?;
        step(async {
            let input = json!({ "id": snap });
            let opened = friend.mutate::<api::SnapOpened>(api::OPEN_SNAP, input.clone()).await;
            let view = opened.map_err(while_doing("cannot open the snap"))?.view;
            expect("the caption", "Look!", &view.caption)?;
            let seen = friend.fetch(&view.url).await.map_err(while_doing("cannot fetch the picture"))?;
            expect("the picture", StatusCode::OK, seen.status)?;
            let picture = self.probe("the snap's picture", &seen.body).await?;
            let sides = format!("{} × {}", picture.width, picture.height);
            let again = friend.mutate::<api::SnapOpened>(api::OPEN_SNAP, input.clone()).await;
            let code = again.err().and_then(|error| error.code().map(str::to_owned)).unwrap_or_default();
            expect("opening it again", "ALREADY_OPENED", &code)?;
            let again = friend.fetch(&view.url).await.map_err(while_doing("cannot try the picture again"))?;
            expect("the picture a second time", StatusCode::NOT_FOUND, again.status)?;
            let closed = friend.mutate::<Value>(api::CLOSE_SNAP, input).await;
            closed.map_err(while_doing("cannot close the snap"))?;
            Ok(((), format!("opened, {sides}; refused a second time, and closed")))
        })
        .await?;
        let key = step(async {
            let key = wait("the snap's erasure", "proven", super::delete::ERASURE_WAIT, async || {
                let answer = self.client.query::<api::Node<api::SnapGone>>(api::SNAP, json!({ "id": snap })).await;
                let found = answer.map_err(while_doing("cannot ask for the snap"))?.node;
                Ok(match found.and_then(|snap| snap.erasure) {
                    Some(erasure) if erasure.is_proven() => Seen::There(erasure.key),
                    Some(_) => Seen::NotYet("under way".to_owned()),
                    None => Seen::NotYet("none".to_owned()),
                })
            })
            .await?;
            Ok((key, "the snap is proven erased at both sites".to_owned()))
        })
        .await?;
        let _ = self.client.mutate::<Value>(api::REMOVE_FRIEND, json!({ "userId": them.user.id })).await;
        let _ = friend.query::<Value>(api::LOG_OUT, json!({})).await;
        Ok(key)
    }
}
