//! The table of figures: medians of both servers and their ratio, with the spread of the ratio over the rounds.

use std::fmt;

/// One measured figure.
pub struct Figure {
    /// The row.
    pub name: String,
    /// Its unit.
    pub unit: &'static str,
    /// Its value.
    pub value: f64,
}

/// Who is measured.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Contestant {
    /// Klamm as it comes: every append is synced.
    Klamm,
    /// Klamm with `klamm.durability=page-cache`, which promises what Apache Kafka does.
    PageCache,
    /// Apache Kafka.
    Kafka,
    /// The least that any server has to do, writing over one file again and again.
    Floor,
    /// The same on new pages, as every log has to.
    AppendingFloor,
}

const CONTESTANTS: usize = 5;

/// Rows in the order in which they were first measured.
pub struct Table {
    rows: Vec<Row>,
    goals: fn(&str) -> &'static [u32],
}

struct Row {
    name: String,
    unit: &'static str,
    /// By contestant, a value for each round.
    values: [Vec<f64>; CONTESTANTS],
}

impl Table {
    /// No rows yet; `goals` says of a row's name which parts of Apache Kafka's figure are to be reached, as one in so many.
    pub fn new(goals: fn(&str) -> &'static [u32]) -> Self {
        Table { rows: Vec::new(), goals }
    }

    /// Names and units.
    pub fn row_names(&self) -> impl Iterator<Item = (String, &'static str)> {
        self.rows.iter().map(|row| (row.name.clone(), row.unit))
    }

    /// Least, median and most of a contestant's figures, if there are any.
    pub fn spread(&self, contestant: Contestant, row: &str) -> Option<(f64, f64, f64)> {
        let row = self.rows.iter().find(|other| other.name == row)?;
        let values = &row.values[contestant as usize];
        let least = values.iter().copied().reduce(f64::min)?;
        Some((least, median(values), values.iter().copied().fold(least, f64::max)))
    }

    /// Adds one round's figure.
    pub fn add(&mut self, contestant: Contestant, name: &str, unit: &'static str, value: f64) {
        let index = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_string(), unit, values: Default::default() });
            self.rows.len() - 1
        });
        self.rows[index].values[contestant as usize].push(value);
    }
}

impl Row {
    /// The median of a contestant's figures; empty if it has none.
    fn median(&self, contestant: Contestant) -> String {
        let values = &self.values[contestant as usize];
        if values.is_empty() { String::new() } else { format!("{:.2}", median(values)) }
    }

    /// One contestant's figures as parts of another's, round by round: median, least and most.
    fn ratio(&self, contestant: Contestant, to: Contestant, goals: &[u32]) -> String {
        let (ours, theirs) = (&self.values[contestant as usize], &self.values[to as usize]);
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        if ratios.is_empty() {
            return String::new();
        }
        let (least, most) = ratios.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), ratio| {
            (least.min(*ratio), most.max(*ratio))
        });
        let ratio = median(&ratios);
        let verdict = |one_in: &u32| {
            let outcome = if ratio * f64::from(*one_in) <= 1.0 { "reached" } else { "missed" };
            format!("; 1/{one_in} {outcome}")
        };
        let verdicts: String = goals.iter().map(verdict).collect();
        format!("**{ratio:.3}** ({least:.3}–{most:.3}){verdicts}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "| workload | unit | Klamm | Klamm, page-cache | Apache Kafka 4.4.0 | floor | floor, appending | Klamm to Kafka | page-cache to Kafka | page-cache to appending floor |"
        )?;
        writeln!(formatter, "|---|---|---|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let goals = (self.goals)(&row.name);
            writeln!(
                formatter,
                "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {} |",
                row.name,
                row.unit,
                row.median(Contestant::Klamm),
                row.median(Contestant::PageCache),
                row.median(Contestant::Kafka),
                row.median(Contestant::Floor),
                row.median(Contestant::AppendingFloor),
                row.ratio(Contestant::Klamm, Contestant::Kafka, goals),
                row.ratio(Contestant::PageCache, Contestant::Kafka, goals),
                row.ratio(Contestant::PageCache, Contestant::AppendingFloor, &[]),
            )?;
        }
        Ok(())
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => f64::NAN,
        length if length % 2 == 1 => sorted[length / 2],
        length => f64::midpoint(sorted[length / 2 - 1], sorted[length / 2]),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ratios_are_taken_round_by_round_and_held_against_the_goal() {
        let mut table = Table::new(|row| if row == "row" { &[5, 8] } else { &[] });
        for (ours, page_cache, theirs) in [(1.5, 5.0, 10.0), (2.0, 5.0, 10.0), (10.0, 50.0, 100.0)] {
            table.add(Contestant::Klamm, "row", "s", ours);
            table.add(Contestant::PageCache, "row", "s", page_cache);
            table.add(Contestant::Kafka, "row", "s", theirs);
            table.add(Contestant::AppendingFloor, "row", "s", page_cache / 2.0);
        }
        let figures = "| row | s | 2.00 | 5.00 | 10.00 |  | 2.50 |";
        let ratios = "**0.150** (0.100–0.200); 1/5 reached; 1/8 missed | **0.500** (0.500–0.500); 1/5 missed; 1/8 missed";
        let floor = "**2.000** (2.000–2.000) |";
        assert!(table.to_string().contains(&format!("{figures} {ratios} | {floor}")), "{table}");
        assert_eq!(table.spread(Contestant::Klamm, "row"), Some((1.5, 2.0, 10.0)));
        assert_eq!(table.spread(Contestant::Floor, "row"), None);
    }
}
