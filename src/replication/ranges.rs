//! How the keys of a sweep are cut: ranges of about the same number of objects, which together are all keys there can be.

use entity::object::Kind;

/// Objects of one range: some pages of each listing, and little to do again after a crash.
const TARGET: u64 = 8192;

/// A range of keys: `after < key ≤ upto`; from the first and to the last there can be where one is missing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Range {
    pub after: String,
    pub upto: Option<String>,
}

/// Cuts by the number of objects of each kind, which come in the order of their names. The shards of a kind are equally full.
pub(super) fn cut(census: &[(Kind, u64)]) -> Vec<Range> {
    let (mut cuts, mut since) = (Vec::new(), 0);
    for (kind, count) in census {
        let pieces = (count / TARGET).clamp(1, 256);
        for piece in 0..pieces {
            let shard = piece * 256 / pieces;
            // Behind everything of the shard before, and of the kind before: "/" comes before the digits.
            if since >= TARGET / 2 {
                cuts.push(if shard == 0 { format!("{kind}/") } else { format!("{kind}/{shard:02x}") });
                since = 0;
            }
            since += count / pieces;
        }
    }
    // A short rest goes with the range before: a listing that ends early is told by what would be behind its end.
    if since < TARGET / 2 {
        cuts.pop();
    }
    let starts = std::iter::once(String::new()).chain(cuts.iter().cloned());
    let ends = cuts.iter().cloned().map(Some).chain(std::iter::once(None));
    starts.zip(ends).map(|(after, upto)| Range { after, upto }).collect()
}
