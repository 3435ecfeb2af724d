//! What a bucket says of itself, in S3's words.

use std::sync::{Arc, Mutex, PoisonError};

use aws_sdk_s3::{
    config::{ConfigBag, Intercept, RuntimeComponents, interceptors::BeforeDeserializationInterceptorContextRef},
    error::BoxError,
    types::{
        BucketVersioningStatus, CorsRule as S3CorsRule, DeleteMarkerReplicationStatus, Destination,
        ReplicationRule as S3Rule, ReplicationRuleStatus,
    },
};
use chrono::{DateTime, Utc};

use super::{
    super::{CorsRule, Facts, ReplicationRule, StoreError, Told},
    CALL_LIMIT, Failed, S3Store,
};

/// What the headers of an answer tell, also of one that refuses: a call to the wrong region names the right one.
#[derive(Clone, Debug, Default)]
struct Headers {
    clock: Option<DateTime<Utc>>,
    region: Option<String>,
}

#[derive(Clone, Debug, Default)]
struct Keep(Arc<Mutex<Headers>>);

impl Keep {
    fn headers(&self) -> Headers {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Intercept for Keep {
    fn name(&self) -> &'static str {
        "headers of HeadBucket"
    }

    fn read_before_deserialization(
        &self,
        context: &BeforeDeserializationInterceptorContextRef<'_>,
        _: &RuntimeComponents,
        _: &mut ConfigBag,
    ) -> Result<(), BoxError> {
        let headers = context.response().headers();
        let date = headers.get("date").and_then(|date| DateTime::parse_from_rfc2822(date).ok());
        let region = headers.get("x-amz-bucket-region").filter(|region| !region.is_empty());
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) =
            Headers { clock: date.map(|date| date.to_utc()), region: region.map(str::to_owned) };
        Ok(())
    }
}

/// What is not configured is answered by 404, what a store does not know of by 501.
fn told<T>(answer: Result<T, Failed>) -> Told<T> {
    match answer {
        Ok(told) => Ok(Some(told)),
        Err(Failed { status: Some(404 | 405 | 501), .. }) => Ok(None),
        Err(failed) => Err(StoreError::from(failed)),
    }
}

impl S3Store {
    pub(super) async fn ask_facts(&self) -> Facts {
        let kept = Keep::default();
        let sent = self.client.head_bucket().bucket(&self.bucket).customize().interceptor(kept.clone()).send();
        let answered = self.call("HeadBucket", "", CALL_LIMIT, sent).await;
        let Headers { clock, region } = kept.headers();
        let region = if region.is_some() { Ok(region) } else { answered.map(|_| None).map_err(StoreError::from) };
        let sent = self.client.get_bucket_versioning().bucket(&self.bucket).send();
        let versioned = told(self.call("GetBucketVersioning", "", CALL_LIMIT, sent).await)
            .map(|output| output.map(|output| output.status == Some(BucketVersioningStatus::Enabled)));
        let sent = self.client.get_bucket_cors().bucket(&self.bucket).send();
        let cors = told(self.call("GetBucketCors", "", CALL_LIMIT, sent).await)
            .map(|output| output.map(|output| output.cors_rules().iter().map(cors_rule).collect()));
        let sent = self.client.get_bucket_replication().bucket(&self.bucket).send();
        let replication = told(self.call("GetBucketReplication", "", CALL_LIMIT, sent).await).map(|output| {
            let rules = output?.replication_configuration?.rules;
            Some(rules.iter().map(replication_rule).collect())
        });
        Facts { region, clock, versioned, cors, replication }
    }
}

fn cors_rule(rule: &S3CorsRule) -> CorsRule {
    CorsRule {
        origins: rule.allowed_origins().to_vec(),
        methods: rule.allowed_methods().to_vec(),
        headers: rule.allowed_headers().to_vec(),
    }
}

fn replication_rule(rule: &S3Rule) -> ReplicationRule {
    let arn = rule.destination().map(Destination::bucket).unwrap_or_default();
    let all = |prefix: Option<&str>| prefix.is_none_or(str::is_empty);
    #[expect(deprecated, reason = "rules of the first version have their prefix there")]
    let old = rule.prefix();
    let filter = rule.filter().is_none_or(|filter| {
        all(filter.prefix())
            && filter.tag().is_none()
            && filter.and().is_none_or(|and| and.tags().is_empty() && all(and.prefix()))
    });
    let markers = rule.delete_marker_replication().and_then(|markers| markers.status());
    ReplicationRule {
        is_enabled: *rule.status() == ReplicationRuleStatus::Enabled,
        destination: arn.rsplit(':').next().unwrap_or_default().to_owned(),
        is_for_all: all(old) && filter,
        copies_markers: markers == Some(&DeleteMarkerReplicationStatus::Enabled),
    }
}
