//! Multipart uploads.

use aws_sdk_s3::{
    Client,
    primitives::ByteStream,
    types::{ChecksumAlgorithm, ChecksumMode, ChecksumType, CompletedMultipartUpload, CompletedPart},
};
use base64::{Engine, engine::general_purpose::STANDARD};

use super::support::{FIRST, SECOND, TestS3, bytes, code, files, noise};

const MIB: usize = 1 << 20;

async fn begin(client: &Client, key: &str) -> String {
    client.create_multipart_upload().bucket(FIRST).key(key).send().await.unwrap().upload_id.unwrap()
}

async fn part(client: &Client, key: &str, id: &str, number: i32, body: &[u8]) -> CompletedPart {
    let sent = client.upload_part().bucket(FIRST).key(key).upload_id(id).part_number(number);
    let sent = sent.body(ByteStream::from(body.to_vec())).send().await.unwrap();
    CompletedPart::builder().part_number(number).set_e_tag(sent.e_tag).set_checksum_sha256(sent.checksum_sha256).build()
}

fn of(parts: impl IntoIterator<Item = CompletedPart>) -> CompletedMultipartUpload {
    CompletedMultipartUpload::builder().set_parts(Some(parts.into_iter().collect())).build()
}

#[tokio::test]
async fn parts_become_one_object() {
    let server = TestS3::new();
    let client = server.client_over_http().await;
    let body = noise(12 * MIB);
    let id = client
        .create_multipart_upload()
        .bucket(FIRST)
        .key("m")
        .content_type("video/mp4")
        .metadata("a", "b")
        .send()
        .await
        .unwrap()
        .upload_id
        .unwrap();
    // Out of order, and one of them twice.
    let second = part(&client, "m", &id, 7, &body[5 * MIB..11 * MIB]).await;
    part(&client, "m", &id, 2, &body[..MIB]).await;
    let first = part(&client, "m", &id, 2, &body[..5 * MIB]).await;
    let third = part(&client, "m", &id, 10_000, &body[11 * MIB..]).await;

    let listed = client.list_parts().bucket(FIRST).key("m").upload_id(&id).max_parts(2).send().await.unwrap();
    assert_eq!(
        listed.parts().iter().map(|p| (p.part_number().unwrap(), p.size().unwrap())).collect::<Vec<_>>(),
        [(2, 5 * MIB as i64), (7, 6 * MIB as i64)]
    );
    assert_eq!((listed.is_truncated(), listed.next_part_number_marker()), (Some(true), Some("7")));
    assert_eq!(code(client.get_object().bucket(FIRST).key("m").send().await), "NoSuchKey");

    let complete = |parts: Vec<CompletedPart>| {
        client.complete_multipart_upload().bucket(FIRST).key("m").upload_id(&id).multipart_upload(of(parts))
    };
    let reversed = complete(vec![second.clone(), first.clone(), third.clone()]).send().await;
    assert_eq!(code(reversed), "InvalidPartOrder");
    let wrong = CompletedPart::builder().part_number(7).e_tag("\"00000000000000000000000000000000\"").build();
    assert_eq!(code(complete(vec![first.clone(), wrong]).send().await), "InvalidPart");
    let missing = CompletedPart::builder().part_number(8).e_tag(first.e_tag().unwrap()).build();
    assert_eq!(code(complete(vec![first.clone(), missing]).send().await), "InvalidPart");
    let done = complete(vec![first, second, third]).send().await.unwrap();
    assert!(done.e_tag().unwrap().ends_with("-3\""), "{:?}", done.e_tag());

    let head = client.head_object().bucket(FIRST).key("m").send().await.unwrap();
    assert_eq!(head.content_type(), Some("video/mp4"));
    assert_eq!(head.metadata().unwrap()["a"], "b");
    assert_eq!(head.e_tag(), done.e_tag());
    assert!(bytes(&client, "m").await == body);
    let across = client.get_object().bucket(FIRST).key("m").range(format!("bytes={}-{}", 5 * MIB - 2, 5 * MIB + 1));
    assert!(across.send().await.unwrap().body.collect().await.unwrap().to_vec() == body[5 * MIB - 2..=5 * MIB + 1]);
    let one = client.get_object().bucket(FIRST).key("m").part_number(2).send().await.unwrap();
    assert_eq!(one.parts_count(), Some(3));
    assert!(one.body.collect().await.unwrap().to_vec() == body[5 * MIB..11 * MIB]);

    let again = client.upload_part().bucket(FIRST).key("m").upload_id(&id).part_number(1).send().await;
    assert_eq!(code(again), "NoSuchUpload");
    // Its parts are linked, not kept twice, and go with it.
    assert_eq!(files(&server.bucket_folder().join("uploads")), Vec::<std::path::PathBuf>::new());
    client.delete_object().bucket(FIRST).key("m").send().await.unwrap();
    assert_eq!(files(&server.bucket_folder().join("objects")), Vec::<std::path::PathBuf>::new());
}

#[tokio::test]
async fn small_parts_and_wrong_ids_are_refused() {
    let (_server, client) = TestS3::new_over_http().await;
    let id = begin(&client, "m").await;
    let parts = [part(&client, "m", &id, 1, b"a").await, part(&client, "m", &id, 2, b"b").await];
    let complete = |id: &str| {
        client.complete_multipart_upload().bucket(FIRST).key("m").upload_id(id).multipart_upload(of(parts.clone()))
    };
    assert_eq!(code(complete(&id).send().await), "EntityTooSmall");
    for wrong in ["../uploads", "", "0193", "..%2f.."] {
        let answer = client.list_parts().bucket(FIRST).key("m").upload_id(wrong).send().await;
        assert!(answer.is_err(), "{wrong:?}");
    }
    assert_eq!(code(complete("../../x").send().await), "NoSuchUpload");
    let other_key = client.abort_multipart_upload().bucket(FIRST).key("n").upload_id(&id).send().await;
    assert_eq!(code(other_key), "NoSuchUpload");
    let zero = client.upload_part().bucket(FIRST).key("m").upload_id(&id).part_number(0).send().await;
    assert_eq!(code(zero), "InvalidArgument");
    client.abort_multipart_upload().bucket(FIRST).key("m").upload_id(&id).send().await.unwrap();
    assert_eq!(code(complete(&id).send().await), "NoSuchUpload");
}

#[tokio::test]
async fn checksums_of_parts_make_that_of_the_whole() {
    let (_server, client) = TestS3::new_over_http().await;
    let body = noise(6 * MIB);
    let (head, tail) = body.split_at(5 * MIB);
    for (algorithm, kind) in [
        (ChecksumAlgorithm::Crc32, ChecksumType::FullObject),
        (ChecksumAlgorithm::Crc64Nvme, ChecksumType::FullObject),
        (ChecksumAlgorithm::Sha256, ChecksumType::Composite),
    ] {
        let key = algorithm.as_str();
        let whole = client.put_object().bucket(FIRST).key("whole").checksum_algorithm(algorithm.clone());
        let whole = whole.body(ByteStream::from(body.clone())).send().await.unwrap();
        let created = client
            .create_multipart_upload()
            .bucket(FIRST)
            .key(key)
            .checksum_algorithm(algorithm.clone())
            .checksum_type(kind.clone())
            .send()
            .await
            .unwrap();
        let id = created.upload_id.unwrap();
        let mut parts = Vec::new();
        for (number, piece) in [(1, head), (2, tail)] {
            let sent = client.upload_part().bucket(FIRST).key(key).upload_id(&id).part_number(number);
            let sent =
                sent.checksum_algorithm(algorithm.clone()).body(ByteStream::from(piece.to_vec())).send().await.unwrap();
            parts.push(
                CompletedPart::builder()
                    .part_number(number)
                    .set_e_tag(sent.e_tag)
                    .set_checksum_crc32(sent.checksum_crc32)
                    .set_checksum_crc64_nvme(sent.checksum_crc64_nvme)
                    .set_checksum_sha256(sent.checksum_sha256)
                    .build(),
            );
        }
        let bad = client
            .upload_part()
            .bucket(FIRST)
            .key(key)
            .upload_id(&id)
            .part_number(3)
            .body("x".as_bytes().to_vec().into());
        let bad = match algorithm {
            ChecksumAlgorithm::Crc32 => bad.checksum_crc32("AAAAAA=="),
            ChecksumAlgorithm::Crc64Nvme => bad.checksum_crc64_nvme("AAAAAAAAAAA="),
            _ => bad.checksum_sha256(STANDARD.encode([0; 32])),
        };
        assert_eq!(code(bad.send().await), "BadDigest", "{key}");
        client
            .complete_multipart_upload()
            .bucket(FIRST)
            .key(key)
            .upload_id(&id)
            .multipart_upload(of(parts))
            .send()
            .await
            .unwrap();
        let kept =
            client.head_object().bucket(FIRST).key(key).checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        assert_eq!(kept.checksum_type(), Some(&kind), "{key}");
        if kind == ChecksumType::FullObject {
            assert_eq!(kept.checksum_crc32(), whole.checksum_crc32(), "{key}");
            assert_eq!(kept.checksum_crc64_nvme(), whole.checksum_crc64_nvme(), "{key}");
        } else {
            assert!(kept.checksum_sha256().unwrap().ends_with("-2"));
        }
        // A copy of it has the checksum of the whole, whatever that of the parts was.
        client.copy_object().bucket(SECOND).key(key).copy_source(format!("{FIRST}/{key}")).send().await.unwrap();
        let copy =
            client.head_object().bucket(SECOND).key(key).checksum_mode(ChecksumMode::Enabled).send().await.unwrap();
        assert_eq!(copy.checksum_sha256(), whole.checksum_sha256(), "{key}");
        assert_eq!(copy.checksum_type(), Some(&ChecksumType::FullObject));
    }
}

#[tokio::test]
async fn parts_copied_from_an_object() {
    let (_server, client) = TestS3::new_over_http().await;
    let body = noise(6 * MIB);
    client.put_object().bucket(SECOND).key("source").body(ByteStream::from(body.clone())).send().await.unwrap();
    let id = begin(&client, "m").await;
    let mut parts = Vec::new();
    for (number, range) in [(1, format!("bytes=0-{}", 5 * MIB - 1)), (2, format!("bytes={}-{}", 5 * MIB, 6 * MIB - 1))]
    {
        let copied = client.upload_part_copy().bucket(FIRST).key("m").upload_id(&id).part_number(number);
        let copied = copied.copy_source(format!("{SECOND}/source")).copy_source_range(range).send().await.unwrap();
        let etag = copied.copy_part_result.unwrap().e_tag;
        parts.push(CompletedPart::builder().part_number(number).set_e_tag(etag).build());
    }
    let past = client.upload_part_copy().bucket(FIRST).key("m").upload_id(&id).part_number(3);
    let past = past.copy_source(format!("{SECOND}/source")).copy_source_range(format!("bytes=0-{}", 6 * MIB));
    assert_eq!(code(past.send().await), "InvalidRange");
    let complete = client.complete_multipart_upload().bucket(FIRST).key("m").upload_id(&id);
    complete.multipart_upload(of(parts)).send().await.unwrap();
    assert!(bytes(&client, "m").await == body);
}

#[tokio::test]
async fn completion_can_be_conditional() {
    let (_server, client) = TestS3::new_over_http().await;
    client.put_object().bucket(FIRST).key("m").body(ByteStream::from_static(b"there")).send().await.unwrap();
    let id = begin(&client, "m").await;
    let only = part(&client, "m", &id, 1, b"new").await;
    let complete = || {
        client.complete_multipart_upload().bucket(FIRST).key("m").upload_id(&id).multipart_upload(of([only.clone()]))
    };
    assert_eq!(code(complete().if_none_match("*").send().await), "PreconditionFailed");
    assert_eq!(bytes(&client, "m").await, b"there");
    let etag = client.head_object().bucket(FIRST).key("m").send().await.unwrap().e_tag.unwrap();
    complete().if_match(etag).send().await.unwrap();
    assert_eq!(bytes(&client, "m").await, b"new");
}
