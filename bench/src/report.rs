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
#[derive(Clone, Copy)]
pub enum Contestant {
    /// Klamm as it comes: every append is synced.
    Klamm,
    /// Klamm with `klamm.durability=page-cache`, which promises what Apache Kafka does.
    PageCache,
    /// Apache Kafka.
    Kafka,
}

/// Rows in the order in which they were first measured.
pub struct Table {
    rows: Vec<Row>,
    goal: fn(&str) -> Option<u32>,
}

struct Row {
    name: String,
    unit: &'static str,
    /// By contestant, a value for each round.
    values: [Vec<f64>; 3],
}

impl Table {
    /// No rows yet; `goal` says of a row's name which part of Apache Kafka's figure is to be reached, as one in so many.
    pub fn new(goal: fn(&str) -> Option<u32>) -> Self {
        Table { rows: Vec::new(), goal }
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
    fn median(&self, contestant: Contestant) -> f64 {
        median(&self.values[contestant as usize])
    }

    /// Klamm's figure as a part of Apache Kafka's, round by round, and whether that is the goal.
    fn ratio(&self, contestant: Contestant, goal: Option<u32>) -> String {
        let (ours, theirs) = (&self.values[contestant as usize], &self.values[Contestant::Kafka as usize]);
        let ratios: Vec<f64> = ours.iter().zip(theirs).map(|(ours, theirs)| ours / theirs).collect();
        let (least, most) = ratios.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(least, most), ratio| {
            (least.min(*ratio), most.max(*ratio))
        });
        let ratio = median(&ratios);
        let outcome = match goal {
            Some(one_in) if ratio * f64::from(one_in) <= 1.0 => ", reached",
            Some(_) => ", missed",
            None => "",
        };
        format!("**{ratio:.3}** ({least:.3}–{most:.3}){outcome}")
    }
}

impl fmt::Display for Table {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            formatter,
            "| workload | unit | Klamm | Klamm, page-cache | Apache Kafka 4.4.0 | goal | Klamm to Kafka | page-cache to Kafka |"
        )?;
        writeln!(formatter, "|---|---|---|---|---|---|---|---|")?;
        for row in &self.rows {
            let goal = (self.goal)(&row.name);
            writeln!(
                formatter,
                "| {} | {} | {:.2} | {:.2} | {:.2} | {} | {} | {} |",
                row.name,
                row.unit,
                row.median(Contestant::Klamm),
                row.median(Contestant::PageCache),
                row.median(Contestant::Kafka),
                goal.map(|one_in| format!("1/{one_in}")).unwrap_or_default(),
                row.ratio(Contestant::Klamm, goal),
                row.ratio(Contestant::PageCache, goal),
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
        let mut table = Table::new(|row| (row == "row").then_some(5));
        for (ours, page_cache, theirs) in [(1.0, 5.0, 10.0), (2.0, 5.0, 10.0), (30.0, 50.0, 100.0)] {
            table.add(Contestant::Klamm, "row", "s", ours);
            table.add(Contestant::PageCache, "row", "s", page_cache);
            table.add(Contestant::Kafka, "row", "s", theirs);
        }
        let figures = "| row | s | 2.00 | 5.00 | 10.00 | 1/5 |";
        let ratios = "**0.200** (0.100–0.300), reached | **0.500** (0.500–0.500), missed |";
        assert!(table.to_string().contains(&format!("{figures} {ratios}")), "{table}");
    }
}
