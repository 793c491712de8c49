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

/// Rows in the order in which they were first measured.
pub struct Table {
    rows: Vec<Row>,
    goal: fn(&str) -> Option<u32>,
}

struct Row {
    name: String,
    unit: &'static str,
    klamm: Vec<f64>,
    kafka: Vec<f64>,
}

impl Table {
    /// No rows yet; `goal` says of a row's name which part of Apache Kafka's figure is to be reached, as one in so many.
    pub fn new(goal: fn(&str) -> Option<u32>) -> Self {
        Table { rows: Vec::new(), goal }
    }

    /// Adds one round's figure of ours.
    pub fn klamm(&mut self, name: &str, unit: &'static str, value: f64) {
        self.row(name, unit).klamm.push(value);
    }

    /// Adds one round's figure of Apache Kafka's.
    pub fn kafka(&mut self, name: &str, unit: &'static str, value: f64) {
        self.row(name, unit).kafka.push(value);
    }

    fn row(&mut self, name: &str, unit: &'static str) -> &mut Row {
        let index = self.rows.iter().position(|row| row.name == name).unwrap_or_else(|| {
            self.rows.push(Row { name: name.to_string(), unit, klamm: Vec::new(), kafka: Vec::new() });
            self.rows.len() - 1
        });
        &mut self.rows[index]
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(formatter, "| workload | unit | Klamm | Apache Kafka 4.4.0 | ratio (min–max) | goal |")?;
        writeln!(formatter, "|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let ratios: Vec<f64> =
                row.klamm.iter().zip(&row.kafka).map(|(ours, theirs)| ours / theirs).collect();
            let ratio = median(&ratios);
            let goal = (self.goal)(&row.name).map(|one_in| {
                let outcome = if ratio * f64::from(one_in) <= 1.0 { "reached" } else { "missed" };
                format!("≤ 1/{one_in}: {outcome}")
            });
            writeln!(
                formatter,
                "| {} | {} | {:.2} | {:.2} | **{:.3}** ({:.3}–{:.3}) | {} |",
                row.name,
                row.unit,
                median(&row.klamm),
                median(&row.kafka),
                ratio,
                ratios.iter().copied().fold(f64::INFINITY, f64::min),
                ratios.iter().copied().fold(f64::NEG_INFINITY, f64::max),
                goal.unwrap_or_default(),
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
    fn ratios_are_taken_round_by_round() {
        let mut table = Table::new(|row| (row == "row").then_some(5));
        for (ours, theirs) in [(1.0, 10.0), (2.0, 10.0), (30.0, 100.0)] {
            table.klamm("row", "s", ours);
            table.kafka("row", "s", theirs);
        }
        assert!(
            table
                .to_string()
                .contains("| row | s | 2.00 | 10.00 | **0.200** (0.100–0.300) | ≤ 1/5: reached |")
        );
        table.kafka("other", "s", 1.0);
        table.klamm("other", "s", 0.5);
        assert!(table.to_string().contains("| other | s | 0.50 | 1.00 | **0.500** (0.500–0.500) |  |"));
    }
}
