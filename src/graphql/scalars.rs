//! Scalars: `Long` for bytes, `Sha256` in hex, `DateTime` in UTC.

use async_graphql::{InputValueError, InputValueResult, Scalar, ScalarType, Value};
use chrono::{DateTime, Utc};
use entity::Timestamp;

/// A whole number up to 2^53 - 1, such as a count of bytes.
pub struct Long(pub i64);

#[Scalar(name = "Long")]
impl ScalarType for Long {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::Number(number) => {
                number.as_i64().map(Self).ok_or_else(|| InputValueError::custom("not a whole number"))
            }
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(self.0)
    }
}

/// A SHA-256 in lower-case hex.
pub struct Sha256(pub Vec<u8>);

#[Scalar(name = "Sha256")]
impl ScalarType for Sha256 {
    fn parse(value: Value) -> InputValueResult<Self> {
        match &value {
            Value::String(text) => match hex::decode(text) {
                Ok(bytes) if bytes.len() == 32 => Ok(Self(bytes)),
                _ => Err(InputValueError::custom("a SHA-256 has 64 hex digits")),
            },
            _ => Err(InputValueError::expected_type(value)),
        }
    }

    fn to_value(&self) -> Value {
        Value::from(hex::encode(&self.0))
    }
}

/// For a `DateTime` field: RFC 3339 in UTC.
#[must_use]
pub fn date_time(time: Timestamp) -> DateTime<Utc> {
    time.to_utc()
}
