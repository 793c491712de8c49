//! The valid word that is nearest to a mistaken one.

/// The candidate with the fewest edits from `word`, if that is few enough to be a slip.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (word.chars().count() / 3).max(1);
    let ranked = candidates.into_iter().map(|candidate| (distance(word, candidate), candidate));
    let (edits, candidate) = ranked.min()?;
    (edits <= limit).then_some(candidate)
}

/// Insertions, deletions, replacements and swaps of neighbours.
fn distance(left: &str, right: &str) -> usize {
    let left: Vec<char> = left.chars().flat_map(char::to_lowercase).collect();
    let right: Vec<char> = right.chars().flat_map(char::to_lowercase).collect();
    let mut before: Vec<usize> = Vec::new();
    let mut above: Vec<usize> = (0..=right.len()).collect();
    for (row, letter) in left.iter().enumerate() {
        let mut line = vec![row + 1];
        for (column, other) in right.iter().enumerate() {
            let mut edits = (above[column + 1] + 1).min(line[column] + 1);
            edits = edits.min(above[column] + usize::from(letter != other));
            let is_swap = row > 0 && column > 0 && *letter == right[column - 1] && left[row - 1] == *other;
            if is_swap {
                edits = edits.min(before[column - 1] + 1);
            }
            line.push(edits);
        }
        before = std::mem::replace(&mut above, line);
    }
    above[right.len()]
}

#[cfg(test)]
mod tests {
    use super::nearest;

    #[test]
    fn slips_are_seen_through() {
        let words = ["list", "describe", "bootstrap-server"];
        assert_eq!(nearest("lst", words), Some("list"));
        assert_eq!(nearest("decsribe", words), Some("describe"));
        assert_eq!(nearest("bootstrap-servers", words), Some("bootstrap-server"));
        assert_eq!(nearest("zookeeper", words), None);
    }
}
