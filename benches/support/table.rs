//! One table for every benchmark: what was measured beside what, and whether the target is met.

/// Ours beside a peer's, or beside a fixed limit where there is no peer.
pub struct Row {
    pub what: String,
    pub unit: &'static str,
    pub ours: f64,
    /// `None` where the peer could not be run.
    pub peer: Option<f64>,
    pub target: Target,
}

#[derive(Clone, Copy)]
pub enum Target {
    /// At most this many times the peer's.
    Ratio(f64),
    /// At most this, in the row's unit.
    Limit(f64),
    /// For information.
    None,
}

pub fn print(title: &str, peer: &str, rows: &[Row]) {
    println!("\n{title}");
    println!("{:<44} {:>9} {peer:>12} {:>7}   target", "", "snaphaven", "ratio");
    for Row { what, unit, ours, peer, target } in rows {
        let ratio = peer.map(|peer| ours / peer);
        let verdict = |met: bool| if met { "met" } else { "NOT MET" };
        let target = match (target, ratio) {
            (Target::Ratio(most), Some(ratio)) => format!("≤ {most:.2} ×  {}", verdict(ratio <= *most)),
            (Target::Ratio(most), None) => format!("≤ {most:.2} ×  not compared"),
            (Target::Limit(most), _) => format!("≤ {most:.1} {unit}  {}", verdict(ours <= most)),
            (Target::None, _) => String::new(),
        };
        let optional =
            |value: Option<f64>, digits: usize| value.map_or("–".to_owned(), |value| format!("{value:.digits$}"));
        println!(
            "{:<44} {ours:>9.1} {:>12} {:>7}   {target}",
            format!("{what} [{unit}]"),
            optional(*peer, 1),
            optional(ratio, 2)
        );
    }
}
