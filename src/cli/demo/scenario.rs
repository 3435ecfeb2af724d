//! What people do in the demo: befriend each other, upload, edit, share, send snaps, report, delete.

use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde_json::json;

use super::{
    Failure, Step,
    folk::{Folk, text},
    pictures::Pictures,
};

/// Uploads at once.
const AT_ONCE: usize = 3;
const TAGS: [&[&str]; 5] = [&["landscape"], &["landscape", "favourite"], &["travel"], &["study", "light"], &[]];
const SAID: [&str; 4] =
    ["From the path above the village.", "The third try; the first two were worse.", "Before the rain.", ""];
const CAPTIONS: [&str; 4] = ["Look at this light!", "Guess where", "Back on Sunday", ""];
const COMPLAINTS: [(&str, &str); 5] = [
    ("COPYRIGHT", "This is my picture. I put it online a year ago."),
    ("SPAM", "The same picture again and again."),
    ("HARASSMENT", "They keep sending me this."),
    ("OTHER", "Shows my house and the number of my car."),
    ("VIOLENCE", ""),
];

/// A file, and whose it is.
struct Uploaded {
    owner: usize,
    id: String,
}

pub async fn play(folk: &Folk, pictures: Pictures) -> Result<(), Failure> {
    befriend(folk).await?;
    let files = upload(folk, &pictures).await?;
    edit(folk, &files).await?;
    send_snaps(folk, &pictures).await?;
    report(folk, &files).await?;
    delete(folk, &files).await
}

/// Everybody and the next three; and two requests that wait.
async fn befriend(folk: &Folk) -> Result<(), Failure> {
    let count = folk.people.len();
    let mut step = Step::new("friendships", count * 3 + 2);
    for number in 0..count * 3 + 2 {
        let (from, to) = (folk.person(number), folk.person(number + 1 + number / count));
        let asked = from.does("requestFriendship", "friendship { id }", json!({ "userId": to.id })).await?;
        if number < count * 3 {
            let id = text(&asked, "/friendship/id");
            to.does("acceptFriendship", "friendship { id }", json!({ "id": id })).await?;
        }
        step.one_more()?;
    }
    step.end()
}

async fn upload(folk: &Folk, pictures: &Pictures) -> Result<Vec<Uploaded>, Failure> {
    let mut step = Step::new("pictures", pictures.count);
    let uploads = (0..pictures.count).map(|number| async move {
        // Some have many, some few.
        let owner = (number * number / 7) % folk.people.len();
        let picture = pictures.get(number)?;
        let input = json!({
            "name": picture.name, "description": SAID[number % SAID.len()], "tags": TAGS[number % TAGS.len()],
            "metadata": { "roll": number / 12 + 1 },
        });
        let made = folk.person(owner).sends("uploadFile", "file { id }", input, picture).await?;
        Ok::<_, Failure>(Uploaded { owner, id: text(&made, "/file/id") })
    });
    let mut uploads = stream::iter(uploads).buffered(AT_ONCE);
    let mut files = Vec::with_capacity(pictures.count);
    while let Some(file) = uploads.try_next().await? {
        files.push(file);
        step.one_more()?;
    }
    step.end()?;
    Ok(files)
}

async fn edit(folk: &Folk, files: &[Uploaded]) -> Result<(), Failure> {
    let mut step = Step::new("edits", files.len() / 6);
    for (number, file) in files.iter().enumerate().filter(|(number, _)| number % 6 == 5) {
        let input = json!({ "id": file.id, "revision": 1, "description": format!("Number {number} of the series.") });
        folk.person(file.owner).does("editFile", "file { id }", input).await?;
        step.one_more()?;
    }
    step.end()
}

/// Some wait, some were seen, and one was reported while it could be looked at.
async fn send_snaps(folk: &Folk, pictures: &Pictures) -> Result<(), Failure> {
    let count = folk.people.len() + 4;
    let mut step = Step::new("snaps", count);
    for number in 0..count {
        let (from, to) = (folk.person(number), folk.person(number + 1));
        let mut recipients = vec![&to.id];
        if number % 3 == 0 {
            recipients.push(&folk.person(number + 2).id);
        }
        let input = json!({
            "recipientIds": recipients, "caption": CAPTIONS[number % CAPTIONS.len()], "allowReplay": number % 2 == 0,
        });
        let sent = from.sends("sendSnap", "snap { id }", input, pictures.get(1000 + number)?).await?;
        if number % 2 == 1 {
            let id = text(&sent, "/snap/id");
            let opened = to.does("openSnap", "view { url }", json!({ "id": id })).await?;
            to.fetches(&text(&opened, "/view/url")).await?;
            if number == 3 {
                let input = json!({ "id": id, "category": "HARASSMENT", "comment": "I asked them to stop." });
                to.does("reportSnap", "report { id }", input).await?;
            }
            to.does("closeSnap", "snap { id }", json!({ "id": id })).await?;
        }
        step.one_more()?;
    }
    step.end()
}

/// By those who were given a link; the first file by two people.
async fn report(folk: &Folk, files: &[Uploaded]) -> Result<(), Failure> {
    let reported: Vec<_> = files.iter().enumerate().filter(|(number, _)| number % 9 == 2).take(6).collect();
    let mut step = Step::new("reports", reported.len() + usize::from(!reported.is_empty()));
    for (place, (number, file)) in reported.into_iter().enumerate() {
        let shared = folk.person(file.owner).does("createShareLink", "url", json!({ "fileId": file.id })).await?;
        let (category, comment) = COMPLAINTS[place % COMPLAINTS.len()];
        let input = json!({ "shareUrl": text(&shared, "/url"), "category": category, "comment": comment });
        for by in 1..=(if place == 0 { 2 } else { 1 }) {
            let reporter = folk.person(file.owner + by + number % 3);
            reporter.does("reportFile", "report { id }", input.clone()).await?;
            step.one_more()?;
        }
    }
    step.end()
}

async fn delete(folk: &Folk, files: &[Uploaded]) -> Result<(), Failure> {
    let deleted: Vec<_> = files.iter().enumerate().filter(|(number, _)| number % 10 == 8).collect();
    let mut step = Step::new("deletions", deleted.len());
    for (number, file) in deleted {
        let owner = folk.person(file.owner);
        let input = json!({ "ids": [file.id] });
        if number % 20 == 8 {
            owner.does("trashFiles", "alert { id }", input).await?;
        } else {
            owner.does("purgeFiles", "alert { id }", input).await?;
        }
        step.one_more()?;
    }
    step.end()
}
