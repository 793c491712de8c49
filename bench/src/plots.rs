//! Plots of the rows as SVG: a bar for each contestant, with the spread over the rounds.

use std::fmt::Write;
use std::fs;
use std::path::Path;

use anyhow::Result;

use crate::report::{Contestant, Table};

const WIDTH: f64 = 640.0;
const BAR_HEIGHT: f64 = 22.0;
const BAR_GAP: f64 = 8.0;
const LABEL_WIDTH: f64 = 170.0;
const FIGURE_WIDTH: f64 = 90.0;
const TOP: f64 = 40.0;

/// Name and colour of each contestant, colours that the colour-blind can tell apart.
const CONTESTANTS: [(Contestant, &str, &str); 5] = [
    (Contestant::Klamm, "Klamm", "#0072b2"),
    (Contestant::PageCache, "Klamm, page-cache", "#56b4e9"),
    (Contestant::Kafka, "Apache Kafka 4.4.0", "#d55e00"),
    (Contestant::Floor, "floor", "#999999"),
    (Contestant::AppendingFloor, "floor, appending", "#bbbbbb"),
];

/// Writes one file for each row into `folder`.
pub fn write(folder: &Path, table: &Table) -> Result<()> {
    fs::create_dir_all(folder)?;
    for (name, unit) in table.row_names() {
        let bars: Vec<_> = CONTESTANTS
            .iter()
            .filter_map(|(contestant, label, colour)| {
                Some((*label, *colour, table.spread(*contestant, &name)?))
            })
            .collect();
        fs::write(folder.join(format!("{}.svg", slug(&name))), plot(&name, unit, &bars)?)?;
    }
    Ok(())
}

/// A row's name as a file's.
fn slug(name: &str) -> String {
    let kept = |letter: char| if letter.is_ascii_alphanumeric() { letter.to_ascii_lowercase() } else { '-' };
    let dashed: String = name.chars().map(kept).collect();
    dashed.split('-').filter(|part| !part.is_empty()).collect::<Vec<_>>().join("-")
}

/// Bars of (label, colour, (least, median, most)).
fn plot(name: &str, unit: &str, bars: &[(&str, &str, (f64, f64, f64))]) -> Result<String> {
    let height = TOP + bars.len() as f64 * (BAR_HEIGHT + BAR_GAP);
    let most = bars.iter().map(|(_, _, (_, _, most))| *most).fold(f64::MIN_POSITIVE, f64::max);
    let scale = (WIDTH - LABEL_WIDTH - FIGURE_WIDTH) / most;
    let mut svg = String::new();
    writeln!(
        svg,
        r#"<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" font-family="sans-serif" font-size="13">"#
    )?;
    writeln!(svg, r##"<rect width="100%" height="100%" fill="#ffffff"/>"##)?;
    writeln!(svg, r#"<text x="8" y="22" font-weight="bold">{}, {}</text>"#, escaped(name), escaped(unit))?;
    for (index, (label, colour, (least, median, most))) in bars.iter().enumerate() {
        let top = TOP + index as f64 * (BAR_HEIGHT + BAR_GAP);
        let (middle, text) = (top + BAR_HEIGHT / 2.0, top + BAR_HEIGHT * 0.7);
        writeln!(svg, r#"<text x="8" y="{text:.1}">{label}</text>"#)?;
        writeln!(
            svg,
            r#"<rect x="{LABEL_WIDTH}" y="{top:.1}" width="{:.1}" height="{BAR_HEIGHT}" fill="{colour}"/>"#,
            median * scale
        )?;
        let (from, to) = (LABEL_WIDTH + least * scale, LABEL_WIDTH + most * scale);
        writeln!(
            svg,
            r##"<line x1="{from:.1}" x2="{to:.1}" y1="{middle:.1}" y2="{middle:.1}" stroke="#000000"/>"##
        )?;
        writeln!(svg, r#"<text x="{:.1}" y="{text:.1}">{median:.2}</text>"#, to + 6.0)?;
    }
    svg.push_str("</svg>\n");
    Ok(svg)
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_bar_ends_where_its_figure_begins() -> Result<()> {
        let svg =
            plot("a < b", "ms", &[("x", "#000000", (1.0, 2.0, 4.0)), ("y", "#ffffff", (1.0, 1.0, 1.0))])?;
        assert!(svg.contains("a &lt; b, ms"), "{svg}");
        assert!(svg.contains(r##"width="190.0" height="22" fill="#000000""##), "{svg}");
        assert!(svg.contains(r#"x1="265.0" x2="550.0""#), "{svg}");
        Ok(())
    }

    #[test]
    fn rows_have_file_names() {
        assert_eq!(slug("produce 64 KiB batches, acks=1"), "produce-64-kib-batches-acks-1");
    }
}
